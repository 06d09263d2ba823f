"""Paired comparison: the better detector is recognised, chance is not taken for more, and only like is compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataset_adapters.labels import ROAD_LABELS
from dataset_adapters.problems import InputError
from evaluators.protocol import KITTI, WILDDASH, Protocol, corrected
from robsub.compare import compare
from robsub.matches_file import MatchesHead, MatchesWriter
from tests.evaluators.scenes import matched, predicted, region

CAR, OFF, ELSEWHERE = (0, 0, 40, 25), (0, 0, 40, 18), (60, 0, 40, 25)


def head(protocol: Protocol = KITTI) -> MatchesHead:
    classes = tuple(label.name for label in ROAD_LABELS.evaluated)
    return MatchesHead("kitti", "val", protocol.name, protocol.digest(), classes, 40, "list", "p", {}, {"robsub": "0"})


def write(path: Path, quality: float, seed: int, frames: int = 40) -> Path:
    """A detector that places the car of a frame well with probability ``quality``, and badly else."""
    random = np.random.default_rng(seed)
    with MatchesWriter(path, head()) as writer:
        for number in range(frames):
            good = random.random() < quality
            predictions = [predicted("car", CAR if good else OFF, float(random.random()))]
            predictions += [predicted("car", ELSEWHERE, float(random.random()) / 2)]
            writer.add(matched(KITTI, [region("car", CAR)], predictions, f"{number:06}"))
    return path


def test_the_better_one_is_recognised(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a", 0.3, 1), write(tmp_path / "b", 0.9, 2)
    result = compare(a, b, resamples=200)
    change = result.metrics["AP"]
    assert change.low > 0 and change.is_clear and change.b_better == 1
    assert change.low < change.difference < change.high
    assert change.difference == pytest.approx(change.b - change.a)
    back = compare(b, a, resamples=200).metrics["AP"]
    assert (back.low, back.high) == pytest.approx((-change.high, -change.low))
    assert "B is better" in result.text() and "the same 40 images of 40\n" in result.text()


def test_chance_is_not_taken_for_more(tmp_path: Path) -> None:
    change = compare(write(tmp_path / "a", 0.5, 1), write(tmp_path / "b", 0.5, 2), resamples=200).metrics["AP"]
    assert not change.is_clear and 0 < change.b_better < 1


def test_a_detector_is_no_better_than_itself(tmp_path: Path) -> None:
    a = write(tmp_path / "a", 0.5, 1)
    change = compare(a, a, resamples=50).metrics["AP50"]
    assert (change.difference, change.low, change.high, change.b_better) == (0, 0, 0, 0.5)


def test_the_interval_is_the_same_every_time_and_is_json(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a", 0.3, 1), write(tmp_path / "b", 0.9, 2)
    first, second = (json.dumps(compare(a, b, resamples=50).to_json(), allow_nan=False) for _ in range(2))
    assert first == second
    assert json.loads(first)["metrics"]["AP"].keys() >= {"a", "b", "difference", "low", "high"}


def test_what_is_missing_or_strange_on_a_side_is_told(tmp_path: Path) -> None:
    for name, missing in (("a", False), ("b", True)):
        with MatchesWriter(tmp_path / name, replace(head(), notes=(f"made of {name}",))) as writer:
            writer.add(matched(KITTI, [region("car", CAR)], [predicted("road", CAR, 0.5)], "0"))
            writer.add(replace(matched(KITTI, [region("car", CAR)], [], "1"), missing=missing))
    result = compare(tmp_path / "a", tmp_path / "b", resamples=10)
    assert "protocol kitti, the same 2 images of 40; without predictions: 0 in A, 1 in B\n" in result.text()
    assert "note on A: made of a\nnote on A: 1 predictions of labels that are not evaluated" in result.text()
    data = result.to_json()
    assert (data["images"], data["images_expected"], data["images_missing"]) == (2, 40, {"A": 0, "B": 1})
    assert data["notes"]["B"][0] == "made of b"


NEGATIVES = {"0": ("negative",), "1": ("blur/none",), "2": ("negative",)}


@pytest.mark.parametrize("sets", [NEGATIVES, {}], ids=["known", "unknown"])
def test_neg_ap_is_compared_on_its_own_images(tmp_path: Path, sets: dict[str, tuple[str, ...]]) -> None:
    for name, box in (("a", ELSEWHERE), ("b", CAR)):
        with MatchesWriter(tmp_path / name, replace(head(WILDDASH), frame_sets=sets)) as writer:
            for frame in ("0", "2"):
                writer.add(matched(WILDDASH, [region("car", CAR)], [predicted("car", box, 0.5)], frame))
            writer.add(matched(WILDDASH, [region("car", CAR)], [], "1"))
    result = compare(tmp_path / "a", tmp_path / "b", resamples=10)
    differences = {name: change.difference for name, change in result.metrics.items()}
    assert differences == pytest.approx({"AP": 2 / 3, "AP50": 2 / 3} | ({"NegAP": 1.0} if sets else {}))
    note = "NegAP is the AP on frames with a visual hazard" if sets else "NegAP is absent"
    assert f"note on both: {note}" in result.text()


def test_a_metric_of_one_image_is_left_out_and_told(tmp_path: Path) -> None:
    with MatchesWriter(tmp_path / "a", replace(head(WILDDASH), frame_sets={"0": ("negative",)})) as writer:
        for frame in ("0", "1"):
            writer.add(matched(WILDDASH, [region("car", CAR)], [predicted("car", CAR, 0.5)], frame))
    result = compare(tmp_path / "a", tmp_path / "a", resamples=10)
    assert list(result.metrics) == ["AP", "AP50"]
    assert "note on both: NegAP is left out: its 1 images are too few to be drawn again." in result.text()


def test_one_image_says_nothing(tmp_path: Path) -> None:
    a, b = (write(tmp_path / name, 0.5, 1, frames=1) for name in "ab")
    with pytest.raises(InputError, match="found 1 images, expected two or more"):
        compare(a, b)


def test_what_is_not_the_servers_is_marked(tmp_path: Path) -> None:
    for name in "ab":
        with MatchesWriter(tmp_path / name, head(corrected(KITTI))) as writer:
            for frame in "01":
                writer.add(matched(corrected(KITTI), [region("car", CAR)], [predicted("car", CAR, 0.5)], frame))
    assert "note on both: Corrected protocol, not the server's" in compare(tmp_path / "a", tmp_path / "b", 5).text()


def test_other_images_are_not_compared(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="39 images where A has 40, first that only one has 000039"):
        compare(write(tmp_path / "a", 0.5, 1), write(tmp_path / "b", 0.5, 1, frames=39))


def test_other_objects_are_not_compared(tmp_path: Path) -> None:
    with MatchesWriter(tmp_path / "a", head()) as writer:
        writer.add(matched(KITTI, [region("car", CAR)], [], "0"))
    with MatchesWriter(tmp_path / "b", head()) as writer:
        writer.add(matched(KITTI, [region("bus", CAR)], [], "0"))
    with pytest.raises(InputError, match="other objects in the ground truth"):
        compare(tmp_path / "a", tmp_path / "b")


def test_other_files_are_not_compared(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("{}\n")
    with pytest.raises(InputError, match="b:1: found no matches"):
        compare(write(tmp_path / "a", 0.5, 1), tmp_path / "b")
    with pytest.raises(InputError, match="no such file"):
        compare(tmp_path / "a", tmp_path / "c")
