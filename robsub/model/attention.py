"""What the Non-Local RoI blocks looked at in one image: by object, as numbers and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.ops import box_iou

from robsub.model.detections import Detections
from robsub.model.mask_rcnn import MaskRCNN
from robsub.model.roi_pool import NonLocalRoIAlign
from robsub.model.transform import scale_boxes

STRONGEST = 10
"""RoIs told of each object, by falling weight."""


@dataclass(frozen=True)
class Attention:
    """One head's block: ``rois`` (N, 4) XYXY in pixels of the image, ``weights`` (N, N), rows summing to 1."""

    rois: Tensor
    weights: Tensor

    def of(self, boxes: Tensor) -> list[list[tuple[list[float], float]]]:
        """For each box (n, 4), the RoIs that its own RoI, the one that overlaps it most, took most from."""
        if not len(boxes):
            return []
        rows = self.weights[box_iou(boxes, self.rois).argmax(dim=1)]
        weights, columns = rows.topk(min(STRONGEST, rows.shape[1]))
        return [
            [([round(v, 1) for v in self.rois[j].tolist()], round(w, 4)) for w, j in zip(ws, js, strict=True)]
            for ws, js in zip(weights.tolist(), columns.tolist(), strict=True)
        ]


@torch.no_grad()
def attend(
    model: MaskRCNN, image: Tensor, classes: Sequence[int] | None = None
) -> tuple[Detections, dict[str, Attention]]:
    """Detect, and record the attention of every block, by the name of its head.

    The box head's RoIs are the proposals, the mask head's the objects found. Arguments as in ``MaskRCNN.detect``.
    """
    heads, seen = model.roi_heads, dict[str, list[Tensor]]()
    pools = {"box": heads.box_roi_pool, "mask": heads.mask_roi_pool}
    blocks = {name: pool.block for name, pool in pools.items() if isinstance(pool, NonLocalRoIAlign)}
    for name, block in blocks.items():
        block.explain = lambda attention, name=name: seen.__setitem__(name, attention)
    try:
        batch = model.transform([image])
        features = model.backbone(batch.tensors)
        proposals, _ = model.rpn(batch, features)
        found = heads.detect(features, proposals, batch.image_sizes, classes)[0]
    finally:
        for block in blocks.values():
            block.explain = None
    sizes = batch.image_sizes[0], (image.shape[1], image.shape[2])
    boxes = scale_boxes(found.boxes, *sizes)
    rois = {"box": scale_boxes(proposals[0], *sizes), "mask": boxes}
    attention = {name: Attention(rois[name].cpu(), weights[0].float().cpu()) for name, weights in seen.items()}
    return Detections(boxes, found.scores, found.labels, found.mask_probs), attention


def attention_record(
    found: Detections, attention: dict[str, Attention], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Plain values: each object with its box and, for each head, the RoIs it attended to; boxes are XYXY pixels."""
    boxes = found.boxes.cpu()
    looks = {name: of_head.of(boxes) for name, of_head in attention.items()}
    return [
        {
            "category": classes[label - 1],
            "score": round(score, 4),
            "box": [round(v, 1) for v in box],
            "attends": {
                name: [{"box": roi, "weight": weight} for roi, weight in rows[i]] for name, rows in looks.items()
            },
        }
        for i, (label, score, box) in enumerate(
            zip(found.labels.tolist(), found.scores.tolist(), boxes.tolist(), strict=True)
        )
    ]


def draw_attention(photo: NDArray[np.uint8], record: dict[str, Any], head: str) -> Image.Image:
    """The photo (H, W, 3) with one object's box in white and, in yellow, the RoIs it attended to; strong ones thick."""
    picture = Image.fromarray(photo)
    draw = ImageDraw.Draw(picture)
    looks = record["attends"][head]
    strongest = max((look["weight"] for look in looks), default=1.0) or 1.0
    centre = _centre(record["box"])
    for look in reversed(looks):
        width = max(1, round(4 * look["weight"] / strongest))
        draw.rectangle(look["box"], outline=(255, 220, 0), width=width)
        draw.line([centre, _centre(look["box"])], fill=(255, 220, 0), width=width)
    draw.rectangle(record["box"], outline="white", width=3)
    words = f"{record['category']} {record['score']:.2f}, {head} head"
    draw.text((record["box"][0] + 4, record["box"][1] + 4), words, fill="white", stroke_width=1, stroke_fill="black")
    return picture


def _centre(box: Sequence[float]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
