"""Pasted RLE against sampling the whole image and pycocotools' own encoding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pycocotools import mask as coco
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection.roi_heads import paste_masks_in_image

from dataset_adapters.rle import Rle, area, encode
from robsub.model.paste import paste_to_rle

DRAW = torch.Generator().manual_seed(0)


def whole_image(prob: Tensor, box: Tensor, size: tuple[int, int], threshold: float) -> Rle:
    """detectron2's ``_do_paste_mask`` with ``skip_empty=False``, in double."""
    x1, y1, x2, y2 = box.double()
    y = (torch.arange(size[0], dtype=torch.float64) + 0.5 - y1) / (y2 - y1) * 2 - 1
    x = (torch.arange(size[1], dtype=torch.float64) + 0.5 - x1) / (x2 - x1) * 2 - 1
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=2)[None]
    sampled = F.grid_sample(prob.double()[None, None], grid, align_corners=False)[0, 0]
    return encode((sampled >= threshold).numpy())


def smooth_masks(count: int) -> Tensor:
    noise = torch.rand(count, 1, 34, 34, generator=DRAW)
    return (F.avg_pool2d(noise, 7, stride=1)[:, 0] * 4 - 1.5).clamp(0, 1)


def boxes_around(size: tuple[int, int], count: int, largest: float) -> Tensor:
    """Boxes of any size from a hundredth of a pixel, many of them reaching over the border."""
    height, width = size
    centre = torch.rand(count, 2, generator=DRAW) * torch.tensor([width, height]) * 1.2 - 0.1 * min(size)
    half = 10 ** (torch.rand(count, 2, generator=DRAW) * (np.log10(largest) + 2) - 2) / 2
    return torch.cat((centre - half, centre + half), dim=1)


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("size", [(48, 64), (1, 40), (33, 1), (120, 90)])
def test_byte_identical_to_the_whole_image(size: tuple[int, int], threshold: float) -> None:
    boxes, probs = boxes_around(size, 60, largest=300), smooth_masks(60)
    pasted = paste_to_rle(probs, boxes, size, threshold)
    expected = [whole_image(p, b, size, threshold) for p, b in zip(probs, boxes, strict=True)]
    assert pasted == expected


def test_masks_of_noise() -> None:
    """Many runs in every column, and masks that cover every pixel."""
    probs = torch.rand(20, 28, 28, generator=DRAW)
    boxes = torch.tensor([[-3.0, -3, 130, 90]]).repeat(20, 1) + torch.rand(20, 4, generator=DRAW)
    assert paste_to_rle(probs, boxes, (80, 120)) == [
        whole_image(p, b, (80, 120), 0.5) for p, b in zip(probs, boxes, strict=True)
    ]
    (full,) = paste_to_rle(torch.ones(1, 28, 28), torch.tensor([[-9.0, -9, 99, 99]]), (30, 40))
    assert full == encode(np.ones((30, 40), dtype=bool))


@pytest.mark.parametrize(
    "box", [(5, 5, 5, 9), (9, 9, 3, 3), (-20, 2, -8, 9), (70, 2, 80, 9), (3, 3, 3.01, 3.01), (np.nan,) * 4]
)
def test_boxes_without_a_pixel(box: tuple[float, ...]) -> None:
    (pasted,) = paste_to_rle(torch.ones(1, 28, 28), torch.tensor([box]), (30, 40))
    assert pasted == encode(np.zeros((30, 40), dtype=bool))


def test_no_masks() -> None:
    assert paste_to_rle(torch.zeros(0, 28, 28), torch.zeros(0, 4), (30, 40)) == []


def test_a_box_on_whole_pixels_is_filled() -> None:
    (pasted,) = paste_to_rle(torch.ones(1, 28, 28), torch.tensor([[10.0, 4, 20, 25]]), (30, 40))
    assert area(pasted) == 210
    assert coco.toBbox(pasted).tolist() == [10, 4, 10, 21]


def test_torchvision_makes_masks_larger() -> None:
    """Its paste cuts the box to whole pixels and adds one on each axis: of 10 x 21 pixels it makes 11 x 22."""
    box, size = torch.tensor([[10.4, 4.3, 20.4, 25.3]]), (30, 40)
    (pasted,) = paste_to_rle(torch.ones(1, 28, 28), box, size)
    assert coco.toBbox(pasted).tolist() == [10, 4, 10, 21]
    theirs = encode((paste_masks_in_image(torch.ones(1, 1, 28, 28), box, size)[0, 0] >= 0.5).numpy())
    assert coco.toBbox(theirs).tolist() == [10, 4, 11, 22]


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5])
def test_threshold_must_be_a_probability(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        paste_to_rle(torch.zeros(0, 28, 28), torch.zeros(0, 4), (30, 40), threshold)
