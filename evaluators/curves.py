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


Counts = NDArray[np.int32] | NDArray[np.int64]


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
    ordered, hits = scores[order], hits[order]
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))[: len(ordered)])
    true_positives = np.cumsum(hits[::-1])[::-1][first]
    precision = np.append(true_positives / (len(scores) - first), 1.0)
    recall = np.append(true_positives / ground_truths, 0.0)
    under = _trapezoid(precision, recall) if area == "trapezoid" else float(-np.diff(recall) @ precision[:-1])
    return Curve(ordered[first], precision, recall, under)


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


def raw_areas(
    found: Counts, taken: Counts, taken_before: Counts, objects: NDArray[np.int64], *, trapezoid: bool
) -> NDArray[np.float64]:
    """The areas under many curves without envelope, from the points where their recall rises; points may repeat.

    Args:
        found, taken: (B, K) true positives, and predictions that count, down to each point, by descending score.
        taken_before: (B, K) predictions that count above each point.
        objects: (B,) objects to be found, at least 1.
        trapezoid: with half of each precision from the point before it, instead of step-wise.

    Returns:
        (B,) the same numbers as ``precision_recall`` gives, up to the rounding of sums.
    """
    before = np.zeros_like(found)
    before[:, 1:] = found[:, :-1]
    precision = found / np.maximum(taken, 1)
    if trapezoid:
        artificial = taken_before == 0  # precision 1 above all that was drawn
        precision += (before + artificial) / np.maximum(taken_before, 1)
        precision /= 2
    return np.asarray(np.einsum("bk,bk->b", found - before, precision) / objects)


def interpolated_areas(found: Counts, taken: Counts, objects: NDArray[np.int64]) -> NDArray[np.float64]:
    """The same with COCO's envelope. The K points have to hold those where the recall rises; others may be there.

    A prediction that is there k times is k points for COCO, of which the envelope keeps the last.
    """
    rows, points = found.shape
    if points == 0:
        return np.zeros(rows)
    precision = found / np.maximum(taken, 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    lanes = np.arange(rows)[:, None] * (int(max(found.max(), objects.max())) + 1)  # one sorted list for all rows
    reached = np.searchsorted((found + lanes).ravel(), (_wanted(objects) + lanes).ravel()).reshape(rows, -1)
    reached -= np.arange(rows)[:, None] * points
    padded = np.append(envelope, np.zeros((rows, 1)), axis=1)
    return np.asarray(np.take_along_axis(padded, np.minimum(reached, points), axis=1).mean(axis=1))


def _wanted(objects: NDArray[np.int64]) -> NDArray[np.int64]:
    """(B, 101) the least number of true positives that reaches each of COCO's recalls, by its own division."""
    count = objects[:, None]
    wanted = np.ceil(RECALLS * count)
    wanted -= (wanted - 1) / count >= RECALLS
    wanted += wanted / count < RECALLS
    return wanted.astype(np.int64)
