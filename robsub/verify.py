"""Verify: everything that is wrong with anybody's archive, before a server slot is spent."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tqdm import tqdm

from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.images import image_size
from dataset_adapters.problems import InputError
from dataset_adapters.submission.checks import Surveyed, VerifyReport, verify_submission
from dataset_adapters.submission.layout import SubmissionLayout
from robsub.coco_package import coco_ids
from robsub.evaluate import holds_coco_results
from robsub.verify_coco import verify_results


def verify(
    adapter: DatasetAdapter,
    path: Path,
    split: Split,
    *,
    image_list: Path | None = None,
    allow_missing: bool = False,
    strict: bool = False,
    workers: int | None = None,
) -> VerifyReport:
    """Check a native archive or directory, or COCO results where the server takes them, against its rules.

    Frames that are not on this disk are judged without their names and sizes.

    Args:
        adapter: the benchmark.
        path: the zip or directory.
        split: the split that it should hold.
        image_list: for COCO results, the annotation file that their ids are of, if it is not the benchmark's own ids.
        allow_missing: expect only the frames that are on this disk.
        strict: take warnings for errors.
        workers: processes that look at the masks; all cores if None. The report is the same for any number.

    Raises:
        InputError: the data set takes no submissions, nothing is at ``path``, or a list of ids is given for what is
            no COCO results.
    """
    layout = require_layout(adapter)
    frames = frames_on_disk(adapter, split)
    sizes = {frame.name: image_size(frame.image) for frame in frames}
    if adapter.coco_submission and holds_coco_results(path, adapter):
        ids = coco_ids(adapter, frames, image_list)
        return verify_results(path, adapter.coco_submission, adapter.labels, sizes, ids, strict=strict)
    if image_list:
        raise InputError(
            f"--image-list {image_list}", found="a list of ids beside text files and masks, which have none",
            expected="COCO results of WildDash 2", fix="Leave it out.",
        )  # fmt: skip
    expected = None if allow_missing else adapter.frames_expected(split)
    progress = partial(_progress, adapter.name)
    return verify_submission(
        path, layout, adapter.labels, sizes, expected, strict=strict, workers=workers, progress=progress
    )


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


def _progress(name: str, surveyed: Surveyed, total: int) -> Surveyed:
    yield from tqdm(surveyed, f"verify {name}", total, unit="image", disable=None)
