"""COCO's polygons: outlines as lists of numbers x1, y1, x2, y2, ..., drawn as pycocotools draws them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from pycocotools import mask as coco_masks

from dataset_adapters import rle
from dataset_adapters.annotations.polygons import are_near

LONGEST_OUTLINE = 1_000_000
"""Pixels around all polygons of a mask, and corners, beyond which drawing takes memory without end."""
AT_A_TIME = 64
"""Polygons that are merged at a time: pycocotools copies what it has for every further one."""


def draw(polygons: Sequence[Sequence[float]], size: tuple[int, int]) -> rle.Rle:
    """The union of polygons as a mask of (height, width).

    Raises:
        ValueError: one lacks three corners, or lies or goes so far out that it is none of an image.
    """
    if not polygons or any(len(polygon) < 6 or len(polygon) % 2 for polygon in polygons):
        raise ValueError("a polygon without three corners")
    if not all(map(are_near, polygons)):
        raise ValueError("a corner that is no number or too far away")
    if sum(map(_length, polygons)) > LONGEST_OUTLINE:
        raise ValueError(f"outlines of more than {LONGEST_OUTLINE:,} pixels")
    masks = coco_masks.frPyObjects(list(polygons), *size)
    while len(masks) > 1:
        masks = [coco_masks.merge(masks[i : i + AT_A_TIME]) for i in range(0, len(masks), AT_A_TIME)]
    return cast(rle.Rle, masks[0])


def _length(polygon: Sequence[float]) -> float:
    """Pixels that a polygon goes through, and its corners."""
    corners = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
    return float(np.abs(corners - np.roll(corners, 1, axis=0)).max(axis=1).sum()) + len(corners)
