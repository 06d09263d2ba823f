"""RoIAlign over the pyramid, plain or with the Non-Local RoI block behind it."""

from __future__ import annotations

from math import log2

from torch import Tensor
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.poolers import LevelMapper

from robsub.model.backbone import LEVELS, STRIDES
from robsub.model.nl_roi import NonLocalRoIBlock


class PyramidLevels(LevelMapper):  # type: ignore[misc]
    """The level that a RoI is pooled from (FPN paper, eq. 1), by the whole box even where less of it is pooled.

    Args:
        canonical_scale: box side in pixels that is pooled from P4.
        shortened: pixels by which the boxes given are shorter than the RoIs.
    """

    def __init__(self, canonical_scale: int, shortened: float) -> None:
        strides = STRIDES[: len(LEVELS)]
        super().__init__(int(log2(strides[0])), int(log2(strides[-1])), canonical_scale)
        self.shortened = shortened

    def __call__(self, boxes: list[Tensor]) -> Tensor:
        """Per image (n, 4) XYXY pixels to (sum of n,) int64, 0 for P2."""
        levels: Tensor = super().__call__([shorten(b, -self.shortened) for b in boxes])
        return levels


def shorten(boxes: Tensor, by: float) -> Tensor:
    """Boxes (N, 4) XYXY pixels whose right and lower sides lie ``by`` pixels further in."""
    return boxes - boxes.new_tensor((0, 0, by, by))


class PyramidRoIAlign(MultiScaleRoIAlign):  # type: ignore[misc]
    """torchvision's pool with the pyramid's strides given.

    torchvision infers them from its first image and keeps them: one narrow image would spoil the model for good.

    Args:
        side: cells of a pooled RoI along one side.
        canonical_scale: box side in pixels that is pooled from P4.
        shortened: pixels by which the pooled box is shorter than the RoI: 1 for Detectron, which pools from the corner
            of the first pixel to that of the last.
    """

    def __init__(self, side: int, canonical_scale: int, shortened: float = 0.0) -> None:
        super().__init__(LEVELS, side, sampling_ratio=2, canonical_scale=canonical_scale)
        self.shortened = shortened
        self.scales = [1 / stride for stride in STRIDES[: len(LEVELS)]]
        self.map_levels = PyramidLevels(canonical_scale, shortened)

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        """Pool all images' boxes.

        Args:
            x: per level ``"0"`` to ``"3"``, P2 to P5, (images, D, H / stride, W / stride).
            boxes: per image (n, 4) XYXY pixels of the network's input.
            image_shapes: per image its (height, width) there.

        Returns:
            (sum of n, D, side, side).
        """
        pooled: Tensor = super().forward(x, [shorten(b, self.shortened) for b in boxes], image_shapes)
        return pooled


class NonLocalRoIAlign(PyramidRoIAlign):
    """The pool with the block behind it: a drop-in that yields D + D_g channels for any head.

    Args:
        block: the block.
        side: as in ``PyramidRoIAlign``.
        canonical_scale: as in ``PyramidRoIAlign``.
        shortened: as in ``PyramidRoIAlign``.
    """

    def __init__(self, block: NonLocalRoIBlock, side: int, canonical_scale: int, shortened: float = 0.0) -> None:
        super().__init__(side, canonical_scale, shortened)
        self.block = block

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        """Pool all images' boxes to (sum of n, D + D_g, side, side); arguments as in ``PyramidRoIAlign``."""
        pooled = super().forward(x, boxes, image_shapes)
        enriched: Tensor = self.block(pooled, [len(boxes_of_image) for boxes_of_image in boxes])
        return enriched
