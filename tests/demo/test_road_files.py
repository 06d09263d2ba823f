"""The files of Cityscapes, KITTI and WildDash, decoded here by hand: codings, bit depths, classes, distances."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from robsub.demo.canvas import MIN_VISIBLE
from robsub.demo.writers.wilddash import NEGATIVE_EVERY

ROAD_IDS = {24, 25, 26, 27, 28, 31, 32, 33}


def pixels(path: Path, mode: str) -> NDArray[np.int64]:
    with Image.open(path) as image:
        assert image.mode == mode, path
        return np.asarray(image).astype(np.int64)


def instances(path: Path, base: int) -> dict[int, NDArray[np.bool_]]:
    """Native id -> mask of everything told apart: ids whose instance number is set."""
    values = pixels(path, "I;16")
    numbered = values >= 1000 if base == 1000 else values % base > 0
    return {int(v): values == v for v in np.unique(values[numbered])}


def every_fifth(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    return [p for i, p in enumerate(paths) if i % 5 != 4], paths[4::5]


def splits(world: Path, name: str) -> tuple[list[Path], list[Path]]:
    """The instance maps of train and of val."""
    if name == "cityscapes":
        folders = (world / "cityscapes/gtFine" / split for split in ("train", "val"))
        train, val = (sorted(f.rglob("*_instanceIds.png")) for f in folders)
        return train, val
    folder = {"kitti": world / "kitti/training/instance", "wilddash": world / "wilddash/wd_val_01"}[name]
    return every_fifth(sorted(folder.glob("*_10.png" if name == "kitti" else "*_instanceIds.png")))


@pytest.mark.parametrize("name", ["cityscapes", "kitti", "wilddash"])
def test_classes_of_val_are_in_train_and_masks_are_large_enough(world: Path, name: str) -> None:
    base = 256 if name == "kitti" else 1000
    classes = []
    for paths in splits(world, name):
        masks = [(value // base, int(mask.sum())) for path in paths for value, mask in instances(path, base).items()]
        assert min(area for _, area in masks) >= MIN_VISIBLE - 16  # the borders of Cityscapes cut some off
        classes.append({label for label, _ in masks})
    train, val = classes
    assert train == ROAD_IDS
    assert val <= train


def test_cityscapes_labels_and_instances_agree(world: Path) -> None:
    paths = sorted((world / "cityscapes/gtFine").rglob("*_instanceIds.png"))
    for path in paths:
        labels = pixels(Path(str(path).replace("instanceIds", "labelIds")), "L")
        values = pixels(path, "I;16")
        np.testing.assert_array_equal(labels, np.where(values >= 1000, values // 1000, values))
        photo = str(path).replace("gtFine/", "leftImg8bit/").replace("gtFine_instanceIds", "leftImg8bit")
        assert pixels(Path(photo), "RGB").shape[:2] == labels.shape
        for label in ROAD_IDS:
            numbers = np.unique(values[(values // 1000) == label]) % 1000
            assert numbers.tolist() == list(range(len(numbers)))
    test = [path for path in paths if "/test/" in path.as_posix()]
    assert len(test) == 2
    assert {int(v) for path in test for v in np.unique(pixels(path, "I;16"))} == {0, 1, 2, 3}


def test_disparities_match_where_things_stand(world: Path) -> None:
    """An object's median depth is that of the level road at its lowest row, a second way to measure it."""
    ratios, depths = [], []
    for path in splits(world, "cityscapes")[0]:
        stem = str(path).replace("gtFine_instanceIds.png", "")
        disparity = pixels(Path(stem.replace("gtFine/", "disparity/") + "disparity.png"), "I;16")
        camera = json.loads(Path(stem.replace("gtFine/", "camera/") + "camera.json").read_text())
        focal, lens = camera["intrinsic"]["fx"], camera["extrinsic"]
        for value, mask in instances(path, 1000).items():
            p = disparity[mask & (disparity > 0)]
            lowest = int(np.flatnonzero(mask.any(axis=1)).max()) + 1
            if value // 1000 == 25 or not p.size or lowest > 0.9 * mask.shape[0]:
                continue  # riders do not stand; the bonnet hides feet
            depth = lens["baseline"] * focal / ((np.median(p) - 1) / 256)
            ratios.append(lens["z"] * focal / (lowest - camera["intrinsic"]["v0"]) / depth)
            depths.append(depth)
    assert len(ratios) > 20
    assert np.median(ratios) == pytest.approx(1, abs=0.05)
    assert np.mean(np.abs(np.log(ratios)) < 0.2) > 0.7  # the feet of the others are hidden
    assert min(depths) < 20
    assert max(depths) > 50


def test_some_objects_have_too_few_disparities_and_the_sky_has_none(world: Path) -> None:
    shares = []
    for path in splits(world, "cityscapes")[0]:
        disparity = pixels(
            Path(str(path).replace("gtFine/", "disparity/").replace("gtFine_instanceIds", "disparity")), "I;16"
        )
        assert not disparity[pixels(path, "I;16") == 23].any()
        shares += [np.mean(disparity[mask] > 0) for mask in instances(path, 1000).values()]
    assert 0 < np.mean(np.array(shares) < 0.5) < 0.25


def test_kitti_sizes_differ_and_both_annotations_agree(world: Path) -> None:
    sizes = set()
    for path in sorted((world / "kitti/training/instance").iterdir()):
        values, labels = pixels(path, "I;16"), pixels(path.parents[1] / "semantic" / path.name, "L")
        np.testing.assert_array_equal(values // 256, labels)
        sizes.add(pixels(path.parents[1] / "image_2" / path.name, "RGB").shape[:2])
        assert values.shape in sizes
    assert len(sizes) > 1


def test_wilddash_negatives_show_no_object_and_every_frame_has_its_conditions(world: Path) -> None:
    with (world / "wilddash/frame_sets.csv").open(newline="") as file:
        rows = {row["frame"]: row for row in csv.DictReader(file)}
    annotated = sorted((world / "wilddash/wd_val_01").glob("*_100000.png"))
    bench = sorted((world / "wilddash/wd_bench_01").iterdir())
    assert set(rows) == {path.stem for path in [*annotated, *bench]}
    negatives = [i for i, path in enumerate(annotated) if rows[path.stem]["negative"] == "1"]
    assert negatives == list(range(4, len(annotated), NEGATIVE_EVERY))
    for path in annotated:
        found = instances(path.with_name(f"{path.stem}_instanceIds.png"), 1000)
        assert rows[path.stem]["negative"] == "0" or not found
    hazards = [{k: v for k, v in r.items() if k not in ("frame", "negative")} for r in rows.values()]
    hit = [sum(v != "none" for v in h.values()) for h in hazards]
    assert set(hit) == {0, 1}
    assert 0.25 < np.mean(hit) < 0.6


def test_wilddash_polygons_outline_what_is_annotated(world: Path) -> None:
    for path in sorted((world / "wilddash/wd_val_01").glob("*_polygons.json"))[:6]:
        content = json.loads(path.read_text())
        values = pixels(Path(str(path).replace("polygons.json", "instanceIds.png")), "I;16")
        assert (content["imgHeight"], content["imgWidth"]) == values.shape
        cars = [item for item in content["objects"] if item["label"] == "car"]
        assert len(cars) == len(np.unique(values[values // 1000 == 26]))
        for item in content["objects"]:
            x, y = np.array(item["polygon"]).T
            assert x.min() >= 0 and y.min() >= 0
            assert x.max() < values.shape[1] and y.max() < values.shape[0]
