"""A sample: a tiny sound archive of each benchmark, to look at or to hold one's own against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset_adapters import rle
from dataset_adapters.base import DatasetAdapter
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.problems import InputError
from dataset_adapters.submission.checks import VerifyReport, verify_submission
from dataset_adapters.submission.writer import FramePacker, write_submission
from robsub.files import atomic_path
from robsub.verify import require_layout


@dataclass(frozen=True)
class SampleFrames:
    """Two test frames of a benchmark, of (height, width) ``size``."""

    names: tuple[str, str]
    size: tuple[int, int]


FRAMES = {
    "cityscapes": SampleFrames(("berlin_000000_000019", "berlin_000001_000019"), (1024, 2048)),
    "kitti": SampleFrames(("000000_10", "000001_10"), (375, 1242)),
    "wilddash": SampleFrames(("au0000_100000", "zm0003_100000"), (1080, 1920)),
    "scannet": SampleFrames(("scene0707_00_000000", "scene0707_00_000100"), (968, 1296)),
}


def write_sample(adapter: DatasetAdapter, out: Path) -> VerifyReport:
    """Write a benchmark's sample: a frame with one object of each evaluated class, and one without any.

    Args:
        adapter: the benchmark; nothing of it needs to be on the disk.
        out: the zip.

    Returns:
        what verification says of it.

    Raises:
        InputError: the data set takes no submissions.
    """
    layout, frames = require_layout(adapter), FRAMES[adapter.name]
    packer = FramePacker(layout, adapter.labels)
    names = [label.name for label in adapter.labels.evaluated]
    objects = [_object(name, i, len(names), frames.size) for i, name in enumerate(names)]
    with atomic_path(out) as temporary:
        write_submission(temporary, (packer.pack(*frame) for frame in zip(frames.names, (objects, []), strict=True)))
        if out.exists() and not _same(out, temporary):
            raise InputError(
                out, found="another file", expected="a free name, or the same sample",
                fix="Choose another name, or delete that file.",
            )  # fmt: skip
    return verify_submission(out, layout, adapter.labels, dict.fromkeys(frames.names, frames.size))


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and one.read_bytes() == other.read_bytes()


def _object(name: str, index: int, count: int, size: tuple[int, int]) -> Prediction:
    """A disk, one of ``count`` side by side, the less sure the farther to the right."""
    height, width = size
    rows, columns = np.ogrid[:height, :width]
    radius = width / count / 3
    inside = (rows - height / 2) ** 2 + (columns - (index + 0.5) * width / count) ** 2 < radius**2
    mask = rle.encode(inside)
    return Prediction(name, round(0.95 - 0.5 * index / count, 2), rle.box(mask), mask)
