"""How fast soft-NMS, box voting and the paste to RLE are, against what they replace.

Run ``python -m benchmarks.postprocess``, on the CPU; ``benchmarks/measure.py`` says what is measured.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_masks
from torch import Tensor
from torchvision.models.detection.roi_heads import paste_masks_in_image

from benchmarks.measure import head, row
from robsub.model.paste import paste_to_rle
from robsub.model.postprocess import ScoredBoxes, box_voting, soft_nms

CLASSES = 26
FRAME = (1024, 2048)

Array = NDArray[np.float64]


def plain_soft_nms(boxes: Array, scores: Array, threshold: float = 0.5) -> tuple[Array, Array]:
    """Detectron's loop for one class: NumPy over the boxes left, Python over the picks."""
    boxes, scores = boxes.copy(), scores.copy()
    kept: list[Array] = []
    kept_scores: list[float] = []
    while len(scores):
        best = int(scores.argmax())
        kept.append(boxes[best])
        kept_scores.append(float(scores[best]))
        iou = plain_iou(boxes[best], boxes)
        scores = scores * np.where(iou > threshold, 1 - iou, 1)
        left = (scores >= 1e-4) & (np.arange(len(scores)) != best)
        boxes, scores = boxes[left], scores[left]
    return np.array(kept), np.array(kept_scores)


def plain_iou(box: Array, boxes: Array) -> Array:
    """IoU of one box (4,) with (N, 4)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.prod(np.maximum(sides, 0), axis=1)
    overlap: Array = common / (np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - common)
    return overlap


def plain_finish(found: ScoredBoxes, limit: int = 100) -> tuple[Array, Array]:
    """Soft-NMS and voting class by class, then the limit: Detectron's ``box_results_with_nms_and_limit``."""
    boxes, scores = [], []
    for label in sorted(set(found.labels.tolist())):
        mine = found.at(found.labels == label)
        candidates, raw = mine.boxes.double().numpy(), mine.scores.double().numpy()
        kept, decayed = plain_soft_nms(candidates, raw)
        for box, score in zip(kept, decayed, strict=True):
            votes = plain_iou(box, candidates) >= 0.8
            boxes.append(np.average(candidates[votes], axis=0, weights=raw[votes]))
            scores.append(score)
    best = np.argsort(-np.array(scores))[:limit]
    return np.array(boxes)[best], np.array(scores)[best]


def finish(found: ScoredBoxes) -> ScoredBoxes:
    """Ours."""
    return box_voting(soft_nms(found, "linear", 0.5, 0.5, 100), found, "id", 0.8)


def crowded(rois: int, classes: int) -> ScoredBoxes:
    """As many candidates as there can be: every RoI a box of every class."""
    draw = torch.Generator().manual_seed(0)
    objects = torch.rand(40, 2, generator=draw) * torch.tensor([1200.0, 700.0])
    centres = objects[torch.randint(40, (rois,), generator=draw)].repeat_interleave(classes, 0)
    corner = centres + 6 * torch.randn(rois * classes, 2, generator=draw)
    side = 60 + 8 * torch.randn(rois * classes, 2, generator=draw)
    scores = 0.05 + 0.95 * torch.rand(rois * classes, generator=draw) ** 3
    return ScoredBoxes(torch.cat((corner, corner + side), 1), scores, torch.arange(1, classes + 1).repeat(rois))


def nms_rows(rounds: int) -> None:
    """Both steps together and each alone: 1000 RoIs in 26 classes, and as few candidates as a usual image has."""
    for rois in (1000, 50):
        found = crowded(rois, CLASSES)
        kept = soft_nms(found, "linear", 0.5, 0.5, 100)
        error = float(np.abs(finish(found).scores.numpy() - plain_finish(found)[1]).max())
        works = {"ours": lambda found=found: finish(found), "NumPy loops": lambda found=found: plain_finish(found)}
        note = f"scores differ by {error:.0e} at most"
        row(f"soft-NMS and voting, {rois} boxes x {CLASSES} classes", works, rounds, note=note)
        steps = {
            "soft-NMS": lambda found=found: soft_nms(found, "linear", 0.5, 0.5, 100),
            "voting": lambda kept=kept, found=found: box_voting(kept, found, "id", 0.8),
        }
        row("each alone", steps, rounds)


def paste_rows(rounds: int) -> None:
    """100 masks at 1024 x 2048 to RLE: street-sized boxes and large ones."""
    draw = torch.Generator().manual_seed(0)
    noise = torch.rand(100, 1, 34, 34, generator=draw)
    probs = (torch.nn.functional.avg_pool2d(noise, 7, stride=1)[:, 0] * 4 - 1.5).clamp(0, 1)
    for name, (width, height) in {"street-sized": (155, 118), "large": (617, 527)}.items():
        corner = torch.rand(100, 2, generator=draw) * torch.tensor([FRAME[1] - width, FRAME[0] - height])
        boxes = torch.cat((corner, corner + torch.tensor([width, height])), dim=1)

        def theirs(boxes: Tensor = boxes) -> list[Any]:
            masks = paste_masks_in_image(probs[:, None], boxes, FRAME)[:, 0] >= 0.5
            return [coco_masks.encode(np.asfortranarray(mask.numpy())) for mask in masks]

        def ours(boxes: Tensor = boxes) -> list[Any]:
            return paste_to_rle(probs, boxes, FRAME)

        areas = [sum(coco_masks.area(m) for m in masks()) for masks in (ours, theirs)]
        note = f"{name} boxes ({width} x {height}); their masks are {areas[1] / areas[0] - 1:.1%} larger"
        row("100 masks to RLE at 1024 x 2048", {"ours": ours, "torchvision": theirs}, rounds, note=note)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    head()
    nms_rows(arguments.rounds)
    paste_rows(arguments.rounds)


if __name__ == "__main__":
    main()
