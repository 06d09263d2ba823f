"""From run-length masks straight to one map of ids, without a dense mask for any object.

A dense mask of 1024 x 2048 is 2 MB, which decoding writes and painting reads again; its runs are some hundred numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.rle import Rle

FIRST, MORE, MINUS, BITS = 48, 32, 16, 31
"""The character of code 0; the bit that says that the number goes on, the one of its sign, and those of its value."""


def paint(masks: Sequence[Rle], values: Sequence[int], size: tuple[int, int]) -> NDArray[np.int16]:
    """Paint masks over each other on a map of zeros, the last one on top.

    Args:
        masks: COCO's compressed RLE, all of ``size``.
        values: what each mask's pixels get.
        size: (height, width).

    Returns:
        (H, W) in column-major order, as the runs are; turning it takes longer than painting it.

    Raises:
        ValueError: the runs of the masks do not add up to the size.
    """
    height, width = size
    canvas = np.zeros(height * width, dtype=np.int16)
    for runs, value in zip(run_lengths([mask["counts"] for mask in masks]), values, strict=True):
        edges = runs.cumsum()
        if edges[-1] != canvas.size:
            raise ValueError(f"runs of {edges[-1]} pixels for a mask of {height} x {width}")
        for start, stop in zip(edges[:-1:2].tolist(), edges[1::2].tolist(), strict=False):
            canvas[start:stop] = value
    return canvas.reshape(width, height).T


def run_lengths(counts: Sequence[bytes]) -> list[NDArray[np.int64]]:
    """The runs of several masks, each in column-major order, background first.

    Source of the coding: ``rleFrString`` in pycocotools ``maskApi.c``. Every character holds 5 bits, the lowest first,
    and whether more follow; from the fourth run of a mask on a run is the difference to the one before the last.
    """
    if not counts:
        return []
    codes = np.frombuffer(b"".join(counts), dtype=np.uint8).astype(np.int64) - FIRST
    last = np.flatnonzero(codes & MORE == 0)
    first = np.concatenate(([0], last[:-1] + 1))
    place = np.arange(codes.size) - np.repeat(first, last - first + 1)
    numbers = np.add.reduceat((codes & BITS) << 5 * place, first)
    numbers -= np.where(codes[last] & MINUS > 0, 1 << 5 * (last - first + 1), 0)
    begins = np.searchsorted(last, np.cumsum([len(text) for text in counts[:-1]]))
    masks = np.split(numbers, begins)
    for runs in masks:
        runs[1::2].cumsum(out=runs[1::2])
        runs[2::2].cumsum(out=runs[2::2])
    return masks
