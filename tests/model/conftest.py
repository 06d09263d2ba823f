"""A network small enough to train on one core, and scenes for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from robsub.recipe import ModelConfig

CLASSES = 3

Scene = tuple[Tensor, dict[str, Tensor]]


@pytest.fixture
def config() -> ModelConfig:
    return ModelConfig(
        block="basic",
        layers=(1, 1, 1, 1),
        width=16,
        stem_kernel=3,
        norm_groups=8,
        fpn_channels=32,
        anchor_sizes=(8, 16, 32, 64, 128),
        canonical_scale=56,
        box_convs=2,
        box_fc=256,
        mask_convs=2,
        nl_embedding=8,
        nl_g=8,
        rpn_pre_nms=(300, 300),
        rpn_post_nms=(200, 200),
        rpn_batch=128,
        roi_batch=32,
        min_size=96,
        max_size=192,
    )


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Repeatable weights and draws; more threads than free cores slow small networks down."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def scene(objects: int, size: tuple[int, int] = (96, 192), seed: int = 0) -> Scene:
    """An image of bright rectangles on dark noise and its target; class 1 is wide, class 2 tall."""
    draw = torch.Generator().manual_seed(seed)
    image = torch.rand(3, *size, generator=draw) * 0.3
    ids = torch.zeros(size, dtype=torch.int16)
    boxes, labels = [], []
    for number in range(objects):
        label = 1 + number % (CLASSES - 1)
        width, height = (40, 20) if label == 1 else (16, 44)
        x = int(number * size[1] / objects)
        y = int(torch.randint(0, size[0] - height, (1,), generator=draw))
        image[label, y : y + height, x : x + width] = 1
        ids[y : y + height, x : x + width] = 100 + number
        boxes.append((x, y, min(x + width, size[1]), y + height))
        labels.append(label)
    return image, {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor(labels, dtype=torch.int64),
        "ids": ids,
        "values": torch.arange(100, 100 + objects),
    }
