"""The adapters on real photos and on the official fixtures, read a second way by plain NumPy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset_adapters import rle
from dataset_adapters.registry import get_adapter

FIXTURES = [("cityscapes", "val", 15, 1000), ("kitti", "trainval", 12, 256), ("scannet", "val", 12, 1000)]


def test_real_kitti_has_5_photos_with_80_instances(shared: Path) -> None:
    adapter = get_adapter("kitti", shared / "realdata")
    frames = adapter.frames("trainval")
    assert [frame.name for frame in frames] == [f"{i:06}_10" for i in range(5)]
    assert sum(len(adapter.ground_truth(frame).instances) for frame in frames) == 80
    assert len(adapter.frames("test")) == 5
    assert adapter.frames_expected("trainval") == adapter.frames_expected("test") == 200
    assert [frame.name for frame in adapter.frames("val")] == ["000004_10"]
    assert len(adapter.frames("train")) == 4


def test_real_ade20k_masks_are_the_visible_pixels_of_whole_mapped_objects(shared: Path) -> None:
    adapter = get_adapter("ade20k", shared / "realdata")
    frames = adapter.frames("train")
    assert len(frames) == 3
    found = 0
    for frame in frames:
        seg = np.asarray(Image.open(frame.image.with_name(f"{frame.name}_seg.png"))).astype(int)
        classes = seg[..., 0] // 10 * 256 + seg[..., 1]
        truth = adapter.ground_truth(frame)
        found += len(truth.instances)
        for segment in truth.instances:
            assert (classes[rle.decode(segment.rle)] == segment.label.id).all()
    objects = [o for f in frames for o in json.loads(f.ground_truth.read_text("latin-1"))["annotation"]["object"]]  # type: ignore[union-attr]
    mapped = [o for o in objects if o["name_ndx"] in adapter.labels.by_id and o["parts"]["part_level"] == 0]
    assert found == len(mapped) == 43


@pytest.mark.parametrize(("name", "split", "count", "divisor"), FIXTURES)
def test_segments_are_the_regions_of_the_native_map(
    shared: Path, name: str, split: str, count: int, divisor: int
) -> None:
    adapter = get_adapter(name, shared / "fixtures" / name / "dataset")
    frames = adapter.frames(split)  # type: ignore[arg-type]
    assert len(frames) == count
    for frame in frames:
        ids = np.asarray(Image.open(frame.ground_truth))  # type: ignore[arg-type]
        segments = adapter.ground_truth(frame).segments
        for segment in segments:
            assert (rle.decode(segment.rle) == (ids == segment.native_id)).all()
            assert segment.pixels == np.count_nonzero(ids == segment.native_id)
            assert segment.label.id in (segment.native_id, segment.native_id // divisor)
        evaluated = {label.id for label in adapter.labels.evaluated}
        numbered = {int(v) for v in np.unique(ids) if v // divisor in evaluated and v % divisor}
        assert numbered <= {segment.native_id for segment in segments}


def test_cityscapes_distances_are_medians_of_the_valid_disparities(shared: Path) -> None:
    adapter = get_adapter("cityscapes", shared / "fixtures" / "cityscapes" / "dataset")
    for frame in adapter.frames("val"):
        stem = f"val/{frame.image.parent.name}/{frame.name}"
        disparity = np.asarray(Image.open(adapter.root / "disparity" / f"{stem}_disparity.png")).astype(float)
        camera = json.loads((adapter.root / "camera" / f"{stem}_camera.json").read_text())
        for segment in adapter.ground_truth(frame).segments:
            values = disparity[rle.decode(segment.rle)]
            valid = values[values > 0]
            assert segment.stereo_density == len(valid) / len(values)
            depths = camera["extrinsic"]["baseline"] * camera["intrinsic"]["fx"] / ((valid - 1) / 256)
            assert segment.distance_m == pytest.approx(np.median(depths) if len(valid) else -1, rel=1e-12)
