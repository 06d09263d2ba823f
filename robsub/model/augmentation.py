"""Test-time augmentation: one image seen at several sizes and mirrored, merged before soft-NMS and voting.

Detectron's ``TEST.BBOX_AUG`` and ``TEST.MASK_AUG`` with their heuristics ``UNION`` and ``SOFT_AVG``: the boxes of all
views compete and vote together; the mask of a final box is the mean of the views' probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from robsub.model.detections import Detections
from robsub.model.postprocess import final_boxes
from robsub.model.transform import scale_boxes

if TYPE_CHECKING:
    from robsub.model.mask_rcnn import MaskRCNN


@dataclass(frozen=True)
class View:
    """One image as the network sees it once."""

    original: tuple[int, int]
    """(height, width) of the image."""
    size: tuple[int, int]
    """(height, width) of the network's input."""
    mirrored: bool
    features: dict[str, Tensor]
    proposals: Tensor
    """(N, 4) XYXY in pixels of the input."""

    def from_input(self, boxes: Tensor) -> Tensor:
        """Boxes (..., 4) XYXY of the network's input in pixels of the image."""
        boxes = scale_boxes(boxes, self.size, self.original)
        return mirror(boxes, self.original[1]) if self.mirrored else boxes

    def to_input(self, boxes: Tensor) -> Tensor:
        """Boxes (..., 4) XYXY of the image in pixels of the network's input."""
        boxes = mirror(boxes, self.original[1]) if self.mirrored else boxes
        return scale_boxes(boxes, self.original, self.size)


def mirror(boxes: Tensor, width: int) -> Tensor:
    """Boxes (..., 4) XYXY in the mirror image of an image of that width."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack((width - x2, y1, width - x1, y2), dim=-1)


def detect_in_views(model: MaskRCNN, image: Tensor, classes: Sequence[int] | None = None) -> Detections:
    """What the views that the model's inference settings ask for find together; arguments as in ``MaskRCNN.detect``."""
    heads = model.roi_heads
    original = (image.shape[1], image.shape[2])
    views = list(see(model, image))
    scored = [heads.scored_boxes(view.features, [view.proposals], [view.size])[0] for view in views]
    boxes = torch.cat([view.from_input(boxes) for view, (boxes, _) in zip(views, scored, strict=True)])
    found = final_boxes(boxes, torch.cat([scores for _, scores in scored]), original, heads.inference, classes)
    masks = torch.zeros(())
    for view in views:
        seen = heads.mask_probs(view.features, [view.to_input(found.boxes)], [found.labels], [view.size])[0]
        masks = masks.to(seen) + (seen.flip(2) if view.mirrored else seen) / len(views)
    return Detections(*found, mask_probs=masks)


def see(model: MaskRCNN, image: Tensor) -> Iterator[View]:
    """The features and proposals of every view of an image (3, H, W)."""
    inference = model.roi_heads.inference
    for min_size in inference.sizes or (model.config.min_size,):
        for mirrored in (False, True) if inference.flip else (False,):
            batch = model.transform([image.flip(2) if mirrored else image], min_size)
            features = model.backbone(batch.tensors)
            proposals, _ = model.rpn(batch, features)
            original = (image.shape[1], image.shape[2])
            yield View(original, batch.image_sizes[0], mirrored, features, proposals[0])
