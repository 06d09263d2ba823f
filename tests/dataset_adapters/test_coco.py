"""COCO: the real sample, mask by mask as pycocotools reads it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from pycocotools.coco import COCO

from dataset_adapters import rle
from dataset_adapters.base import DatasetAdapter, Split
from dataset_adapters.coco import Coco, as_rle
from dataset_adapters.problems import InputError
from dataset_adapters.registry import get_adapter
from robsub.datasets import take_inventory
from tests.dataset_adapters.layouts import photo, write_json

SPLITS: list[tuple[Split, int, int, int]] = [("train", 32, 288, 4), ("val", 6, 136, 1)]


@pytest.mark.parametrize(("split", "images", "objects", "crowds"), SPLITS)
def test_real_sample_is_what_pycocotools_reads(
    shared: Path, split: Split, images: int, objects: int, crowds: int
) -> None:
    adapter = Coco(shared / "realdata/tiny_coco")
    official = COCO(adapter.root / f"annotations/instances_{split}2017.json")
    frames = adapter.frames(split)
    assert len(frames) == images
    found = {s.native_id: s for frame in frames for s in adapter.ground_truth(frame).segments}
    assert len(found) == objects == len(official.anns)
    for number, segment in found.items():
        annotation = official.anns[number]
        assert segment.rle == official.annToRLE(annotation)
        assert (segment.label.id, segment.is_group) == (annotation["category_id"], bool(annotation["iscrowd"]))
    assert sum(s.is_group for s in found.values()) == crowds


def test_image_ids_of_results_lead_to_frames(shared: Path) -> None:
    adapter = Coco(shared / "realdata/tiny_coco")
    names = adapter.image_names("val")
    assert {name: int(name) for name in names.values()} == {name: number for number, name in names.items()}
    assert set(names.values()) == {frame.name for frame in adapter.frames("val")}


def test_the_table_is_cocos_own(shared: Path) -> None:
    official = COCO(shared / "realdata/tiny_coco/annotations/instances_val2017.json")
    assert {label.id: label.name for label in Coco.labels} == {c["id"]: c["name"] for c in official.cats.values()}
    assert len(Coco.labels.labels) == 80


NO_MASKS: list[object] = [
    None, [], [[1, 2]], [["a"] * 6], [[0, 0, math.nan, 0, 5, 5]], [[0, 0, 1e9, 0, 1e9, 1e9]],
    [[0, 0, 9e4, 0, 9e4, 9e4] * 10],
    {"size": [3, 3], "counts": "0"}, {"counts": "0"}, {"size": [6, 8], "counts": [-5, 53]},
    {"size": [6, 8], "counts": [3, 4]}, {"size": [6, 8], "counts": []}, {"size": [6, 8], "counts": [47.5, 0.5]},
    {"size": [6, 8], "counts": "zzzz}}}}"}, {"size": [6, 8], "counts": "34"}, {"size": [6, 8], "counts": "é"},
]  # fmt: skip


@pytest.mark.parametrize("segmentation", NO_MASKS, ids=str)
def test_what_is_no_mask_is_refused(segmentation: object) -> None:
    with pytest.raises(InputError, match="annotation 7 with no mask of 8 x 6"):
        as_rle(Path("a.json"), 7, segmentation, (6, 8))


def test_runs_that_add_up_are_a_mask_in_either_form() -> None:
    listed = as_rle(Path("a.json"), 7, {"size": [6, 8], "counts": [3, 4, 41]}, (6, 8))
    packed = as_rle(Path("a.json"), 7, {"size": [6, 8], "counts": listed["counts"].decode()}, (6, 8))
    assert listed == packed and rle.area(packed) == 4


def made(root: Path, **changes: object) -> DatasetAdapter:
    """Two photos with one car each; ``changes`` are made to the first."""
    item = {"image_id": 1, "id": 1, "category_id": 3, "iscrowd": 0, "segmentation": [[0, 0, 4, 0, 4, 4]]}
    names = {number: f"{number:012}.jpg" for number in (1, 2)}
    for name in names.values():
        photo(root / f"coco/val2017/{name}")
    write_json(root / "coco/annotations/instances_val2017.json", {
        "images": [{"id": i, "file_name": name, "height": 6, "width": 8} for i, name in names.items()],
        "annotations": [item | changes, item | {"image_id": 2, "id": 2}],
    })  # fmt: skip
    return get_adapter("coco", root)


@pytest.mark.parametrize(
    "changes", [{"category_id": "x"}, {"category_id": None}, {"id": "x"}, {"iscrowd": "x"}], ids=str
)
def test_a_broken_annotation_is_told_and_costs_one_frame(tmp_path: Path, changes: dict[str, object]) -> None:
    adapter = made(tmp_path, **changes)
    first, second = adapter.frames("val")
    with pytest.raises(
        InputError, match=f"an annotation with .*{next(iter(changes))} {next(iter(changes.values()))!r}"
    ):
        adapter.ground_truth(first)
    assert [s.native_id for s in adapter.ground_truth(second).instances] == [2]


def test_an_annotation_of_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no COCO annotations \(KeyError: 77\)"):
        made(tmp_path, image_id=77).frames("val")


def renamed(root: Path, name: str) -> DatasetAdapter:
    """The first photo under another name in the JSON."""
    adapter = made(root)
    file = root / "coco/annotations/instances_val2017.json"
    file.write_text(file.read_text().replace("000000000001.jpg", name))
    return adapter


@pytest.mark.parametrize("name", ["batch 1/000000000001.jpg", "./batch 1//000000000001.jpg"])
def test_photos_may_stand_in_folders(tmp_path: Path, name: str) -> None:
    adapter = renamed(tmp_path, name)
    photo(tmp_path / "coco/val2017/batch 1/000000000001.jpg")
    first, _ = adapter.frames("val")
    assert first.name == "000000000001"
    assert [s.native_id for s in adapter.ground_truth(first).instances] == [1]
    (inventory,) = (i for i in take_inventory(tmp_path, 1) if i.name == "coco")
    assert {p.code for p in inventory.problems} == {"frame-count", "photo-unlisted"}


@pytest.mark.parametrize("name", ["/000000000001.jpg", "../000000000001.jpg"])
def test_photos_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="which leads elsewhere"):
        renamed(tmp_path, name).frames("val")


def test_a_missing_split_is_told_with_its_own_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"annotations/image_info_test2017\.json and images/test2017/\*\.jpg"):
        made(tmp_path).frames("test")


def test_photos_that_the_json_does_not_list_are_told(tmp_path: Path) -> None:
    adapter = made(tmp_path)
    assert list(adapter.remarks()) == []
    stranger = photo(tmp_path / "coco/val2017/000000000099.jpg")
    (told,) = adapter.remarks()
    assert (told.code, told.file) == ("photo-unlisted", str(stranger))
    assert "1 photos that instances_val2017.json does not list" in told.found


def test_the_release_of_2014_has_its_own_counts(tmp_path: Path) -> None:
    adapter = made(tmp_path)
    file = tmp_path / "coco/annotations/instances_val2017.json"
    other = file.with_name("instances_val2014.json")
    other.write_text(file.read_text())
    assert [(p.code, p.file) for p in adapter.remarks()] == [("other-release", str(other))]
    assert adapter.frames_expected("val") == 5000
    file.unlink()
    assert (adapter.frames_expected("val"), len(adapter.frames("val"))) == (40504, 2)
