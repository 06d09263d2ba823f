"""What the block is for: a head learns from other RoIs what a RoI's own pixels do not tell."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robsub.model.nl_roi import NonLocalRoIBlock

CHANNELS, SIDE, BOXES = 8, 7, 5


def scenes(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Pooled RoIs of images with one lamp, first or second kind, and boxes that all look alike.

    Returns:
        (count * (1 + BOXES), D, 7, 7) features, the lamp first in each image, and (count,) the kind, which is the class
        of that image's boxes.
    """
    draw = torch.Generator().manual_seed(seed)
    kinds = torch.randint(2, (count,), generator=draw)
    rois = 0.2 * torch.randn(count, 1 + BOXES, CHANNELS, SIDE, SIDE, generator=draw)
    rois[:, 1:, 0] += 1
    rois[torch.arange(count), 0, 1 + kinds] += 1
    return rois.flatten(0, 1), kinds


def train(head: nn.Module, seed: int = 0) -> float:
    """Accuracy on new scenes, over the boxes, after a short training."""
    optimizer = torch.optim.AdamW(head.parameters(), lr=5e-3)
    for step in range(60):
        rois, kinds = scenes(16, seed=step)
        logits = head(rois).view(16, 1 + BOXES, 2)[:, 1:].flatten(0, 1)
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(logits, kinds.repeat_interleave(BOXES)))
        optimizer.step()
    rois, kinds = scenes(200, seed=10_000)
    with torch.no_grad():
        guess = head(rois).view(200, 1 + BOXES, 2)[:, 1:].argmax(dim=2)
    return float((guess == kinds[:, None]).float().mean())


class Head(nn.Module):
    """Two layers that judge each RoI, behind the block or not."""

    def __init__(self, block: NonLocalRoIBlock | None) -> None:
        super().__init__()
        self.block = block
        channels = CHANNELS + (8 if block else 0)
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(channels * SIDE**2, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, x: Tensor) -> Tensor:
        """(N, D, 7, 7), the RoIs of equally many a image, to class logits (N, 2)."""
        if self.block is not None:
            x = self.block(x, [1 + BOXES] * (len(x) // (1 + BOXES)))
        return self.layers(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize("make", [NonLocalRoIBlock, NonLocalRoIBlock.paper], ids=["default", "paper"])
def test_head_with_the_block_learns_the_context(make: Callable[..., NonLocalRoIBlock]) -> None:
    torch.manual_seed(0)
    assert train(Head(make(CHANNELS, 8, 8))) > 0.95


def test_head_without_it_guesses() -> None:
    torch.manual_seed(0)
    assert 0.35 < train(Head(None)) < 0.65
