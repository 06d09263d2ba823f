"""The adapters on real photos and on the official fixtures, read a second way by plain NumPy."""

from __future__ import annotations

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


def test_void_is_what_the_official_cityscapes_code_takes_for_it(shared: Path) -> None:
    adapter = get_adapter("cityscapes", shared / "fixtures" / "cityscapes" / "dataset")
    ignored = [label.id for label in adapter.labels if label.void]
    for frame in adapter.frames("val"):
        ids = np.asarray(Image.open(frame.ground_truth))  # type: ignore[arg-type]
        assert (rle.decode(adapter.ground_truth(frame).void) == np.isin(ids, ignored)).all()
