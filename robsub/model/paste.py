"""From mask probabilities in boxes to COCO RLE, without a dense mask of the image's size."""

from __future__ import annotations

from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dataset_adapters.rle import Rle, empty, from_runs


def paste_to_rle(mask_probs: Tensor, boxes: Tensor, size: tuple[int, int], threshold: float = 0.5) -> list[Rle]:
    """Stretch each mask over its box and keep the pixels whose probability reaches the threshold.

    The probability at a pixel's centre is bilinear between the centres of the mask's cells, zero around the mask: what
    ``grid_sample`` gives over the whole image (detectron2's ``paste_masks_in_image`` without its integer crop), but for
    rounding where a probability meets the threshold: one pixel in 59 million in double precision.

    Args:
        mask_probs: (N, S, S) in [0, 1].
        boxes: (N, 4) XYXY in continuous pixels (pixel i covers [i, i + 1)); may reach over the border.
        size: (height, width) of the image.
        threshold: above 0, at most 1.

    Returns:
        One RLE of the image's size per mask; a box without area gives an empty one.

    Raises:
        ValueError: the threshold is not above 0 and at most 1.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"mask threshold {threshold}: the image around a box has probability 0, and 1 is the most")
    probs = mask_probs.detach().cpu().double().numpy()
    corners = boxes.detach().cpu().double().tolist()
    return [_paste(prob, box, size, threshold) for prob, box in zip(probs, corners, strict=True)]


def _paste(prob: NDArray[np.float64], box: list[float], size: tuple[int, int], threshold: float) -> Rle:
    x1, y1, x2, y2 = box
    if not (x2 > x1 and y2 > y1):
        return empty(size)
    top, rows = _interpolation(y1, y2, prob.shape[0], size[0])
    left, columns = _interpolation(x1, x2, prob.shape[1], size[1])
    mask = columns @ prob.T @ rows.T >= threshold  # (w, h): RLE counts down the columns
    return from_runs(_runs(mask, left, top, size), size)


def _interpolation(start: float, end: float, cells: int, length: int) -> tuple[int, NDArray[np.float64]]:
    """Bilinear weights along one axis, of the pixels that the mask can reach.

    Returns:
        The first of these pixels, and (pixels, cells) the weight of each cell at each pixel's centre.
    """
    cell = (end - start) / cells
    # A cell's weight falls to zero one cell away from its centre: half a cell beyond the box.
    first = max(0, ceil(start - cell / 2 - 0.5))
    last = min(length - 1, floor(end + cell / 2 - 0.5))
    position = (np.arange(first, last + 1) + 0.5 - start) / cell - 0.5
    return first, np.maximum(0, 1 - np.abs(position[:, None] - np.arange(cells)))


def _runs(mask: NDArray[np.bool_], left: int, top: int, size: tuple[int, int]) -> list[int]:
    """Run lengths of the whole image, column by column and background first, from a crop (w, h) of it."""
    height, width = size
    stride = mask.shape[1] + 1
    bordered = np.zeros(1 + mask.shape[0] * stride, dtype=bool)  # background before the crop and after each column
    bordered[1:].reshape(-1, stride)[:, :-1] = mask
    column, row = np.divmod(np.flatnonzero(bordered[1:] != bordered[:-1]), stride)
    edges = (left + column) * height + top + row
    # Where a run reaches the bottom and the next one starts at the top, its end is the other's start: one run.
    edges, times = np.unique(edges, return_counts=True)
    edges = edges[times == 1]
    ends = [] if len(edges) and edges[-1] == height * width else [height * width]
    runs: list[int] = np.diff(edges, prepend=0, append=ends).tolist()
    return runs
