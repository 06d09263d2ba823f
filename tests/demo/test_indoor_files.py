"""The files of ScanNet and ADE20K, decoded here by hand; ADE20K's against the official samples' conventions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from robsub.demo.canvas import MIN_VISIBLE
from robsub.demo.rooms import COMMON_PIECES, PIECES

SCANNET_IDS = {3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39}
COMMON_IDS = {4, 5, 6, 7, 8, 9, 10, 11, 3, 33}


def pixels(path: Path, mode: str) -> NDArray[np.int64]:
    with Image.open(path) as image:
        assert image.mode == mode, path
        return np.asarray(image).astype(np.int64)


def test_scannet_instances_and_labels_agree(world: Path) -> None:
    sizes = set()
    classes: dict[str, set[int]] = {"train": set(), "val": set()}
    for split, seen in classes.items():
        for scene in (world / f"scannet/scannetv2_{split}.txt").read_text().split():
            for path in sorted((world / "scannet/scannet_frames_25k" / scene / "instance").iterdir()):
                values, labels = pixels(path, "I;16"), pixels(path.parents[1] / "label" / path.name, "L")
                np.testing.assert_array_equal(values // 1000, labels)
                assert pixels(path.parents[1] / "color" / f"{path.stem}.jpg", "RGB").shape[:2] == values.shape
                sizes.add(values.shape)
                ids, counts = np.unique(values[values % 1000 > 0], return_counts=True)
                assert counts.min() >= MIN_VISIBLE
                seen |= {int(v) // 1000 for v in ids}
                assert {1, 2} <= set(labels.ravel().tolist())  # wall and floor, without a number
                assert set((values[np.isin(labels, [0, 1, 2])] % 1000).tolist()) == {0}
    assert sizes == {(96, 128), (120, 160)}
    assert classes["val"] <= classes["train"] & COMMON_IDS
    assert classes["train"] <= SCANNET_IDS
    assert classes["train"] - COMMON_IDS


def test_the_pieces_are_scannets_classes() -> None:
    assert len(PIECES) == len(SCANNET_IDS)
    assert len(COMMON_PIECES) == len(COMMON_IDS)


def read_annotations(world: Path) -> list[tuple[Path, dict[str, Any]]]:
    paths = sorted((world / "ade20k").rglob("ADE_*.json"))
    assert len(paths) == 8
    return [(path, json.loads(path.read_text())["annotation"]) for path in paths]


def decode_segmentation(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Class and blue value of every pixel, as the official ``utils_ade20k.py`` computes the class."""
    red, green, blue = np.moveaxis(pixels(path, "RGB"), -1, 0)
    assert not (red % 10).any()
    return red // 10 * 256 + green, blue


def test_ade20k_masks_lie_in_one_region_of_their_class(world: Path) -> None:
    occluded = 0
    for path, annotation in read_annotations(world):
        classes, blue = decode_segmentation(path.with_name(f"{path.stem}_seg.png"))
        height, width = annotation["imsize"][:2]
        assert (height, width) == classes.shape == pixels(path.with_suffix(".jpg"), "RGB").shape[:2]
        wholes = [item for item in annotation["object"] if item["parts"]["part_level"] == 0]
        levels = sorted(int(np.floor(k * 255 / len(wholes) + 0.5)) for k in range(1, len(wholes) + 1))
        assert sorted(set(blue[blue > 0].tolist())) == levels
        np.testing.assert_array_equal(blue == 0, classes == 0)
        for item in wholes:
            mask = pixels(path.parent / item["instance_mask"], "L")
            assert set(np.unique(mask).tolist()) <= {0, 128, 255}
            assert set(classes[mask == 255].tolist()) == {item["name_ndx"]}
            (region,) = set(blue[mask == 255].tolist())
            np.testing.assert_array_equal(blue == region, mask == 255)
            assert (item["occluded"] == "yes") == (mask == 128).any()
            occluded += int((mask == 128).any())
    assert occluded


def test_ade20k_parts_lie_on_their_whole(world: Path) -> None:
    names = set()
    for path, annotation in read_annotations(world):
        objects = annotation["object"]
        for item in objects:
            if item["parts"]["part_level"] == 0:
                continue
            whole = objects[item["parts"]["ispartof"]]
            parts = whole["parts"]["hasparts"]
            assert item["id"] in (parts if isinstance(parts, list) else [parts])
            own, all_of_it = (pixels(path.parent / o["instance_mask"], "L") == 255 for o in (item, whole))
            assert own.any()
            assert not (own & ~all_of_it).any()
            names.add((whole["name_ndx"], item["name"]))
    assert (401, "wheel") in names


def test_ade20k_rooms_and_streets_have_the_official_fields(world: Path, shared: Path) -> None:
    sample = next((shared / "realdata/ade20k/ade20k_2021").rglob("ADE_train_00016900.json"))
    official = json.loads(sample.read_text(encoding="latin-1"))["annotation"]
    official_names = {o["name_ndx"]: (o["name"], o["raw_name"]) for o in official["object"]}
    scenes = set()
    for path, annotation in read_annotations(world):
        assert set(annotation) == set(official)
        assert annotation["filename"] == f"{path.stem}.jpg"
        assert Path(annotation["folder"]) == path.parent.relative_to(world / "ade20k")
        scenes.add(annotation["scene"][0])
        for item in annotation["object"]:
            assert set(item) == set(official["object"][0])
            assert official_names.get(item["name_ndx"], (item["name"], ""))[0] == item["name"]
    assert scenes == {"outdoor", "indoor"}


@pytest.mark.parametrize("split", ["training", "validation"])
def test_ade20k_sizes_and_folders(world: Path, split: str) -> None:
    photos = list((world / "ade20k/ADE20K_2021_17_01/images/ADE" / split).glob("*/*/*.jpg"))
    assert len(photos) == {"training": 6, "validation": 2}[split]
    for photo in photos:
        assert photo.name.startswith({"training": "ADE_train_", "validation": "ADE_val_"}[split])
        assert (photo.parent / photo.stem).is_dir()
