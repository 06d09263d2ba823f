"""From run-length masks straight to one map of ids, without a dense mask for any object.

A dense mask of 1024 x 2048 is 2 MB, which decoding writes and painting reads again; its runs are some hundred numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.rle import Rle, area
from dataset_adapters.run_lengths import run_lengths


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
    runs, begins = run_lengths([mask["counts"] for mask in masks])
    for own, value in zip(np.split(runs, begins[1:]), values, strict=True) if masks else ():
        edges = own.cumsum()
        if edges[-1] != canvas.size:
            raise ValueError(f"runs of {edges[-1]} pixels for a mask of {height} x {width}")
        for start, stop in zip(edges[:-1:2].tolist(), edges[1::2].tolist(), strict=False):
            canvas[start:stop] = value
    return canvas.reshape(width, height).T


def paint_hidden(masks: Sequence[Rle], ids: NDArray[np.int16]) -> list[NDArray[np.int16]]:
    """Further maps for masks that others hide: every mask is whole on one of them, or on ``ids`` already.

    Args:
        masks: all masks, which ``ids`` shows as 1, 2, ...
        ids: (H, W) what ``paint`` made of them.

    Returns:
        Maps like ``ids``, none where no mask shares a pixel with another.
    """
    maps: list[NDArray[np.int16]] = []
    hidden, top = list(range(1, len(masks) + 1)), ids
    while True:
        shown = np.bincount(np.maximum(top, 0).ravel(order="K"), minlength=len(masks) + 1)
        hidden = [value for value in hidden if shown[value] < area(masks[value - 1])]
        if not hidden:
            return maps
        top = paint([masks[value - 1] for value in hidden], hidden, (ids.shape[0], ids.shape[1]))
        maps.append(top)
