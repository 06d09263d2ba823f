"""RoIAlign over the pyramid, plain or with the Non-Local RoI block behind it."""

from __future__ import annotations

from math import log2

from torch import Tensor
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.poolers import LevelMapper

from robsub.model.backbone import LEVELS, STRIDES
from robsub.model.nl_roi import NonLocalRoIBlock


class PyramidRoIAlign(MultiScaleRoIAlign):  # type: ignore[misc]
    """torchvision's pool with the pyramid's strides given.

    torchvision infers them from its first image and keeps them: one narrow image would spoil the model for good.

    Args:
        side: cells of a pooled RoI along one side.
        canonical_scale: box side in pixels that is pooled from P4.
    """

    def __init__(self, side: int, canonical_scale: int) -> None:
        super().__init__(LEVELS, side, sampling_ratio=2, canonical_scale=canonical_scale)
        strides = STRIDES[: len(LEVELS)]
        self.scales = [1 / stride for stride in strides]
        self.map_levels = LevelMapper(int(log2(strides[0])), int(log2(strides[-1])), canonical_scale)


class NonLocalRoIAlign(PyramidRoIAlign):
    """The pool with the block behind it: a drop-in that yields D + D_g channels for any head.

    Args:
        block: the block.
        side: as in ``PyramidRoIAlign``.
        canonical_scale: as in ``PyramidRoIAlign``.
    """

    def __init__(self, block: NonLocalRoIBlock, side: int, canonical_scale: int) -> None:
        super().__init__(side, canonical_scale)
        self.block = block

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        """Pool all images' boxes, per image (n, 4) XYXY pixels, to (sum of n, D + D_g, side, side)."""
        pooled: Tensor = super().forward(x, boxes, image_shapes)
        enriched: Tensor = self.block(pooled, [len(boxes_of_image) for boxes_of_image in boxes])
        return enriched
