"""Where Detectron's anchors and pooled cells lie, against its own construction written with NumPy."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import RoIAlign

from robsub.config import load_recipe
from robsub.model.backbone import STRIDES
from robsub.model.roi_pool import PyramidRoIAlign
from robsub.model.rpn import DetectronAnchors, build_rpn
from robsub.model.transform import InputTransform

SETTINGS = load_recipe("detectron").model
SIZES = (32, 64, 128, 256, 512)


def inclusive_anchors(stride: int, size: int) -> NDArray[np.float64]:
    """(3, 4) of a cell, corners included in the box: a square window of a stride's side, its ratios, then its scale."""
    middle = (stride - 1) / 2
    anchors = []
    for ratio in (0.5, 1, 2):
        width = np.round(np.sqrt(stride * stride / ratio))
        height = np.round(width * ratio)
        half = np.array([width, height]) * size / stride / 2 - 0.5
        anchors.append(np.concatenate((middle - half, middle + half)))
    return np.array(anchors)


def test_anchors_are_detectrons() -> None:
    """The table in the head of Detectron's ``generate_anchors.py``: inclusive, stride 16, pixels counted from 1."""
    official = [
        [-83, -39, 100, 56], [-175, -87, 192, 104], [-359, -183, 376, 200], [-55, -55, 72, 72], [-119, -119, 136, 136],
        [-247, -247, 264, 264], [-35, -79, 52, 96], [-79, -167, 96, 184], [-167, -343, 184, 360],
    ]  # fmt: skip
    made = [DetectronAnchors((*((8,),) * 2, (size,), *((8,),) * 2), ((0.5, 1.0, 2.0),) * 5) for size in (128, 256, 512)]
    ours = torch.stack([anchors.cell_anchors[2] for anchors in made], dim=1).flatten(0, 1)
    assert (ours - torch.tensor([0, 0, 1, 1]) + 1).tolist() == official
    window = np.stack([inclusive_anchors(16, size) for size in (128, 256, 512)], axis=1).reshape(-1, 4)
    assert (window + 1).tolist() == official


def test_anchors_of_all_five_levels_lie_on_detectrons_grid() -> None:
    height, width = 128, 192
    features = [torch.zeros(1, 1, math.ceil(height / stride), math.ceil(width / stride)) for stride in STRIDES]
    images = ImageList(torch.zeros(1, 3, height, width), [(height, width)])
    (anchors,) = build_rpn(SETTINGS).anchor_generator(images, features)
    expected = [
        inclusive_anchors(stride, size) + np.array([x, y, x, y]) * stride + np.array([0, 0, 1, 1])
        for stride, size, feature in zip(STRIDES, SIZES, features, strict=True)
        for y in range(feature.shape[2])
        for x in range(feature.shape[3])
    ]
    np.testing.assert_allclose(anchors.numpy(), np.concatenate(expected), rtol=0, atol=1e-4)


def test_pooled_cells_are_detectrons() -> None:
    """On a ramp a cell's value is its place: Detectron's cells divide the box from corner to corner, unshifted."""
    ramp = {level: torch.arange(64.0).expand(1, 1, 64, 64) for level in "0123"}
    roi = torch.tensor([[8.0, 8, 65, 65]])  # from pixel 8 to pixel 64, both included, 57 pixels: P2
    for shortened, last in ((1.0, 64), (0.0, 65)):
        pooled = PyramidRoIAlign(7, 224, shortened)(ramp, [roi], [(256, 256)])
        centres = (8 + (torch.arange(7) + 0.5) / 7 * (last - 8)) / 4
        torch.testing.assert_close(pooled[0, 0, 3], centres)


def inclusive_boxes(count: int) -> Tensor:
    """Boxes of 5 to 660 pixels, corners included."""
    corner = torch.rand(count, 2) * torch.tensor([700.0, 500.0])
    return torch.cat((corner, corner + torch.exp(1.5 + 5 * torch.rand(count, 2))), dim=1)


@pytest.mark.parametrize("side", [7, 14])
def test_boxes_of_all_sizes_are_pooled_from_detectrons_levels(side: int) -> None:
    """Two images' boxes of mixed sizes against torchvision's plain RoIAlign on the level that Detectron chooses."""
    features = {str(i): torch.randn(2, 4, 200 // 2**i, 336 // 2**i) for i in range(4)}
    boxes = [inclusive_boxes(200), inclusive_boxes(100)]
    pooled = PyramidRoIAlign(side, 224, 1.0)(features, [b + torch.tensor([0, 0, 1, 1]) for b in boxes], [(800, 1344)])
    width, height = (torch.cat(boxes)[:, 2:] - torch.cat(boxes)[:, :2] + 1).T
    levels = torch.floor(4 + torch.log2(torch.sqrt(width * height) / 224 + 1e-6)).clamp(2, 5).long()
    assert (levels.bincount(minlength=6)[2:] > 5).all()
    rois = torch.cat([torch.cat((torch.full((len(b), 1), i), b), dim=1) for i, b in enumerate(boxes)])
    for level in range(2, 6):
        plain = RoIAlign(side, 1 / 2**level, sampling_ratio=2, aligned=False)(features[str(level - 2)], rois)
        torch.testing.assert_close(pooled[levels == level], plain[levels == level], rtol=0, atol=1e-4)


def test_level_counts_the_last_pixel() -> None:
    big = PyramidRoIAlign(7, 224, 1.0).map_levels([torch.tensor([[0.0, 0, 223, 223], [0, 0, 222, 222]])])
    assert big.tolist() == [2, 1]  # 224 pixels wide with the last one


def test_input_is_bytes_less_detectrons_mean() -> None:
    image = torch.randint(256, (3, 100, 150), dtype=torch.uint8)
    batch = InputTransform(replace(SETTINGS, min_size=100))([image]).tensors[0, :, :100, :150]
    expected = image.float() - torch.tensor([122.7717, 115.9465, 102.9801])[:, None, None]
    torch.testing.assert_close(batch, expected, rtol=0, atol=1e-3)
