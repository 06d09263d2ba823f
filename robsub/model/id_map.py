"""One map of ids instead of a stack of masks: mask targets and regions to ignore are sampled from it.

The benchmarks' objects do not overlap, so one (H, W) map holds what torchvision keeps as (n, H, W): at 1024 x 2048
with 59 objects 4 MB instead of 124 MB, and no mask is ever resized. Where objects do overlap, as COCO's, further maps
show those that the first hides in part.
"""

from __future__ import annotations

import torch
from torch import Tensor

IGNORE = -1
"""Id of pixels that are neither object nor background: void, groups of objects."""
IGNORED_SHARE = 0.7
"""Share of a box in the region to ignore from which it is no background (Detectron's TRAIN.CROWD_FILTER_THRESH)."""
SAMPLES = 2
"""Points per mask cell along each side."""


def mask_targets(ids: Tensor, values: Tensor, boxes: Tensor, side: int) -> Tensor:
    """The share of each cell of each RoI that its object covers.

    Args:
        ids: (H, W) integer map, or (L, H, W) maps, on one of which at least an object is whole.
        values: (N,) the id of each RoI's object, the same on all maps.
        boxes: (N, 4) the RoIs, XYXY in continuous pixels of the map (pixel i covers [i, i + 1)).
        side: cells along one side.

    Returns:
        (N, side, side) float32: 0, 0.25, 0.5, 0.75 or 1, from 2 x 2 points a cell.
    """
    points = side * SAMPLES
    grid = (torch.arange(points, device=boxes.device) + 0.5) / points  # (P,)
    x1, y1, x2, y2 = boxes.unsqueeze(2).unbind(1)  # each (N, 1)
    columns = (x1 + grid * (x2 - x1)).long().clamp(0, ids.shape[-1] - 1)  # (N, P)
    rows = (y1 + grid * (y2 - y1)).long().clamp(0, ids.shape[-2] - 1)  # (N, P)
    sampled = ids[..., rows[:, :, None], columns[:, None, :]]  # (N, P, P) or (L, N, P, P)
    covered = sampled == values[:, None, None]
    covered = covered if ids.dim() == 2 else covered.any(dim=0)
    return covered.float().view(-1, side, SAMPLES, side, SAMPLES).mean(dim=(2, 4))


def mostly_ignored(ids: Tensor, boxes: Tensor) -> Tensor:
    """Whether the region to ignore covers most of a box.

    Args:
        ids: (H, W) integer map, or (L, H, W) maps, of which the first has the region.
        boxes: (N, 4) XYXY in continuous pixels of the map; parts beyond the map count as not ignored.

    Returns:
        (N,) bool.
    """
    ignored = (ids if ids.dim() == 2 else ids[0]) == IGNORE
    if not ignored.any():
        return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    height, width = ignored.shape
    sums = torch.zeros(height + 1, width + 1, dtype=torch.int32, device=boxes.device)
    sums[1:, 1:] = ignored.cumsum(0, dtype=torch.int32).cumsum(1, dtype=torch.int32)
    x1, x2 = boxes[:, 0::2].round().long().clamp(0, width).unbind(1)
    y1, y2 = boxes[:, 1::2].round().long().clamp(0, height).unbind(1)
    inside = sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1]
    return inside > IGNORED_SHARE * (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
