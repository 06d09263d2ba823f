"""The Non-Local RoI block against the paper's equations, written as loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from robsub.model.nl_roi import NonLocalRoIBlock

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


@pytest.mark.parametrize("side", [7, 14])
def test_start_does_not_saturate(side: int) -> None:
    """The effective number of RoIs, exp(entropy), stays far from 1 on features of unit size."""
    x = torch.randn(64, 256, side, side).relu()
    for scale in (1.0, (64 * side**2) ** -0.5):
        with torch.no_grad():
            (attention,) = NonLocalRoIBlock(256, 64, 64, scale).attention(x)
        effective = torch.special.entr(attention).sum(1).exp().mean()
        assert effective > 4, scale
