"""Verify: everything that is wrong with anybody's archive, before a server slot is spent."""

from __future__ import annotations

from pathlib import Path

from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.images import image_size
from dataset_adapters.problems import InputError
from dataset_adapters.submission import SubmissionLayout
from dataset_adapters.submission_checks import VerifyReport, verify_submission


def verify(adapter: DatasetAdapter, path: Path, split: Split) -> VerifyReport:
    """Check a native archive or directory against its benchmark's rules and the split's images.

    Without the images on disk the checks that need their names and sizes are skipped.

    Raises:
        InputError: the data set takes no submissions, or ``path`` is no archive.
    """
    layout = require_layout(adapter)
    frames = frames_on_disk(adapter, split)
    sizes = {frame.name: image_size(frame.image) for frame in frames}
    return verify_submission(path, layout, adapter.labels, sizes)


def require_layout(adapter: DatasetAdapter) -> SubmissionLayout:
    """The benchmark's native layout.

    Raises:
        InputError: the data set takes no submissions.
    """
    if adapter.submission is None:
        raise InputError(
            adapter.root, found=f"{adapter.title}, which takes no submissions", expected="a benchmark with a server",
            fix="Choose cityscapes, kitti, wilddash or scannet with --benchmark.",
        )  # fmt: skip
    return adapter.submission


def frames_on_disk(adapter: DatasetAdapter, split: Split) -> list[Frame]:
    """The split's frames, none if the data set is not on this disk."""
    return adapter.frames(split) if adapter.root.is_dir() else []
