"""The Non-Local RoI block against the paper's equations, written as loops."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from robsub.model.nl_roi import NonLocalRoIBlock
from robsub.model.roi_heads import build_roi_heads
from robsub.recipe import InferenceConfig, ModelConfig

D, D_F, D_G, SIDE = 12, 5, 6, 7


def block(scale: float = 1.0) -> NonLocalRoIBlock:
    torch.manual_seed(0)
    made = NonLocalRoIBlock(D, D_F, D_G, scale)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made


def rois(count: int, seed: int = 1) -> Tensor:
    return torch.randn(count, D, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scale", [1.0, (D_F * SIDE**2) ** -0.5])
def test_block_is_the_papers_equations(scale: float) -> None:
    made, x = block(scale), rois(4)
    with torch.no_grad():
        q, k, v = (part(x).double().numpy() for part in (made.phi, made.psi, made.g))
        y = made(x)
    for i in range(4):
        logits = [scale * float((q[i] * k[j]).sum()) for j in range(4)]
        weights = [math.exp(value - max(logits)) for value in logits]
        summary = sum(w * v[j] for j, w in enumerate(weights)) / sum(weights)  # the product first, pooled afterwards
        expected = torch.from_numpy(summary.mean(axis=(1, 2)))
        torch.testing.assert_close(y[i, D:, 3, 2].double(), expected, rtol=0, atol=1e-6)
    assert torch.equal(y[:, :D], x)
    assert torch.equal(y[:, D:], y[:, D:, :1, :1].expand(-1, -1, SIDE, SIDE))


def test_images_do_not_see_each_other() -> None:
    made, x = block(), rois(9)
    together = made(x, [4, 0, 5])
    torch.testing.assert_close(together, torch.cat((made(x[:4]), made(x[4:]))), rtol=0, atol=1e-6)
    assert not torch.allclose(together[:, D:], made(x)[:, D:], atol=1e-3)


def test_order_of_rois_does_not_matter() -> None:
    made, x = block(), rois(6)
    order = torch.randperm(6)
    torch.testing.assert_close(made(x[order]), made(x)[order], rtol=0, atol=1e-5)


def test_one_roi_looks_at_itself() -> None:
    made, x = block(), rois(1)
    torch.testing.assert_close(made(x)[0, D:, 0, 0], made.g(x).mean(dim=(2, 3))[0])


@pytest.mark.parametrize("counts", [[0], [1], [0, 0], [2, 0, 1]])
def test_every_parameter_gets_a_gradient(counts: list[int]) -> None:
    made, x = block(), rois(sum(counts)).requires_grad_()
    y = made(x, counts)
    assert y.shape == (sum(counts), D + D_G, SIDE, SIDE)
    y.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())


def test_attention_rows_sum_to_one() -> None:
    attention = block().attention(rois(5), [2, 3])
    assert [a.shape for a in attention] == [(2, 2), (3, 3)]
    for a in attention:
        torch.testing.assert_close(a.sum(1), torch.ones(len(a)))


def test_attention_is_float32_under_autocast() -> None:
    made, x = block(), rois(5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (attention,), y = made.attention(x), made(x)
    assert attention.dtype == torch.float32
    assert y.dtype == x.dtype
    torch.testing.assert_close(attention, made.attention(x)[0], atol=0.1, rtol=0)


def test_double_precision_stays_double() -> None:
    made, x = block().double(), rois(6).double()
    with torch.no_grad():
        q, k = made.phi(x).flatten(1), made.psi(x).flatten(1)
        expected = torch.softmax(q @ k.T, dim=1) @ made.g(x).mean(dim=(2, 3))
        torch.testing.assert_close(made(x)[:, D:, 0, 0], expected, rtol=0, atol=1e-12)


def test_shapes_are_known_without_numbers() -> None:
    with torch.device("meta"):
        made = NonLocalRoIBlock(D, D_F, D_G)
    assert made(torch.zeros(4, D, 5, 3, device="meta"), [1, 3]).shape == (4, D + D_G, 5, 3)


@pytest.mark.parametrize("counts", [[4, 4], [4, 6], [-1, 10], []])
def test_wrong_counts_are_named(counts: list[int]) -> None:
    with pytest.raises(ValueError, match=rf"{re.escape(str(counts))} is no list of counts that add up to the 9 RoIs"):
        block()(rois(9), counts)


@pytest.mark.parametrize("counts", [None, [], [0], [0, 0]])
def test_no_rois_of_any_number_of_images(counts: list[int] | None) -> None:
    assert block()(rois(9)[:0], counts).shape == (0, D + D_G, 7, 7)


def test_scale_is_read_in_every_pass() -> None:
    made, x = NonLocalRoIBlock(D, D_F, D_G), rois(6)
    assert made.scale == (D_F * 7 * 7) ** -0.5
    q, k = made.phi(x).flatten(1), made.psi(x).flatten(1)
    for scale in (1.0, 0.3):
        made.scale = scale
        torch.testing.assert_close(made.attention(x)[0], torch.softmax(scale * q @ k.T, dim=1))


@pytest.mark.parametrize("side", [7, 14])
@pytest.mark.parametrize("make", [NonLocalRoIBlock, NonLocalRoIBlock.paper], ids=["default", "paper"])
def test_start_does_not_saturate(make: Callable[..., NonLocalRoIBlock], side: int) -> None:
    """The effective number of RoIs, exp(entropy), stays far from 1 on features of unit size."""
    x = torch.randn(64, 256, side, side).relu()
    with torch.no_grad():
        (attention,) = make(256, 64, 64).attention(x)
    assert torch.special.entr(attention).sum(1).exp().mean() > 4


def test_presets_differ_in_scale_and_start() -> None:
    """Xavier's weights without a scale leave one RoI: why the paper's preset starts small."""
    x = torch.randn(64, 256, 7, 7).relu()
    paper, default = NonLocalRoIBlock.paper(256, 64, 64), NonLocalRoIBlock(256, 64, 64)
    assert paper.scale == 1
    assert float(paper.phi.weight.detach().std()) == pytest.approx(0.01, rel=0.05)
    assert float(default.phi.weight.detach().std()) == pytest.approx((2 / (256 + 64)) ** 0.5, rel=0.05)
    assert not default.g[2].bias.any()
    with torch.no_grad():
        (attention,) = NonLocalRoIBlock(256, 64, 64, scale=1.0).attention(x)
    assert torch.special.entr(attention).sum(1).exp().mean() < 3


def test_recipe_chooses_the_preset(config: ModelConfig) -> None:
    def blocks(**change: Any) -> list[NonLocalRoIBlock]:
        heads = build_roi_heads(replace(config, nl_embedding=16, **change), InferenceConfig(), 3)
        return [heads.box_roi_pool.block, heads.mask_roi_pool.block]

    assert [block.scale for block in blocks()] == [(16 * side**2) ** -0.5 for side in (7, 14)]
    for made in blocks(nl_scale="none"):
        assert made.scale == 1
        assert float(made.phi.weight.detach().std()) == pytest.approx(0.01, rel=0.2)
