"""The result: its JSON, its tables, and what it says of distances and frame sets."""

from __future__ import annotations

import csv
import io
import json
import pickle
import re
from dataclasses import replace
from typing import Any

import pytest

from dataset_adapters.ground_truth import Segment
from dataset_adapters.labels import ROAD_CLASSES, ROAD_LABELS
from dataset_adapters.problems import InputError
from evaluators.matching import ImageMatches
from evaluators.protocol import CITYSCAPES, KITTI, WILDDASH, Protocol
from evaluators.result import EvaluationResult
from evaluators.summary import summarise

from .scenes import matched, predicted, region

CAR, ELSEWHERE = (0, 0, 40, 25), (60, 0, 40, 25)


def near_car() -> Segment:
    return region("car", CAR, distance=20.0, density=1.0)


def result(protocol: Protocol, *images: ImageMatches, **more: Any) -> EvaluationResult:
    return summarise(protocol, ROAD_LABELS, images, benchmark="road", split="val", images_expected=9, **more)


def found(protocol: Protocol, frame: str = "a") -> ImageMatches:
    """A car that is found and a false positive of a higher score: AP 0.25."""
    return matched(protocol, [near_car()], [predicted("car", CAR, 0.8), predicted("car", ELSEWHERE, 0.9)], frame)


def test_json_is_the_documented_shape() -> None:
    data = result(CITYSCAPES, found(CITYSCAPES), provenance={"robsub": "1"}).to_json()
    values = dict.fromkeys(("AP", "AP50", "AP100m", "AP50m", "AP50_50m"), 0.25)
    assert data.pop("errors")["Bkg"] == {"count": 1, "gain": 0.75}
    assert data == {
        "benchmark": "road", "split": "val", "protocol": "cityscapes", "images": 1, "images_expected": 9,
        "metrics": values,
        "classes": {name: values if name == "car" else dict.fromkeys(values) for name in ROAD_CLASSES},
        "provenance": {"robsub": "1"},
    }  # fmt: skip
    assert list(data["metrics"]) == list(values)
    assert list(data["classes"]) == list(ROAD_CLASSES)


def test_json_comes_back_the_same() -> None:
    sets = {"a": frozenset({"negative"})}
    first = result(WILDDASH, found(WILDDASH), frame_sets=sets, notes=["made data"])
    text = json.dumps(first.to_json(), allow_nan=False)
    again = EvaluationResult.from_json(json.loads(text))
    assert json.dumps(again.to_json()) == text
    assert pickle.loads(pickle.dumps(first)).to_json() == first.to_json()


@pytest.mark.parametrize("broken", [None, [], {}, {"benchmark": "kitti"}])
def test_other_json_is_refused(broken: Any) -> None:
    with pytest.raises(InputError, match=r"numbers\.json: found no evaluation result"):
        EvaluationResult.from_json(broken, source="numbers.json")


def test_metric_that_is_no_number_is_refused() -> None:
    data = result(KITTI, found(KITTI)).to_json()
    data["metrics"]["AP"] = "high"
    with pytest.raises(InputError, match="AP is 'high'"):
        EvaluationResult.from_json(data)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("images",), float("inf"), "images is inf, not a count"),
        (("images_missing",), "2", "images_missing is '2', not a count"),
        (("metrics", "AP"), 10**400, "metrics: AP is 1000.*, not a number"),
        (("metrics", "AP"), float("nan"), "metrics: AP is nan, not a number"),
        (("classes", "car", "AP50"), float("-inf"), "car: AP50 is -inf, not a number"),
        (("intervals", "metrics", "AP"), [], r"intervals: AP is \[\], not two bounds"),
        (("intervals", "metrics", "AP"), [0.1, None], "intervals: AP is None, not a number"),
        (("errors", "Bkg", "count"), float("inf"), "errors: Bkg is inf, not a count"),
    ],
)
def test_a_member_that_cannot_be_is_named(path: tuple[str, ...], value: Any, told: str) -> None:
    data = result(KITTI, found(KITTI), found(KITTI, "b"), resamples=5).to_json()
    part = data
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    with pytest.raises(InputError, match=rf"r\.json: found no evaluation result \(TypeError: {told}"):
        EvaluationResult.from_json(data, "r.json")


def test_neg_ap_of_a_protocol_without_it_is_noted() -> None:
    assert result(KITTI, found(KITTI), neg_ap="negative").notes == ("Protocol kitti has no NegAP.",)
    assert result(KITTI, found(KITTI)).notes == ()


def test_no_image_gives_no_number() -> None:
    empty = result(CITYSCAPES)
    assert empty.images == 0
    assert dict(empty.metrics) == {"AP": None, "AP50": None}


def test_same_image_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="image a was matched twice"):
        result(KITTI, found(KITTI), found(KITTI))


def test_distance_metrics_are_absent_with_a_reason() -> None:
    without = matched(CITYSCAPES, [region("car", CAR)], [], "b")
    nothing = matched(CITYSCAPES, [], [], "c")
    partly = result(CITYSCAPES, found(CITYSCAPES), without, nothing)
    assert list(partly.metrics) == ["AP", "AP50"]
    assert partly.notes == (
        "AP100m, AP50m, AP50_50m are absent: 1 of 2 images with objects have no distances, for example b.",
    )
    assert "AP100m" in result(CITYSCAPES, found(CITYSCAPES), nothing).metrics


def test_without_objects_the_note_says_so() -> None:
    nothing = result(CITYSCAPES, matched(CITYSCAPES, [], [], "c"))
    assert nothing.notes == ("AP100m, AP50m, AP50_50m are absent: no image has an object.",)


def test_curves_are_reachable() -> None:
    pool = result(KITTI, found(KITTI)).pool
    assert pool is not None
    curve = pool.curve(mode=0, overlap=0, class_index=ROAD_CLASSES.index("car"))
    assert curve is not None
    assert curve.thresholds.tolist() == [0.8, 0.9]
    assert curve.precision.tolist() == [0.5, 0.0, 1.0]
    assert pool.curve(mode=0, overlap=0, class_index=0) is None


def test_table_is_plain_text_with_the_mean_last() -> None:
    lines = result(KITTI, found(KITTI)).table().splitlines()
    assert lines[0] == "road val, protocol kitti, images 1 of 9"
    assert lines[1].split() == ["AP", "AP50"]
    assert lines[4].split() == ["car", "25.0", "25.0"]
    assert lines[5].split() == ["truck", "-", "-"]
    assert lines[-1].split() == ["mean", "25.0", "25.0"]
    assert len({len(line) for line in lines[1:]}) == 1


def test_frame_has_the_mean_last() -> None:
    frame = result(KITTI, found(KITTI)).to_frame()
    assert list(frame.index) == [*ROAD_CLASSES, "mean"]
    assert list(frame.columns) == ["AP", "AP50"]
    assert frame.loc[["car", "mean"]].to_numpy().tolist() == [[0.25, 0.25], [0.25, 0.25]]
    assert frame.loc["bus"].isna().all()


def wilddash(**more: Any) -> EvaluationResult:
    """A frame without hazard, one with much blur, one with little rain drops, and a negative one."""
    sets = {
        "plain": frozenset({"classic", "blur/none"}),
        "blurred": frozenset({"classic", "blur/high"}),
        "drops": frozenset({"classic", "particles/low"}),
        "upside-down": frozenset({"negative", "blur/none"}),
    }
    all_found = matched(WILDDASH, [near_car()], [predicted("car", CAR, 0.9)], "plain")
    negative = matched(
        WILDDASH, [near_car()], [predicted("car", ELSEWHERE, 0.6), predicted("bus", CAR, 0.9)], "upside-down"
    )
    images = [all_found, found(WILDDASH, "blurred"), found(WILDDASH, "drops"), negative]
    return result(WILDDASH, *images, **{"frame_sets": sets, **more})


def test_frame_sets_have_their_own_numbers() -> None:
    sets = wilddash().frame_sets
    assert list(sets) == ["blur/high", "blur/none", "classic", "negative", "particles/low"]
    assert dict(sets["blur/high"]) == {"AP": 0.25, "AP50": 0.25, "images": 1}
    assert sets["classic"]["images"] == 3
    assert dict(sets["negative"]) == {"AP": 0.0, "AP50": 0.0, "images": 1, "FP@0.5": 2.0, "FP@0.9": 1.0}


def test_frame_sets_stand_in_every_table() -> None:
    whole = wilddash()
    neg_ap = (
        f"NegAP {100 * (whole.metrics['NegAP'] or 0):.1f}; false positives per negative frame: FP@0.5 2.00, FP@0.9 1.00"
    )
    for text in (whole.text(), whole.to_markdown(), whole.to_latex(), whole.to_csv()):
        assert neg_ap in text
    lines = [re.split(r"\s*[|&]\s*|\s{2,}", line.strip(" |\\")) for text in (whole.text(), whole.to_markdown(),
             whole.to_latex()) for line in text.splitlines()]  # fmt: skip
    assert lines.count(["frame set", "AP", "AP50", "images"]) == 3
    assert lines.count(["blur/high", "25.0", "25.0", "1"]) == 3
    row = next(row for row in csv.DictReader(io.StringIO(whole.to_csv())) if row["frame_set"] == "negative")
    assert row["images_missing"] == "0"
    assert (row["class"], row["AP"], row["images"], row["FP@0.5"], row["FP@0.9"]) == ("mean", "0.0", "1", "2.0", "1.0")


def test_every_frame_set_counts_its_own_missing_images() -> None:
    sets = {"seen": frozenset({"classic", "blur/none"}), "unseen": frozenset({"classic", "blur/high"})}
    unseen = replace(matched(WILDDASH, [near_car()], [], "unseen"), missing=True)
    some = result(WILDDASH, found(WILDDASH, "seen"), unseen, frame_sets=sets)
    assert {name: row["images_missing"] for name, row in some.frame_sets.items()} == {
        "blur/high": 1, "blur/none": 0, "classic": 1,
    }  # fmt: skip
    assert EvaluationResult.from_json(some.to_json()).frame_sets == some.frame_sets
    for text in (some.text(), some.to_markdown(), some.to_latex()):
        rows = [re.findall(r"[\w/.-]+", line.replace("\\_", "_")) for line in text.splitlines()]
        assert ["frame", "set", "AP", "AP50", "images", "images_missing"] in rows
        assert ["classic", "12.5", "12.5", "2", "1"] in rows
    rows = csv.DictReader(io.StringIO(some.to_csv()))
    assert [(row["frame_set"], row["images_missing"]) for row in rows if row["frame_set"]] == [
        ("blur/high", "1"), ("blur/none", "0"), ("classic", "1"),
    ]  # fmt: skip


def test_neg_ap_tells_its_images_and_why_it_has_no_interval() -> None:
    assert "Images that NegAP is measured on: 3." in wilddash(resamples=10).notes
    alone = wilddash(neg_ap="negative", resamples=10)
    assert list(alone.intervals) == ["AP", "AP50"]
    assert "Images that NegAP is measured on: 1." in alone.notes
    assert "No interval of NegAP: 1 images are too few to be drawn again." in alone.notes


def test_foreign_labels_stay_in_their_line() -> None:
    image = matched(WILDDASH, [near_car()], [predicted(name, CAR, 0.9) for name in ("a\nb", 99 * "x", "Fußgänger")])
    (note,) = (note for note in result(WILDDASH, image).notes if "not evaluated" in note)
    assert note.endswith(f": Fußgänger 1, a\\nb 1, {60 * 'x'}... 1.")


def test_a_result_without_these_counts_claims_none() -> None:
    earlier = replace(wilddash(), images_missing=1)
    rows = csv.DictReader(io.StringIO(earlier.to_csv()))
    assert {row["images_missing"] for row in rows if row["frame_set"]} == {""}


def test_frame_set_without_an_image_is_left_out() -> None:
    elsewhere = result(WILDDASH, found(WILDDASH), frame_sets={"other": frozenset({"negative"})})
    assert "frame_sets" not in elsewhere.to_json()
    assert elsewhere.metrics["NegAP"] is None


def test_neg_ap_has_two_readings_and_says_which() -> None:
    hazards, negative = wilddash(), wilddash(neg_ap="negative")
    only_hazards = result(
        WILDDASH, found(WILDDASH, "blurred"), found(WILDDASH, "drops"),
        matched(WILDDASH, [near_car()], [predicted("car", ELSEWHERE, 0.6)], "upside-down"),
    )  # fmt: skip
    assert hazards.metrics["NegAP"] == only_hazards.metrics["AP"] != hazards.metrics["AP"]
    assert negative.metrics["NegAP"] == 0.0
    assert "hazard" in hazards.notes[0]
    assert "own negative frames" in negative.notes[0]
    assert list(hazards.metrics) == ["AP", "AP50", "NegAP"]


def test_neg_ap_is_absent_without_frame_sets() -> None:
    unknown = wilddash(frame_sets={})
    assert list(unknown.metrics) == ["AP", "AP50"]
    assert unknown.notes == ("NegAP is absent: the frame sets are not known.",)
    assert "frame_sets" not in unknown.to_json()


def test_a_single_image_has_no_interval() -> None:
    assert result(KITTI, found(KITTI), resamples=5).intervals == {}
    assert result(KITTI, found(KITTI), found(KITTI, "b"), resamples=5).intervals.keys() == {"AP", "AP50"}
