"""COCO run-length masks: the only form in which a mask crosses a module border.

An RLE counts pixels in column-major order, background first (pycocotools ``maskApi.h``). A full 1024 x 2048 mask is
2 MB dense and some hundred bytes as RLE.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict, cast

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco


class Rle(TypedDict):
    """COCO's compressed RLE, as pycocotools takes it: ``size`` is [height, width], ``counts`` the encoded runs."""

    size: list[int]
    counts: bytes


def encode(mask: NDArray[np.bool_]) -> Rle:
    """Encode a dense (H, W) mask."""
    return cast(Rle, coco.encode(np.asfortranarray(mask, dtype=np.uint8)))


def decode(rle: Rle) -> NDArray[np.bool_]:
    """Decode to a dense (H, W) bool mask."""
    return cast("NDArray[np.uint8]", coco.decode(rle)).view(np.bool_)


def area(rle: Rle) -> int:
    """Number of pixels in the mask."""
    return int(coco.area(rle))


def union(rles: Sequence[Rle], size: tuple[int, int]) -> Rle:
    """The pixels that are in any of the masks; ``size`` (height, width) is that of an empty list's answer."""
    if len(rles) < 2:
        return rles[0] if rles else empty(size)
    return cast(Rle, coco.merge(list(rles)))


def empty(size: tuple[int, int]) -> Rle:
    """A mask of (height, width) without a pixel."""
    return from_runs([size[0] * size[1]], size)


def from_runs(runs: Sequence[int] | NDArray[np.integer], size: tuple[int, int]) -> Rle:
    """Compress run lengths in column-major order, background first; ``size`` is (height, width)."""
    height, width = size
    return cast(Rle, coco.frPyObjects({"size": [height, width], "counts": runs}, height, width))


def box(rle: Rle) -> tuple[float, float, float, float]:
    """The tight box as (x1, y1, x2, y2) in pixels, exclusive at x2 and y2."""
    x, y, w, h = (float(v) for v in coco.toBbox(rle))
    return x, y, x + w, y + h


def overlaps(rles: Sequence[Rle], regions: Sequence[Rle]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixels of N masks, and those that each shares with R regions of the same size: (N,) and (N, R), exact counts."""
    if not rles:
        return np.zeros(0, dtype=np.int64), np.zeros((0, len(regions)), dtype=np.int64)
    height, width = rles[0]["size"]
    image = from_runs([0, height * width], (height, width))
    # The IoU with the whole image is the mask's share of it; with iscrowd the C code divides by the mask's own area.
    # Multiplied back, rounding gives the exact counts.
    shares = np.asarray(coco.iou(list(rles), [image, *regions], [0] + [1] * len(regions)), dtype=np.float64)
    pixels = np.rint(shares[:, 0] * (height * width))
    return pixels.astype(np.int64), np.rint(shares[:, 1:] * pixels[:, None]).astype(np.int64)


def from_id_map(ids: NDArray[np.integer], wanted: Callable[[int], bool] | None = None) -> dict[int, Rle]:
    """One RLE for every value of a map of ids.

    Args:
        ids: (H, W) integers, e.g. a native instance map.
        wanted: which values to encode; None encodes all.

    Returns:
        value -> the mask of its pixels, in ascending order of the values. The masks are disjoint and cover the map
        where all values are wanted.
    """
    if not ids.size:
        return {}
    starts, values = _column_runs(ids)
    order = np.argsort(values, kind="stable")
    values = values[order]
    firsts = np.append(0, np.flatnonzero(values[1:] != values[:-1]) + 1)
    edges = np.stack((starts, np.append(starts[1:], ids.size)), axis=1)[order]
    # The masks one behind the other, as if they were one: its runs are cut where a mask ends.
    pages = ids.size * np.arange(len(firsts) + 1)
    edges += np.repeat(pages[:-1], np.diff(firsts, append=len(values)))[:, None]
    runs = np.diff(np.insert(edges.ravel(), np.append(2 * firsts, edges.size), pages))
    begins = 2 * firsts + np.arange(len(firsts))
    masks = {}
    for value, begin, end in zip(values[firsts].tolist(), begins, (*begins[1:], len(runs)), strict=True):
        if wanted is None or wanted(value):
            end -= runs[end - 1] == 0
            masks[value] = from_runs(runs[begin:end], (ids.shape[0], ids.shape[1]))
    return masks


def _column_runs(ids: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.integer]]:
    """Start of every run of equal values of a map with pixels in column-major order, and its value.

    Neighbours are compared where they lie in memory: turning a map of 1024 x 2048 into column-major order first takes
    longer than all the rest.
    """
    height, width = ids.shape
    row, column = np.divmod(np.flatnonzero(ids[1:] != ids[:-1]), width)
    tops = np.flatnonzero(ids[0, 1:] != ids[-1, :-1]) + 1
    row = np.concatenate((np.zeros(1 + len(tops), dtype=np.int64), row + 1))
    column = np.concatenate(([0], tops, column))
    # Rows ascend already. Integers of 16 bits are sorted by their digits, several times as fast as longer ones.
    order = np.argsort(column.astype(np.min_scalar_type(width)), kind="stable")
    row, column = row[order], column[order]
    return column * height + row, ids[row, column]
