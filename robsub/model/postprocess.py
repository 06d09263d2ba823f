"""Soft-NMS and box voting: from the box head's outputs to the final boxes.

Detectron's ``box_results_with_nms_and_limit`` (``core/test.py``), ``soft_nms`` (``utils/cython_nms.pyx``) and
``box_voting`` (``utils/boxes.py``), without their loop over classes. Soft-NMS: Bodla et al. 2017; box voting: Gidaris
and Komodakis 2015.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops.boxes import clip_boxes_to_image, remove_small_boxes

from robsub.recipe import InferenceConfig

MIN_SCORE = 1e-4
"""A box whose score decays below this is dropped (Detectron's ``score_thresh`` of soft-NMS)."""
MIN_SIDE = 0.01
"""Boxes with a shorter side, pixels, are dropped."""
PICKS_AT_A_TIME = 256
"""Picks that are held against all candidates of their class at a time: memory for thousands of picks is that for so
many."""


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


def _overlap(a: Tensor, b: Tensor) -> Tensor:
    """IoU of boxes (..., 4), pair by pair as they broadcast; without checks, for soft-NMS's innermost loop."""
    sides = torch.minimum(a[..., 2:], b[..., 2:]).sub_(torch.maximum(a[..., :2], b[..., :2])).clamp_(min=0)
    common = sides[..., 0] * sides[..., 1]
    return common / (_area(a) + _area(b) - common)


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


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
    boxes = found.boxes.double()
    parts = [_votes(kept, found, first, iou_threshold) for first in range(0, len(kept.labels), PICKS_AT_A_TIME)]
    pick, voter, iou = (torch.cat(part) for part in zip(*parts, strict=True)) if parts else _votes(kept, found, 0, 1)
    raw = found.scores.double()[voter]  # (v,)

    def over_votes(values: Tensor) -> Tensor:
        """(k, ...) the sums of (v, ...) over each pick's votes."""
        return values.new_zeros(len(kept.labels), *values.shape[1:]).index_add_(0, pick, values)

    moved = over_votes(raw[:, None] * boxes[voter]) / over_votes(raw)[:, None]  # (k, 4)
    scores = kept.scores if method == "id" else _voted_scores(method, raw, iou, over_votes, beta)
    return ScoredBoxes(moved.to(kept.boxes.dtype), scores.to(kept.scores.dtype), kept.labels)


def _votes(kept: ScoredBoxes, found: ScoredBoxes, first: int, iou_threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """(v,) pick, candidate and IoU of every vote for some of the picks, from ``first`` on."""
    some = slice(first, first + PICKS_AT_A_TIME)
    pick, voter = torch.where(kept.labels[some, None] == found.labels)  # (p,) all pairs of a class, by pick
    iou = _overlap(kept.boxes[some].double().index_select(0, pick), found.boxes.double().index_select(0, voter))
    near = iou >= iou_threshold
    return pick[near] + first, voter[near], iou[near]


def _voted_scores(method: str, raw: Tensor, iou: Tensor, over_votes: Callable[[Tensor], Tensor], beta: float) -> Tensor:
    """(k,) new scores from the votes' raw scores and IoUs, (v,) each, and what sums over each pick's votes."""
    count = over_votes(torch.ones_like(raw))
    match method:
        case "avg":
            return over_votes(raw) / count
        case "iou_avg":
            return over_votes(iou * raw) / over_votes(iou)
        case "generalized_avg":
            return (over_votes(raw**beta) / count) ** (1 / beta)
        case "quasi_sum":
            return (over_votes(raw) / count**beta).clamp(max=1)  # which a beta below 1 can leave
        case "temp_avg":
            # Detectron's softmax of (log p, log(1 - p)) / beta, in its two-class form.
            return over_votes(torch.sigmoid(torch.logit(raw) / beta)) / count
    raise ValueError(f"no such box voting method: {method}")
