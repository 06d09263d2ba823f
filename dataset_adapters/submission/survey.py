"""Every mask of an archive looked at, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from dataset_adapters.problems import InputError
from dataset_adapters.processes import in_order
from dataset_adapters.submission.archive import Archive
from dataset_adapters.submission.faults import Finding
from dataset_adapters.submission.mask_checks import MaskInspection, inspect_mask
from dataset_adapters.submission.mask_reader import MaskError, MaskPixels, mask_bytes


@dataclass(frozen=True, slots=True)
class FrameMasks:
    """The masks that one list file names.

    Attributes:
        masks: their paths below the root.
        size: (height, width) of the frame, None where it is unknown.
        overlaps: they may share pixels.
    """

    masks: tuple[str, ...]
    size: tuple[int, int] | None
    overlaps: bool


def survey(
    archive: Archive, frames: Sequence[FrameMasks], workers: int | None = None
) -> Iterator[list[MaskInspection]]:
    """Inspect the masks of every frame, in order; the same for any number of workers.

    Args:
        archive: the submission.
        frames: what to look at.
        workers: processes; all cores if None.
    """
    return in_order(partial(inspect_frame, archive), frames, workers)


def inspect_frame(archive: Archive, frame: FrameMasks) -> list[MaskInspection]:
    """The inspection of each mask of a frame; one that meets earlier ones where it may not has a finding for that."""
    covered = None if frame.overlaps or frame.size is None else np.zeros(frame.size, np.bool_)
    inspections = []
    for mask in frame.masks:
        try:
            inspection, pixels = inspect_mask(mask_bytes(archive, mask, frame.size), frame.size)
        except MaskError as error:
            inspection, pixels = MaskInspection((error.finding,)), None
        except InputError as error:
            inspection, pixels = MaskInspection((Finding("member-broken", error.problem.found),)), None
        if covered is not None and pixels is not None and (shared := _cover(covered, pixels)):
            overlap = Finding("mask-overlap", f"{shared:,} pixels that other masks of the image have too")
            inspection = MaskInspection((*inspection.findings, overlap), inspection.cover)
        inspections.append(inspection)
    return inspections


def _cover(covered: np.ndarray[tuple[int, int], np.dtype[np.bool_]], pixels: MaskPixels) -> int:
    """Add a mask's pixels to those covered; how many were so already."""
    height, width = pixels.values.shape
    there = covered[pixels.top : pixels.top + height, pixels.left : pixels.left + width]
    mine = pixels.values != 0
    shared = int(np.count_nonzero(there & mine))
    there |= mine
    return shared
