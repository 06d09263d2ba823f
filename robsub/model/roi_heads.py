"""The box head and the mask head: their losses and their detections."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import RoIHeads

from robsub.model.backbone import group_norm
from robsub.model.detections import Detections
from robsub.model.id_map import mask_targets, mostly_ignored
from robsub.model.nl_roi import NonLocalRoIBlock
from robsub.model.postprocess import final_boxes
from robsub.model.roi_pool import NonLocalRoIAlign, PyramidRoIAlign
from robsub.recipe import InferenceConfig, ModelConfig

BOX_SIDE = 7
"""Cells along a RoI's side in front of the box head."""
MASK_SIDE = 14
"""Cells along a RoI's side in front of the mask head; the masks have twice as many."""

Features = dict[str, Tensor]
Target = dict[str, Tensor]


def build_roi_heads(config: ModelConfig, inference: InferenceConfig, num_classes: int) -> InstanceHeads:
    """Both heads, each with the Non-Local RoI block in front of it where the configuration has one."""
    channels, norm = config.fpn_channels, group_norm(config)
    box_pool, box_channels = _build_pool(config, "box", BOX_SIDE)
    mask_pool, mask_channels = _build_pool(config, "mask", MASK_SIDE)
    if config.box_convs:
        box_size = (box_channels, BOX_SIDE, BOX_SIDE)
        box_head = FastRCNNConvFCHead(box_size, [channels] * config.box_convs, [config.box_fc], norm_layer=norm)
    else:
        box_head = TwoMLPHead(box_channels * BOX_SIDE**2, config.box_fc)
    return InstanceHeads(
        config,
        inference,
        box_roi_pool=box_pool,
        box_head=box_head,
        box_predictor=FastRCNNPredictor(config.box_fc, num_classes),
        mask_roi_pool=mask_pool,
        mask_head=MaskRCNNHeads(mask_channels, [channels] * config.mask_convs, dilation=1, norm_layer=norm),
        mask_predictor=MaskRCNNPredictor(channels, channels, num_classes),
    )


def _build_pool(config: ModelConfig, head: str, side: int) -> tuple[PyramidRoIAlign, int]:
    """A head's RoI pool and the channels it yields."""
    shortened = 1.0 if config.geometry == "detectron" else 0.0
    if head not in config.nl_heads:
        return PyramidRoIAlign(side, config.canonical_scale, shortened), config.fpn_channels
    channels = config.fpn_channels, config.nl_embedding, config.nl_g
    if config.nl_scale == "none":
        block = NonLocalRoIBlock.paper(*channels)
    else:
        block = NonLocalRoIBlock(*channels, scale=(config.nl_embedding * side**2) ** -0.5)
    return NonLocalRoIAlign(block, side, config.canonical_scale, shortened), config.fpn_channels + config.nl_g


class InstanceHeads(RoIHeads):  # type: ignore[misc]
    """torchvision's RoI heads with Detectron's post-processing and mask targets from id maps.

    The heads' outputs are float32 under autocast too, as boxes and losses need.

    Args:
        config: of the network.
        inference: its settings.
        parts: pool, head and predictor of boxes and masks, by torchvision's names.
    """

    def __init__(self, config: ModelConfig, inference: InferenceConfig, **parts: nn.Module) -> None:
        super().__init__(
            **parts,
            fg_iou_thresh=0.5,
            bg_iou_thresh=0.5,
            batch_size_per_image=config.roi_batch,
            positive_fraction=0.25,
            bbox_reg_weights=(10.0, 10.0, 5.0, 5.0),
            score_thresh=inference.score_threshold,
            nms_thresh=inference.nms_threshold,
            detections_per_img=inference.detections_per_image,
        )
        self.inference = inference

    def classify(self, features: Features, rois: list[Tensor], sizes: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """Class logits (N, C) and box deltas (N, 4 C) of all images' RoIs, per image (n, 4) XYXY."""
        logits, deltas = self.box_predictor(self.box_head(self.box_roi_pool(features, rois, sizes)))
        return logits.float(), deltas.float()

    def segment(self, features: Features, rois: list[Tensor], sizes: list[tuple[int, int]]) -> Tensor:
        """Mask logits (N, C, 28, 28) of all images' RoIs."""
        logits: Tensor = self.mask_predictor(self.mask_head(self.mask_roi_pool(features, rois, sizes)))
        return logits.float()

    def losses(
        self, features: Features, proposals: list[Tensor], sizes: list[tuple[int, int]], targets: list[Target]
    ) -> dict[str, Tensor]:
        """The losses of both heads on RoIs sampled from the proposals and the objects' own boxes.

        Args:
            features: the pyramid.
            proposals: per image (n, 4) XYXY pixels of the network's input.
            sizes: per image (height, width) of the network's input.
            targets: per image as ``MaskRCNN.losses`` takes them, boxes in pixels of the network's input, and ``scale``
                (4,), what to multiply a box with to come to the pixels of ``ids``.
        """
        usable = [p[~mostly_ignored(t["ids"], p * t["scale"])] for p, t in zip(proposals, targets, strict=True)]
        rois, matches, labels, deltas = self.select_training_samples(usable, targets)
        losses = box_losses(*self.classify(features, rois, sizes), torch.cat(labels), torch.cat(deltas))

        positive = [label > 0 for label in labels]
        mask_logits = self.segment(features, [r[p] for r, p in zip(rois, positive, strict=True)], sizes)
        wanted = [
            mask_targets(t["ids"], t["values"][m[p]], r[p] * t["scale"], 2 * MASK_SIDE)
            for t, m, r, p in zip(targets, matches, rois, positive, strict=True)
        ]
        mask_labels = torch.cat([label[p] for label, p in zip(labels, positive, strict=True)])
        return losses | {"loss_mask": mask_loss(mask_logits, mask_labels, torch.cat(wanted))}

    def detect(
        self,
        features: Features,
        proposals: list[Tensor],
        sizes: list[tuple[int, int]],
        classes: Sequence[int] | None = None,
    ) -> list[Detections]:
        """Each image's final detections, boxes in pixels of the network's input; arguments as in ``losses``.

        ``classes`` are the labels that compete, None for all.
        """
        scored = self.scored_boxes(features, proposals, sizes)
        found = [final_boxes(*s, size, self.inference, classes) for s, size in zip(scored, sizes, strict=True)]
        masks = self.mask_probs(features, [f.boxes for f in found], [f.labels for f in found], sizes)
        return [Detections(*f, mask_probs=mask) for f, mask in zip(found, masks, strict=True)]

    def scored_boxes(
        self, features: Features, proposals: list[Tensor], sizes: list[tuple[int, int]]
    ) -> list[tuple[Tensor, Tensor]]:
        """Per image the box (n, C, 4) XYXY that each RoI has for each class, and the class probabilities (n, C)."""
        logits, deltas = self.classify(features, proposals, sizes)
        boxes = self.box_coder.decode(deltas, proposals).reshape(*logits.shape, 4)  # (N, C, 4)
        counts = [len(p) for p in proposals]
        return list(zip(boxes.split(counts), torch.split(logits.softmax(1), counts), strict=True))

    def mask_probs(
        self, features: Features, boxes: list[Tensor], labels: list[Tensor], sizes: list[tuple[int, int]]
    ) -> list[Tensor]:
        """Per image (n, 28, 28) the mask of each box, (n, 4) XYXY, in its own class, (n,)."""
        own = masks_of(self.segment(features, boxes, sizes), torch.cat(labels)).sigmoid()
        return list(torch.split(own, [len(b) for b in boxes]))

    def check_targets(self, targets: list[Target] | None) -> None:
        """torchvision's check asks for dense masks; ``MaskRCNN`` has checked ours."""


def box_losses(logits: Tensor, deltas: Tensor, labels: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """Cross-entropy over all RoIs, smooth L1 over those of objects, both a mean over all RoIs.

    torchvision's ``fastrcnn_loss``, but with Detectron's bend of smooth L1 at 1, and defined without a RoI.

    Args:
        logits: (N, C).
        deltas: (N, 4 C), for each class its own box.
        labels: (N,) int64, 0 for background.
        wanted: (N, 4) deltas to each RoI's object.
    """
    count = max(1, len(labels))
    objects = torch.where(labels > 0)[0]
    predicted = deltas.view(len(labels), logits.shape[1], 4)[objects, labels[objects]]
    return {
        "loss_classifier": F.cross_entropy(logits, labels, reduction="sum") / count,
        "loss_box_reg": F.smooth_l1_loss(predicted, wanted[objects], beta=1.0, reduction="sum") / count,
    }


def mask_loss(logits: Tensor, labels: Tensor, wanted: Tensor) -> Tensor:
    """Mean binary cross-entropy of each RoI's mask of its own class.

    Args:
        logits: (N, C, S, S).
        labels: (N,) int64.
        wanted: (N, S, S) in [0, 1].
    """
    own = masks_of(logits, labels)
    return F.binary_cross_entropy_with_logits(own, wanted, reduction="sum") / max(1, wanted.numel())


def masks_of(logits: Tensor, labels: Tensor) -> Tensor:
    """(N, S, S) each RoI's mask of its own class, of (N, C, S, S) and (N,)."""
    return logits[torch.arange(len(labels), device=labels.device), labels]
