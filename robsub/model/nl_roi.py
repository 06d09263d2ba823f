"""The Non-Local RoI block: lets the RoIs of one image look at each other before a head judges them.

Section 2.2 and Figure 2 of the paper. N is the number of RoIs, D x H x W the size of one RoI's pooled features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class NonLocalRoIBlock(nn.Module):
    """Appends to each RoI a summary of all RoIs of its image, itself included.

    Args:
        in_channels: D, channels of the pooled features.
        embedding_channels: D_f, channels in which two RoIs are compared.
        g_channels: D_g, channels that are appended.
        scale: factor of the correlation before the softmax. 1 is the paper's plain product, started from small weights
            because Xavier's would put each row's whole weight on one RoI; ``(D_f * H * W) ** -0.5`` keeps the softmax
            soft from any start.

    Attributes:
        explain: a hook that every forward pass calls with the attention, per image (n, n); None for no hook.
    """

    def __init__(self, in_channels: int, embedding_channels: int, g_channels: int, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
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
                nn.init.normal_(module.weight, std=0.01) if scale == 1 else nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, rois_per_image: Sequence[int] | None = None) -> Tensor:
        """Append the non-local features.

        Args:
            x: (N, D, H, W) pooled RoIs of one image, or of several images one after the other.
            rois_per_image: how many RoIs each image has, zeros allowed; None for one image.

        Returns:
            (N, D + D_g, H, W); N = 0 also passes every layer, so that all parameters get a gradient.
        """
        attention = self.attention(x, rois_per_image)  # per image (n, n)
        if self.explain is not None:
            self.explain(attention)
        g = self.g(x).mean(dim=(2, 3))  # (N, D_g): pooled first; the sum over RoIs does not mind the order
        values = g.float().split([len(a) for a in attention])  # per image (n, D_g)
        with torch.autocast(x.device.type, enabled=False):
            y = torch.cat([a @ v for a, v in zip(attention, values, strict=True)])  # (N, D_g)
        tiled = y.to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[2:])  # (N, D_g, H, W)
        return torch.cat((x, tiled), dim=1)  # (N, D + D_g, H, W)

    def attention(self, x: Tensor, rois_per_image: Sequence[int] | None = None) -> list[Tensor]:
        """How much each RoI (row) takes from each RoI (column) of its own image.

        Args:
            x: as in ``forward``.
            rois_per_image: as in ``forward``.

        Returns:
            For each image (n, n) float32, rows summing to 1. Always in float32: logits reach thousands, and bfloat16
            keeps three digits.
        """
        counts = [len(x)] if rois_per_image is None else list(rois_per_image)
        q = self.phi(x).flatten(1).float().split(counts)  # per image (n, D_f * H * W)
        k = self.psi(x).flatten(1).float().split(counts)  # per image (n, D_f * H * W)
        with torch.autocast(x.device.type, enabled=False):
            return [torch.softmax(qi @ ki.T * self.scale, dim=1) for qi, ki in zip(q, k, strict=True)]
