"""COCO: the real sample, mask by mask as pycocotools reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pycocotools.coco import COCO

from dataset_adapters.base import Split
from dataset_adapters.coco import Coco, as_rle
from dataset_adapters.problems import InputError

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


@pytest.mark.parametrize("segmentation", [None, [[1, 2]], {"size": [3, 3], "counts": "0"}, {"counts": "0"}])
def test_what_is_no_mask_is_refused(segmentation: object) -> None:
    with pytest.raises(InputError, match="no mask of 8 x 6"):
        as_rle(Path("a.json"), segmentation, (6, 8))
