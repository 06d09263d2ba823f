"""COCO run-length masks: the only form in which a mask crosses a module border.

An RLE counts pixels in column-major order, background first (pycocotools ``maskApi.h``). A full 1024 x 2048 mask is
2 MB dense and some hundred bytes as RLE.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    return cast(Rle, coco.merge(list(rles))) if rles else empty(size)


def empty(size: tuple[int, int]) -> Rle:
    """A mask of (height, width) without a pixel."""
    return from_runs([size[0] * size[1]], size)


def from_runs(runs: Sequence[int], size: tuple[int, int]) -> Rle:
    """Compress run lengths in column-major order, background first; ``size`` is (height, width)."""
    height, width = size
    return cast(Rle, coco.frPyObjects({"size": [height, width], "counts": list(runs)}, height, width))


def box(rle: Rle) -> tuple[float, float, float, float]:
    """The tight box as (x1, y1, x2, y2) in pixels, exclusive at x2 and y2."""
    x, y, w, h = (float(v) for v in coco.toBbox(rle))
    return x, y, x + w, y + h


def intersections(rles: Sequence[Rle], regions: Sequence[Rle]) -> NDArray[np.int64]:
    """Common pixels of each mask with each region: (len(rles), len(regions)), exact counts."""
    if not rles or not regions:
        return np.zeros((len(rles), len(regions)), dtype=np.int64)
    # With iscrowd the C code divides by the first mask's own area: multiplied back, rounding gives the exact count.
    share = np.asarray(coco.iou(list(rles), list(regions), [1] * len(regions)), dtype=np.float64)
    areas = np.asarray(coco.area(list(rles)), dtype=np.float64)
    return np.rint(share * areas[:, None]).astype(np.int64)


def from_id_map(ids: NDArray[np.integer]) -> dict[int, Rle]:
    """One RLE for every value of a map of ids.

    Args:
        ids: (H, W) integers, e.g. a native instance map.

    Returns:
        value -> the mask of its pixels, in ascending order of the values. The masks are disjoint and cover the map.
    """
    height, width = ids.shape
    flat = ids.ravel(order="F")
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    ends = np.append(starts[1:], flat.size)
    values = flat[starts]
    order = np.argsort(values, kind="stable")
    bounds = np.flatnonzero(np.diff(values[order])) + 1
    masks = {}
    for group in np.split(order, bounds):
        # Within one value the runs keep their order: background up to a start, foreground up to its end.
        edges = np.empty(2 * len(group) + 2, dtype=np.int64)
        edges[0], edges[-1] = 0, flat.size
        edges[1:-1:2], edges[2:-1:2] = starts[group], ends[group]
        runs = np.diff(edges).tolist()
        masks[int(values[group[0]])] = from_runs(runs if runs[-1] else runs[:-1], (height, width))
    return masks
