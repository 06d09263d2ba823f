"""Precision-recall curves and the area under them.

Sources: ``evaluateMatches`` of cityscapesScripts ``evaluation/evalInstanceLevelSemanticLabeling.py``, from "compute the
average precision" on, where equal scores are one point and there is no precision envelope; ``accumulate`` of
``pycocotools/cocoeval.py``, where every prediction is a point and the precision is read off at 101 recalls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluators.protocol import Area

RECALLS: Final = np.linspace(0.0, 1.0, 101)
"""The recalls at which COCO reads the precision."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Precision and recall by ascending score, and one artificial last point.

    Attributes:
        thresholds: (K,) float64; predictions with at least this score are taken.
        precision: (K + 1,) float64; the last is 1, or the greatest where the precision is interpolated.
        recall: (K + 1,) float64, not increasing; the last is 0.
        average_precision: the area under the curve; 0 without a point.
    """

    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    average_precision: float


def precision_recall(
    scores: NDArray[np.float64], hits: NDArray[np.bool_], ground_truths: int, area: Area = "trapezoid"
) -> Curve:
    """The curve of one class at one overlap.

    Args:
        scores: (N,) scores of the predictions that count. The order of equal scores matters to ``interpolated`` alone.
        hits: (N,) true positive or false positive.
        ground_truths: number of objects to be found, at least 1.
        area: ``trapezoid`` is what the Cityscapes family computes, ``steps`` what its comment says (each precision
            holds down to the next recall), ``interpolated`` COCO's.
    """
    if area == "interpolated":
        return _interpolated(scores, hits, ground_truths)
    order = np.argsort(scores, kind="stable")
    thresholds, first = np.unique(scores[order], return_index=True)
    found_below = np.concatenate(([0], np.cumsum(hits[order])))[first]
    true_positives = np.count_nonzero(hits) - found_below
    precision = np.append(true_positives / (len(scores) - first), 1.0)
    recall = np.append(true_positives / ground_truths, 0.0)
    under = _trapezoid(precision, recall) if area == "trapezoid" else float(-np.diff(recall) @ precision[:-1])
    return Curve(thresholds, precision, recall, under)


def _trapezoid(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> float:
    """What the official code calls step-wise: each precision weighs half the distance of its neighbours' recalls.

    Recall below the lowest score's is never reached and adds nothing.
    """
    padded = np.concatenate((recall[:1], recall, [0.0]))
    return float(np.dot(precision, 0.5 * padded[:-2] - 0.5 * padded[2:]))


def _interpolated(scores: NDArray[np.float64], hits: NDArray[np.bool_], ground_truths: int) -> Curve:
    order = np.argsort(-scores, kind="stable")
    true_positives = np.cumsum(hits[order])
    recall = true_positives / ground_truths
    precision = np.maximum.accumulate((true_positives / np.arange(1, len(scores) + 1))[::-1])[::-1]
    reached = np.searchsorted(recall, RECALLS, side="left")
    under = float(np.append(precision, 0.0)[reached].mean())
    return Curve(
        thresholds=scores[order][::-1],
        precision=np.append(precision[::-1], precision[:1] if precision.size else 0.0),
        recall=np.append(recall[::-1], 0.0),
        average_precision=under,
    )


def areas_under(precision: NDArray[np.float64], recall: NDArray[np.float64], area: Area) -> NDArray[np.float64]:
    """The areas under many curves at once.

    Args:
        precision, recall: (B, K) by descending score, so with recall not decreasing; points may repeat.
        area: how to take it.

    Returns:
        (B,) the same numbers as ``precision_recall`` gives, up to the rounding of sums.
    """
    if area == "interpolated":
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        reached = np.searchsorted(RECALLS, recall.ravel(), side="right").reshape(recall.shape)
        return np.asarray((np.diff(reached, axis=1, prepend=0) * envelope).sum(axis=1) / RECALLS.size)
    gained = np.diff(recall, axis=1, prepend=0.0)
    if area == "trapezoid":
        before = np.concatenate((np.ones((len(precision), 1)), precision[:, :-1]), axis=1)
        precision = (before + precision) / 2
    return np.asarray((gained * precision).sum(axis=1))
