"""COCO results: how images, categories and masks are found, and what is refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dataset_adapters.base import Frame
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import ROAD_LABELS
from dataset_adapters.problems import InputError
from dataset_adapters.rle import decode, encode
from robsub.coco_results import CocoResults

SIZE = (6, 9)
FRAMES = [
    Frame("frankfurt_000000_000294", Path("d/val/frankfurt/frankfurt_000000_000294_leftImg8bit.png"), None),
    Frame("scene0000_00_000000", Path("d/scene0000_00/color/000000.jpg"), None),
    Frame("scene0001_00_000000", Path("d/scene0001_00/color/000000.jpg"), None),
    Frame("000000000139", Path("d/val2017/000000000139.jpg"), None),
]
FIRST = FRAMES[0].name


def dense() -> NDArray[np.bool_]:
    mask = np.zeros(SIZE, dtype=np.bool_)
    mask[1:4, 2:7] = True
    return mask


COMPRESSED = {"size": list(SIZE), "counts": encode(dense())["counts"].decode()}


def detection(**changed: Any) -> dict[str, Any]:
    return {"image_id": FIRST, "category_id": 26, "segmentation": COMPRESSED, "score": 0.5} | changed


def results(path: Path, data: Any, **more: Any) -> CocoResults:
    file = path / "results.json"
    file.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return CocoResults(file, FRAMES, ROAD_LABELS, **more)


def only(source: CocoResults) -> Prediction:
    """The one prediction of the first frame."""
    predictions = source.predictions(FIRST, SIZE)
    assert predictions is not None and len(predictions) == 1
    return predictions[0]


@pytest.mark.parametrize(
    "name",
    [
        FIRST, "frankfurt/frankfurt_000000_000294_leftImg8bit.png", "frankfurt_000000_000294_leftImg8bit.png",
        "frankfurt_000000_000294_leftImg8bit", "/data/val/frankfurt/frankfurt_000000_000294_leftImg8bit.png",
    ],
)  # fmt: skip
def test_an_image_is_found_by_any_of_its_names(tmp_path: Path, name: str) -> None:
    assert set(results(tmp_path, [detection(image_id=name)]).frames()) == {FIRST}


def test_an_ambiguous_file_name_needs_its_folder(tmp_path: Path) -> None:
    named = results(tmp_path, [detection(image_id="scene0001_00/color/000000.jpg"), detection(image_id="000000.jpg")])
    assert set(named.frames()) == {"scene0001_00_000000", "000000.jpg"}


def test_a_number_is_found_in_a_list_or_as_the_whole_name(tmp_path: Path) -> None:
    assert set(results(tmp_path, [detection(image_id=139)]).frames()) == {"000000000139"}
    assert set(results(tmp_path, [detection(image_id=7)], image_names={7: FIRST}).frames()) == {FIRST}
    with pytest.raises(InputError, match=r"image_id 7, and no list.*--annotations"):
        results(tmp_path, [detection(image_id=7)])


def test_lists_in_the_file_or_beside_it_name_images_and_categories(tmp_path: Path) -> None:
    files = ("frankfurt_000000_000294_leftImg8bit.png", "köln.png")
    lists = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(files, start=1)],
        "categories": [{"id": 3, "name": "bus"}],
    }  # fmt: skip
    items = [detection(image_id=1, category_id=3), detection(image_id=9, category_id=3)]
    beside = tmp_path / "annotations.json"
    beside.write_text(json.dumps(lists))
    text = json.dumps({"info": {"a": ["]"]}, **lists, "annotations": items, "licenses": []}, ensure_ascii=False)
    for data, lists_at in ((text, None), (items, beside)):
        source = results(tmp_path, data, annotations=lists_at)
        assert set(source.frames()) == {FIRST, "köln.png", "image_id 9"}
        assert [p.label for p in source.predictions(FIRST, SIZE) or ()] == ["bus"]
        assert source.predictions("köln.png", SIZE) == []
        assert source.predictions("elsewhere", SIZE) is None


def test_an_id_of_a_list_may_be_text_and_is_no_number_then(tmp_path: Path) -> None:
    beside = tmp_path / "annotations.json"
    beside.write_text(json.dumps({"images": [{"id": "00_7", "file_name": FRAMES[0].image.name}]}))
    assert set(results(tmp_path, [detection(image_id="00_7")], annotations=beside).frames()) == {FIRST}
    assert set(results(tmp_path, [detection(image_id=7)], annotations=beside).frames()) == {FIRST, "image_id 7"}


@pytest.mark.parametrize(
    "lists", [[1, 2], {"images": [{"id": "x"}]}, {"images": [{"id": None, "file_name": "x"}]}, {"categories": 5}]
)
def test_lists_that_do_not_read_are_told_as_lists(tmp_path: Path, lists: Any) -> None:
    beside = tmp_path / "annotations.json"
    beside.write_text(json.dumps(lists))
    with pytest.raises(
        InputError, match=r"annotations\.json: found a list of images .* expected images with file_name"
    ):
        results(tmp_path, [detection()], annotations=beside)


@pytest.mark.parametrize(("category", "name"), [(26, "car"), ("car", "car"), ("sofa", "sofa"), (24, "person")])
def test_a_category_is_a_name_or_a_native_id(tmp_path: Path, category: int | str, name: str) -> None:
    found = only(results(tmp_path, [detection(category_id=category)]))
    assert found.label == name


def test_unknown_categories_are_counted(tmp_path: Path) -> None:
    items = [detection(category_id=99), detection(category_id=99), detection(category_id=77)]
    with pytest.raises(InputError, match=r"unknown category_id 99 \(2 detections\), 77 \(1 detections\)"):
        results(tmp_path, items)


@pytest.mark.parametrize(
    "segmentation",
    [
        COMPRESSED,
        {"size": list(SIZE), "counts": [13, 3, 3, 3, 3, 3, 3, 3, 3, 3, 14]},
        [[2, 1, 7, 1, 7, 4, 2, 4]],
        [[2, 1, 5, 1, 5, 4, 2, 4], [4, 1, 7, 1, 7, 4, 4, 4]],
    ],
    ids=["compressed", "uncompressed", "polygon", "two polygons"],
)
def test_every_kind_of_segmentation_is_the_same_mask(tmp_path: Path, segmentation: Any) -> None:
    found = only(results(tmp_path, [detection(segmentation=segmentation)]))
    assert (decode(found.rle) == dense()).all()
    assert found.box == (2, 1, 7, 4)


@pytest.mark.parametrize(
    ("segmentation", "found"),
    [
        ({"size": [9, 6], "counts": COMPRESSED["counts"]}, "a mask of 6 x 9 pixels"),
        ({"size": list(SIZE), "counts": "61"}, "runs that do not add up"),
        ({"size": list(SIZE), "counts": ""}, "runs that do not add up"),
        ({"size": list(SIZE), "counts": [13, 3]}, "runs that do not add up"),
        ({"size": list(SIZE), "counts": "0" * 400}, "a segmentation that is none .more runs than pixels"),
        ({"size": list(SIZE), "counts": [0] * 400 + [54]}, "a segmentation that is none .more runs than pixels"),
        ({"size": list(SIZE), "counts": [60, -6]}, "a segmentation that is none .a run out of range"),
        ({"size": list(SIZE), "counts": [13.5, 3.5, 37]}, "a segmentation that is none .a run out of range, or a fra"),
        ([[1, 2]], "a segmentation that is none .a polygon without three corners"),
        ([[1, 2, float("nan"), 4, 5, 6]], "a segmentation that is none .a corner"),
        ([[0, 0, 3e8, 0, 3e8, 3e8]], "a segmentation that is none .a corner that is no number or too far away"),
        ([[0, 0, 9e4, 0, 9e4, 9e4] * 10], "a segmentation that is none .outlines of more than 1,000,000 pixels"),
        ([[0, 0, 0, 0, 0, 0]] * 400_000, "a segmentation that is none .outlines of more than 1,000,000 pixels"),
        ([], "a segmentation that is none"),
        (None, "a segmentation that is none"),
        ([["a"]], "a segmentation that is none"),
    ],
)
def test_what_is_no_mask_is_refused_with_its_number(tmp_path: Path, segmentation: Any, found: str) -> None:
    source = results(tmp_path, [detection(), detection(segmentation=segmentation)])
    with pytest.raises(InputError, match=rf"results\.json: found {found}.*\(detection 2\)"):
        source.predictions(FIRST, SIZE)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("", "no COCO results"), ("[", "no COCO results"), ("{}", "no COCO results"),
        ("7", "the detections are no list"),
        ('[{"image_id": 1, "category_id": 26, "bbox": [1, 2, 3, 4], "score": 1}]', "detection 1 without segmentation"),
        (json.dumps([detection(), *(detection(score=s) for s in (float("nan"), "high", True))]), "3 of 4 scores"),
        (json.dumps([detection()])[:-40], "no COCO results"), ("[[]]", "detection 1 without image_id"),
        pytest.param("[" * 100_000, "no COCO results", id="deep"),
        (json.dumps([detection(score=10**400)]), "no COCO results .*too large"),
        (json.dumps([detection(image_id=float("inf"))]), "no COCO results .*infinity"),
        (json.dumps([detection(), detection(image_id=1.7)]), "the id 1.7, which is no whole .*after 1 detections"),
        ("\ufeff[]", "a byte order mark before the JSON"),
        ("{}", "an object without 'annotations'"),
    ],
)  # fmt: skip
def test_other_files_are_refused(tmp_path: Path, data: str, found: str) -> None:
    with pytest.raises(InputError, match=found):
        results(tmp_path, data)


ONE = json.dumps(detection())


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (f"[{ONE}][{ONE}]", f"more after the end of the JSON, from byte {len(ONE) + 2:,} on.*after 1 detections"),
        (f"[{ONE}] x", "more after the end"),
        (f"[{ONE} {ONE}]", f"'{{' at byte {len(ONE) + 2:,} where ',' or ']' belongs"),
        (f"[{ONE},{ONE},]", "Expecting value: line 1 .*after 2 detections"),
        (f"[{ONE},,{ONE}]", "Expecting value: line 1 .*after 1 detections"),
        (f"[,{ONE}]", "Expecting value: line 1 column 2"),
        (f"[{ONE}", f"the end at byte {len(ONE) + 1:,} where"),
        (f'{{"annotations": [{ONE}]', "the end at byte .* where ',' or '}' belongs"),
        (f'{{"annotations": [{ONE}]}} []', "more after the end"),
        (f'{{"annotations": [{ONE}] "info": 1}}', "'\"' at byte .* where ',' or '}' belongs"),
        (f'{{"annotations": [{ONE}], "annotations": []}}', "'annotations' twice"),
        (f'{{"annotations" [{ONE}]}}', "where ':' belongs"),
    ],
)
def test_what_is_no_json_as_a_whole_is_refused_with_its_place(tmp_path: Path, data: str, found: str) -> None:
    with pytest.raises(InputError, match=found):
        results(tmp_path, data)


def test_blanks_are_allowed_wherever_json_has_them(tmp_path: Path) -> None:
    assert only(results(tmp_path, f'\r\n {{ "info" : 1 , "annotations" :\t[ {ONE} ] }} \n')).label == "car"
    assert not results(tmp_path, " [ ] ").frames()


@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("category", ["Fußgänger", "FuÃ\x9fgÃ¤nger"])
def test_categories_keep_their_letters_in_either_coding(tmp_path: Path, category: str, escaped: bool) -> None:
    text = json.dumps([detection(category_id=category)], ensure_ascii=escaped)
    assert only(results(tmp_path, text)).label == category


@pytest.mark.parametrize(
    ("kind", "told"),
    [("categories", "category id 3 for 'bus' and for 'car'"), ("images", f"image id 3 for '{FIRST}' and for 'x.png'")],
)
def test_an_id_that_means_two_things_is_refused(tmp_path: Path, kind: str, told: str) -> None:
    names = {"categories": ("bus", "bus", "car"), "images": (FIRST, f"d/{FIRST}.png", "x.png")}[kind]
    listed = [{"id": 3, "name": name, "file_name": name} for name in names]
    assert results(tmp_path, {kind: listed[:2], "annotations": []}) is not None
    with pytest.raises(InputError, match=told):
        results(tmp_path, {kind: listed, "annotations": []})


def test_a_whole_number_may_be_written_as_a_fraction(tmp_path: Path) -> None:
    assert set(results(tmp_path, [detection(image_id=139.0)]).frames()) == {"000000000139"}
    with pytest.raises(InputError, match=r"the id 1\.5, which is no whole number"):
        results(tmp_path, {"categories": [{"id": 1.5, "name": "car"}], "annotations": []})


def test_the_order_of_the_file_is_kept_and_the_source_travels(tmp_path: Path) -> None:
    scores = [0.1, 0.9, 0.5]
    items = [detection(score=s) for s in scores] + [detection(image_id="000000000139", score=1)]
    source = pickle.loads(pickle.dumps(results(tmp_path, items[2:] + items[:2])))
    assert [p.score for p in source.predictions(FIRST, SIZE) or ()] == [0.5, 0.1, 0.9]


def test_masks_that_are_none_are_counted_in_their_image(tmp_path: Path) -> None:
    other = {"size": [3, 3], "counts": [9]}
    source = results(tmp_path, [detection(), detection(segmentation=other), detection(segmentation=other)])
    with pytest.raises(InputError, match=r"found a mask of 3 x 3 pixels \(detection 2\), the first of 2, expected"):
        source.predictions(FIRST, SIZE)
