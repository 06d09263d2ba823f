"""The Non-Local RoI block: lets the RoIs of one image look at each other before a head judges them.

Section 2.2 and Figure 2 of the paper. N is the number of RoIs, D x H x W the size of one RoI's pooled features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

import torch
from torch import Tensor, nn


class NonLocalRoIBlock(nn.Module):
    """Appends to each RoI a summary of all RoIs of its image, itself included.

    Args:
        in_channels: D, channels of the pooled features.
        embedding_channels: D_f, channels in which two RoIs are compared.
        g_channels: D_g, channels that are appended.
        scale: factor of the correlation before the softmax; None for RoIs of 7 x 7, one over the root of the
            correlation's length, ``(D_f * 7 * 7) ** -0.5``, which keeps the softmax soft (docs/model.md).
        weight_std: standard deviation of normal initial weights; None for Xavier's uniform ones.

    Attributes:
        scale: the factor, a plain number, read in every forward pass.
        explain: a hook that every forward pass calls with the attention, per image (n, n); None for no hook.
    """

    def __init__(
        self,
        in_channels: int,
        embedding_channels: int,
        g_channels: int,
        scale: float | None = None,
        weight_std: float | None = None,
    ) -> None:
        super().__init__()
        self.scale = (embedding_channels * 7 * 7) ** -0.5 if scale is None else scale
        self.explain: Callable[[list[Tensor]], None] | None = None
        self.phi = nn.Conv2d(in_channels, embedding_channels, 1)
        self.psi = nn.Conv2d(in_channels, embedding_channels, 1)
        self.g = nn.Sequential(
            nn.Conv2d(in_channels, g_channels, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(g_channels, g_channels, 3, padding=1),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                initialise(module, weight_std)

    @classmethod
    def paper(cls, in_channels: int, embedding_channels: int, g_channels: int) -> Self:
        """The block with the paper's plain product, started from small weights: from Xavier's it sees one RoI."""
        return cls(in_channels, embedding_channels, g_channels, scale=1.0, weight_std=0.01)

    def forward(self, x: Tensor, rois_per_image: Sequence[int] | None = None) -> Tensor:
        """Append the non-local features.

        Args:
            x: (N, D, H, W) pooled RoIs of one image, or of several images one after the other.
            rois_per_image: how many RoIs each image has, zeros allowed; None for one image.

        Returns:
            (N, D + D_g, H, W); N = 0 also passes every layer, so that all parameters get a gradient.

        Raises:
            ValueError: ``rois_per_image`` does not add up to N.
        """
        attention = self.attention(x, rois_per_image)  # per image (n, n)
        if self.explain is not None:
            self.explain(attention)
        g = self.g(x).mean(dim=(2, 3))  # (N, D_g): pooled first; the sum over RoIs does not mind the order
        values = torch.split(exact(g), [len(a) for a in attention])  # per image (n, D_g)
        with no_autocast(x.device):
            y = torch.cat([exact(g)[:0], *(a @ v for a, v in zip(attention, values, strict=True))])  # (N, D_g)
        tiled = y.to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[2:])  # (N, D_g, H, W)
        return torch.cat((x, tiled), dim=1)  # (N, D + D_g, H, W)

    def attention(self, x: Tensor, rois_per_image: Sequence[int] | None = None) -> list[Tensor]:
        """How much each RoI (row) takes from each RoI (column) of its own image.

        Args:
            x: as in ``forward``.
            rois_per_image: as in ``forward``.

        Returns:
            For each image (n, n), rows summing to 1. At least in float32: logits reach thousands, and bfloat16 keeps
            three digits.

        Raises:
            ValueError: ``rois_per_image`` does not add up to N.
        """
        counts = [len(x)] if rois_per_image is None else [int(count) for count in rois_per_image]
        if sum(counts) != len(x) or min(counts, default=0) < 0:
            raise ValueError(f"rois_per_image {counts} is no list of counts that add up to the {len(x)} RoIs of x")
        q = torch.split(exact(self.phi(x).flatten(1)), counts)  # (N, D_f, H, W), per image (n, D_f * H * W)
        k = torch.split(exact(self.psi(x).flatten(1)), counts)  # (N, D_f, H, W), per image (n, D_f * H * W)
        with no_autocast(x.device):
            logits = [qi @ ki.T * self.scale for qi, ki in zip(q, k, strict=True)]  # per image (n, n)
            return [torch.softmax(to_each, dim=1) for to_each in logits]  # per image (n, n)


def initialise(conv: nn.Conv2d, weight_std: float | None) -> None:
    """Normal weights of that deviation, or Xavier's uniform ones; no bias at first."""
    if weight_std is None:
        nn.init.xavier_uniform_(conv.weight)
    else:
        nn.init.normal_(conv.weight, std=weight_std)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]


def exact(x: Tensor) -> Tensor:
    """The same in float32, or as it is if that is wider."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def no_autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Switches autocast off, on devices that have it."""
    available = torch.amp.is_autocast_available(device.type)  # not on meta
    return torch.autocast(device.type, enabled=False) if available else nullcontext()
