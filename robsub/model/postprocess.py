"""Soft-NMS and box voting: from the box head's outputs to the final boxes.

Detectron's ``box_results_with_nms_and_limit`` (``core/test.py``), ``soft_nms`` (``utils/cython_nms.pyx``) and
``box_voting`` (``utils/boxes.py``), without their loop over classes. Soft-NMS: Bodla et al. 2017; box voting: Gidaris
and Komodakis 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import box_iou
from torchvision.ops.boxes import clip_boxes_to_image, remove_small_boxes

from robsub.recipe import InferenceConfig

MIN_SCORE = 1e-4
"""A box whose score decays below this is dropped (Detectron's ``score_thresh`` of soft-NMS)."""
MIN_SIDE = 0.01
"""Boxes with a shorter side, pixels, are dropped."""


class ScoredBoxes(NamedTuple):
    """Boxes of one image: ``boxes`` (N, 4) XYXY pixels, ``scores`` (N,) in [0, 1], ``labels`` (N,) int64."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor

    def at(self, index: Tensor) -> ScoredBoxes:
        """The boxes at an index, or where a mask is true."""
        return ScoredBoxes(*(part[index] for part in self))

    def to(self, device: torch.device) -> ScoredBoxes:
        """The boxes on another device."""
        return ScoredBoxes(*(part.to(device) for part in self))


def final_boxes(
    boxes: Tensor,
    scores: Tensor,
    size: tuple[int, int],
    inference: InferenceConfig,
    classes: Sequence[int] | None = None,
) -> ScoredBoxes:
    """All steps in Detectron's order: threshold, soft-NMS, voting by all candidates' raw scores, the image's limit.

    Works on the CPU: a hundred small steps cost more to launch on a GPU than to compute.

    Args:
        boxes: (N, C, 4) each RoI's box for each class, XYXY pixels.
        scores: (N, C) class probabilities; class 0 is the background.
        size: (height, width) that boxes are clipped to.
        inference: thresholds and methods.
        classes: the classes that compete, None for all.

    Returns:
        At most ``inference.detections_per_image`` boxes of all classes by falling score. Of detections that tie at the
        limit Detectron keeps all, this the limit's number.
    """
    found = candidates(boxes, scores, size, inference.score_threshold, classes).to(torch.device("cpu"))
    # Soft-NMS picks by falling score, so the first picks are the best ones, unless voting changes scores afterwards.
    limit = inference.detections_per_image if inference.voting in ("id", "off") else len(found.scores)
    kept = soft_nms(found, inference.nms, inference.nms_threshold, inference.nms_sigma, limit)
    if inference.voting != "off":
        kept = box_voting(kept, found, inference.voting, inference.voting_threshold, inference.voting_beta)
    best = kept.scores.argsort(descending=True, stable=True)[: inference.detections_per_image]
    return kept.at(best).to(boxes.device)


def candidates(
    boxes: Tensor, scores: Tensor, size: tuple[int, int], threshold: float, classes: Sequence[int] | None = None
) -> ScoredBoxes:
    """Every RoI's box of every competing class that scores above the threshold; arguments as in ``final_boxes``."""
    competing = torch.zeros(scores.shape[1], dtype=torch.bool, device=scores.device)
    competing[1:] = classes is None
    if classes is not None:
        competing[list(classes)] = True
    roi, label = torch.where((scores > threshold) & competing)
    found = ScoredBoxes(clip_boxes_to_image(boxes[roi, label], size), scores[roi, label], label)
    return found.at(remove_small_boxes(found.boxes, MIN_SIDE))


def soft_nms(found: ScoredBoxes, method: str, iou_threshold: float, sigma: float, limit: int) -> ScoredBoxes:
    """Pick boxes by falling score; each pick lowers the scores of the boxes of its class that it overlaps.

    Scores only fall, and only within a class, so the highest score of all classes is always the next pick: ``limit``
    picks are the ``limit`` best of running every class to its end.

    Args:
        found: candidates of all classes.
        method: ``linear`` (times 1 - IoU above the threshold), ``gaussian`` (times exp(-IoU^2 / sigma)) or ``hard``
            (dropped above the threshold: ordinary NMS).
        iou_threshold: of linear and hard.
        sigma: of gaussian.
        limit: most picks.

    Returns:
        The picks by falling score, with their lowered scores.
    """
    found = found.at(found.labels.argsort(stable=True))
    ends = found.labels.bincount().cumsum(0).tolist()
    labels = found.labels.tolist()
    left = found.scores.clone()
    picks: list[int] = []
    scores: list[float] = []
    while len(picks) < min(limit, len(labels)):
        pick = int(left.argmax())
        score = float(left[pick])
        if score <= 0:
            break
        picks.append(pick)
        scores.append(score)
        rivals = slice(ends[labels[pick] - 1] if labels[pick] else 0, ends[labels[pick]])
        weight = _decay(_overlap(found.boxes[pick], found.boxes[rivals]), method, iou_threshold, sigma)
        lowered = left[rivals] * weight
        left[rivals] = lowered.masked_fill((weight < 1) & (lowered < MIN_SCORE), 0)
        left[pick] = 0
    kept = found.at(torch.tensor(picks, dtype=torch.int64))
    return kept._replace(scores=torch.tensor(scores, dtype=kept.scores.dtype))


def _overlap(box: Tensor, boxes: Tensor) -> Tensor:
    """IoU of one box (4,) with (N, 4) boxes; torchvision's, without its checks in this innermost loop."""
    sides = torch.minimum(box[2:], boxes[:, 2:]).sub_(torch.maximum(box[:2], boxes[:, :2])).clamp_(min=0)
    common = sides[:, 0] * sides[:, 1]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return common / (areas + (box[2] - box[0]) * (box[3] - box[1]) - common)


def _decay(iou: Tensor, method: str, iou_threshold: float, sigma: float) -> Tensor:
    if method == "gaussian":
        return torch.exp(-iou.square() / sigma)
    weight = 1 - iou if method == "linear" else torch.zeros_like(iou)
    return weight.masked_fill(iou <= iou_threshold, 1)


def box_voting(
    kept: ScoredBoxes, found: ScoredBoxes, method: str, iou_threshold: float, beta: float = 1.0
) -> ScoredBoxes:
    """Move each kept box to the mean of the candidates of its class around it, weighted by their raw scores.

    Args:
        kept: boxes after NMS; each is one of ``found``.
        found: all candidates with the scores they had before NMS.
        method: the new score; ``id`` leaves it, else see ``_voted_scores``.
        iou_threshold: IoU from which a candidate votes.
        beta: temperature or exponent of some methods.
    """
    boxes, scores = kept.boxes.clone(), kept.scores.clone()
    for label in sorted(set(kept.labels.tolist())):
        mine = kept.labels == label
        voters = found.at(found.labels == label)
        iou = box_iou(kept.boxes[mine].double(), voters.boxes.double())  # (k, n)
        votes = (iou >= iou_threshold).double()  # (k, n)
        raw = voters.scores.double()  # (n,)
        weights = votes * raw
        boxes[mine] = (weights @ voters.boxes.double() / weights.sum(1, keepdim=True)).to(boxes.dtype)
        if method != "id":
            scores[mine] = _voted_scores(method, raw, votes, iou, beta).to(scores.dtype)
    return ScoredBoxes(boxes, scores, kept.labels)


def _voted_scores(method: str, raw: Tensor, votes: Tensor, iou: Tensor, beta: float) -> Tensor:
    """(k,) new scores from the voters' raw scores (n,), their votes (k, n) of 0 and 1, and their IoU (k, n)."""
    count = votes.sum(1)
    match method:
        case "avg":
            return votes @ raw / count
        case "iou_avg":
            weights = votes * iou
            return weights @ raw / weights.sum(1)
        case "generalized_avg":
            return (votes @ raw**beta / count) ** (1 / beta)
        case "quasi_sum":
            return votes @ raw / count**beta
        case "temp_avg":
            # Detectron's softmax of (log p, log(1 - p)) / beta, in its two-class form.
            return votes @ torch.sigmoid(torch.logit(raw) / beta) / count
    raise ValueError(f"no such box voting method: {method}")
