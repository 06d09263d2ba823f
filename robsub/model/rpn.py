"""The region proposal network, on torchvision's."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead

from robsub.model.backbone import STRIDES
from robsub.model.id_map import mostly_ignored
from robsub.recipe import ModelConfig

ASPECT_RATIOS = (0.5, 1.0, 2.0)


def build_rpn(config: ModelConfig) -> RegionProposalNetwork:
    """The network that proposes RoIs from P2 to P6; thresholds are Faster R-CNN's."""
    anchors = DetectronAnchors if config.geometry == "detectron" else PyramidAnchors
    return ProposalNetwork(
        anchors(tuple((size,) for size in config.anchor_sizes), (ASPECT_RATIOS,) * len(config.anchor_sizes)),
        Float32RPNHead(config.fpn_channels, len(ASPECT_RATIOS)),
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=config.rpn_batch,
        positive_fraction=0.5,
        pre_nms_top_n=dict(zip(("training", "testing"), config.rpn_pre_nms, strict=True)),
        post_nms_top_n=dict(zip(("training", "testing"), config.rpn_post_nms, strict=True)),
        nms_thresh=0.7,
    )


class PyramidAnchors(AnchorGenerator):  # type: ignore[misc]
    """Anchors in float32 on the pyramid's own strides.

    torchvision's take their type from the features, and their stride from a level's size: rounded up on P6, it makes
    the same object's anchors depend on the image's size.
    """

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        """For each image (A, 4) XYXY pixels of the network's input, level after level."""
        self.set_cell_anchors(torch.float32, feature_maps[0].device)
        anchors = self.grid_anchors([f.shape[-2:] for f in feature_maps], [(stride, stride) for stride in STRIDES])
        return [torch.cat(anchors)] * len(image_list.image_sizes)


class DetectronAnchors(PyramidAnchors):
    """Detectron's anchors: their ratios are rounded on the scale of a cell, and they stand on its middle.

    ``modeling/generate_anchors.py``, in continuous pixels: P2's are 48 x 24, 32 x 32 and 24 x 48 around (2, 2).
    """

    def __init__(self, sizes: tuple[tuple[int, ...], ...], aspect_ratios: tuple[tuple[float, ...], ...]) -> None:
        super().__init__(sizes, aspect_ratios)
        levels = zip(STRIDES, sizes, aspect_ratios, strict=True)
        self.cell_anchors = [self._cell(stride, size[0], ratios) for stride, size, ratios in levels]

    @staticmethod
    def _cell(stride: int, size: int, ratios: tuple[float, ...]) -> Tensor:
        """(R, 4) XYXY pixels, one anchor a ratio (height / width)."""
        widths = [round(stride / ratio**0.5) for ratio in ratios]
        sides = torch.tensor([[w, round(w * ratio)] for w, ratio in zip(widths, ratios, strict=True)]) * size / stride
        return torch.cat(((stride - sides) / 2, (stride + sides) / 2), dim=1)


class Float32RPNHead(RPNHead):  # type: ignore[misc]
    """Its outputs are float32 under autocast too: proposals decoded in bfloat16 are off by up to 14 pixels."""

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Per level objectness (N, A, H, W) and box deltas (N, 4 A, H, W)."""
        objectness, deltas = super().forward(x)
        return [level.float() for level in objectness], [level.float() for level in deltas]


class ProposalNetwork(RegionProposalNetwork):  # type: ignore[misc]
    """Anchors in a region to ignore are no background."""

    def assign_targets_to_anchors(
        self, anchors: list[Tensor], targets: list[dict[str, Tensor]]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Label each anchor 1 (object), 0 (background) or -1 (not sampled), and give it its object's box."""
        labels, boxes = super().assign_targets_to_anchors(anchors, targets)
        for label, anchors_of_image, target in zip(labels, anchors, targets, strict=True):
            label[(label == 0) & mostly_ignored(target["ids"], anchors_of_image * target["scale"])] = -1
        return labels, boxes
