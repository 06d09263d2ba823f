"""Mask R-CNN with Non-Local RoI blocks: backbone, proposals, heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from robsub.model.augmentation import detect_in_views
from robsub.model.backbone import build_backbone
from robsub.model.detections import Detections
from robsub.model.roi_heads import Target, build_roi_heads
from robsub.model.rpn import build_rpn
from robsub.model.transform import InputTransform, scale_boxes
from robsub.recipe import InferenceConfig, ModelConfig


def build_model(config: ModelConfig, inference: InferenceConfig, num_classes: int) -> MaskRCNN:
    """A model with random weights.

    Args:
        config: the network.
        inference: its settings.
        num_classes: classes with the background, which is class 0.

    Raises:
        ValueError: ``norm_groups`` does not divide the channels; a recipe that was read has been checked for that.
    """
    return MaskRCNN(config, inference, num_classes)


class MaskRCNN(nn.Module):
    """The network; in training it answers with losses, in evaluation with detections.

    Parameters are named as in torchvision's ``MaskRCNN``; a block's are ``roi_heads.{box,mask}_roi_pool.block.*``.
    """

    def __init__(self, config: ModelConfig, inference: InferenceConfig, num_classes: int) -> None:
        super().__init__()
        self.config = config
        self.transform = InputTransform(config)
        self.backbone = build_backbone(config)
        self.rpn = build_rpn(config)
        self.roi_heads = build_roi_heads(config, inference, num_classes)

    def forward(
        self,
        images: Sequence[Tensor],
        targets: Sequence[Target] | None = None,
        classes: Sequence[int] | None = None,
    ) -> dict[str, Tensor] | list[Detections]:
        """``losses(images, targets)`` in training, ``detect(images, classes)`` in evaluation.

        Raises:
            ValueError: no targets in training.
        """
        if not self.training:
            return self.detect(images, classes)
        if targets is None:
            raise ValueError("a model in training needs targets; call eval() for detections")
        return self.losses(images, targets)

    def losses(self, images: Sequence[Tensor], targets: Sequence[Target]) -> dict[str, Tensor]:
        """The five losses of Mask R-CNN, to be summed.

        Args:
            images: (3, H, W) RGB, uint8 or float in [0, 1]; sizes may differ, and tensors be on any device.
            targets: per image

                - ``boxes`` (n, 4) float XYXY in continuous pixels of the image, sides above 0; n may be 0
                - ``labels`` (n,) int64 from 1
                - ``ids`` (H, W) integers of the image's own size: which object a pixel belongs to; ``IGNORE`` (-1)
                  for void and groups of objects, where nothing counts as background; or (L, H, W), further maps
                  on which the objects are whole that the first shows in part
                - ``values`` (n,) integers: the id of each box's object in ``ids``

        Returns:
            ``loss_classifier``, ``loss_box_reg``, ``loss_mask``, ``loss_objectness``, ``loss_rpn_box_reg``: float32
            scalars.

        Raises:
            ValueError: a box has no area.
        """
        batch = self.transform(images)
        targets = [self._to_input(t, size) for t, size in zip(targets, batch.image_sizes, strict=True)]
        features = self.backbone(batch.tensors)
        proposals, proposal_losses = self.rpn(batch, features, targets)
        losses = self.roi_heads.losses(features, proposals, batch.image_sizes, targets)
        return {**losses, **proposal_losses}

    @torch.no_grad()
    def detect(self, images: Sequence[Tensor], classes: Sequence[int] | None = None) -> list[Detections]:
        """Find the objects of each image.

        Args:
            images: as in ``losses``.
            classes: labels of the benchmark at hand; the others are dropped before NMS, so that they take no place
                among an image's detections. None for all.

        With ``inference.flip`` or ``inference.sizes`` each image is seen several times (``robsub.model.augmentation``).
        Group norm sees padding too, so only images that are padded alike share a batch: no neighbour changes what is
        found on an image.
        """
        inference = self.roi_heads.inference
        if inference.flip or inference.sizes:
            return [detect_in_views(self, image, classes) for image in images]
        found: dict[int, Detections] = {}
        for group in self.transform.alike(images):
            found.update(zip(group, self._detect([images[i] for i in group], classes), strict=True))
        return [found[i] for i in range(len(images))]

    def _detect(self, images: Sequence[Tensor], classes: Sequence[int] | None) -> list[Detections]:
        batch = self.transform(images)
        features = self.backbone(batch.tensors)
        proposals, _ = self.rpn(batch, features)
        found = self.roi_heads.detect(features, proposals, batch.image_sizes, classes)
        return [
            replace(f, boxes=scale_boxes(f.boxes, size, (image.shape[1], image.shape[2])))
            for f, size, image in zip(found, batch.image_sizes, images, strict=True)
        ]

    def _to_input(self, target: Target, size: tuple[int, int]) -> Target:
        """The target on the model's device, its boxes in the pixels of the network's input; ids stay as they are."""
        target = {name: part.to(self.transform.mean.device) for name, part in target.items()}
        boxes = target["boxes"].float()
        if (boxes[:, 2:] <= boxes[:, :2]).any():
            raise ValueError(f"a target box without area: {boxes.tolist()}")
        original = (target["ids"].shape[-2], target["ids"].shape[-1])
        back = scale_boxes(boxes.new_ones(4), size, original)
        return target | {"boxes": scale_boxes(boxes, original, size), "scale": back}
