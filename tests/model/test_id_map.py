"""Mask targets and regions to ignore, sampled from an id map."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import roi_align

from robsub.model.id_map import IGNORE, mask_targets, mostly_ignored

DRAW = np.random.default_rng(0)


def test_targets_are_the_covered_share_of_each_cell() -> None:
    """Boxes whose cells are whole groups of pixels: the share is exact."""
    ids = torch.from_numpy(DRAW.integers(0, 3, (112, 112)))
    boxes = torch.tensor([[0.0, 0, 56, 56], [28, 56, 84, 112]])
    targets = mask_targets(ids, torch.tensor([1, 2]), boxes, 28)
    for target, value, (x1, y1, x2, y2) in zip(targets, (1, 2), boxes.int().tolist(), strict=True):
        crop = (ids[y1:y2, x1:x2] == value).float()
        assert torch.equal(target, crop.view(28, 2, 28, 2).mean(dim=(1, 3)))


def test_targets_are_aligned() -> None:
    """The centre of mass of a pasted-back ellipse stays where it is; unaligned RoIAlign moves it half a pixel."""
    y, x = torch.meshgrid(torch.arange(200.0), torch.arange(300.0), indexing="ij")
    ids = (((x + 0.5 - 150) / 70) ** 2 + ((y + 0.5 - 100) / 50) ** 2 < 1).int() * 7
    boxes = torch.from_numpy(DRAW.uniform((10, 10, 230, 160), (70, 40, 290, 190), (50, 4))).float()

    def off_centre(targets: Tensor) -> Tensor:
        shares = targets / targets.sum(dim=(1, 2), keepdim=True)
        cells = (torch.arange(28) + 0.5) / 28
        centre = torch.stack((shares.sum(dim=1) @ cells, shares.sum(dim=2) @ cells), dim=1)
        centre = boxes[:, :2] + centre * (boxes[:, 2:] - boxes[:, :2])
        return centre.mean(dim=0) - torch.tensor([150, 100])

    masks, rois = (ids == 7).float()[None, None], torch.cat((torch.zeros(50, 1), boxes), dim=1)
    aligned, shifted = (off_centre(roi_align(masks, rois, 28, aligned=kind)[:, 0]) for kind in (True, False))
    assert off_centre(mask_targets(ids, torch.full((50,), 7), boxes, 28)).abs().max() < 0.05
    assert aligned.abs().max() < 0.05
    assert shifted.abs().min() > 0.4


def test_an_object_is_whole_that_one_of_several_maps_shows_whole() -> None:
    ids = torch.zeros(2, 60, 60, dtype=torch.int16)
    ids[0, 10:50, 10:30], ids[0, 10:50, 20:50], ids[1, 10:50, 10:30] = 1, 2, 1
    boxes = torch.tensor([[10.0, 10, 30, 50], [20, 10, 50, 50], [0, 0, 60, 60]])
    targets = mask_targets(ids, torch.tensor([1, 2, 1]), boxes, 20)
    assert targets[:2].min() == 1
    assert torch.equal(targets[2], mask_targets(ids[1], torch.tensor([1]), boxes[2:], 20)[0])
    ids[0, :, 40:] = IGNORE
    assert mostly_ignored(ids, boxes).tolist() == mostly_ignored(ids[0], boxes).tolist()


def test_no_rois() -> None:
    empty = torch.zeros(0)
    assert mask_targets(torch.zeros(5, 5, dtype=torch.int16), empty, torch.zeros(0, 4), 28).shape == (0, 28, 28)


def test_mostly_ignored_counts_pixels() -> None:
    ids = torch.from_numpy(DRAW.choice([IGNORE, 0, 5], (40, 60), p=[0.7, 0.2, 0.1]).astype(np.int16))
    ids[:, :10], ids[:, 50:] = IGNORE, 0
    corner = DRAW.integers(0, 30, (200, 2))
    boxes = torch.from_numpy(np.concatenate((corner, corner + DRAW.integers(1, 30, (200, 2))), axis=1))
    shares = [(ids[y1:y2, x1:x2] == IGNORE).sum() / ((x2 - x1) * (y2 - y1)) for x1, y1, x2, y2 in boxes.tolist()]
    expected = torch.stack(shares) > 0.7
    assert 20 < expected.sum() < 180
    assert torch.equal(mostly_ignored(ids, boxes.float()), expected)


def test_beyond_the_map_is_not_ignored() -> None:
    ids = torch.full((10, 10), IGNORE)
    boxes = torch.tensor([[0.0, 0, 10, 10], [-10, 0, 10, 10], [0, 0, 10, 13], [20, 20, 30, 30]])
    assert mostly_ignored(ids, boxes).tolist() == [True, False, True, False]


def test_nothing_to_ignore() -> None:
    assert not mostly_ignored(torch.zeros(10, 10, dtype=torch.uint8), torch.tensor([[0.0, 0, 5, 5]])).any()
