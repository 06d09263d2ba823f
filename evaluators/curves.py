"""Precision-recall curves and the area under them, as the Cityscapes family of benchmarks defines it.

Source: ``evaluateMatches`` of cityscapesScripts ``evaluation/evalInstanceLevelSemanticLabeling.py``, from "compute the
average precision" on. There is no precision envelope, no sampling at 101 recalls and no limit on detections.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Precision and recall at every distinct score, by ascending score, and one artificial last point.

    Attributes:
        thresholds: (K,) float64; predictions with at least this score are taken.
        precision: (K + 1,) float64; the last is 1.
        recall: (K + 1,) float64, not increasing; the last is 0.
    """

    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    @property
    def average_precision(self) -> float:
        """The area under the curve by the trapezoid rule; 0 without a point.

        The official code calls this step-wise integration, but weighs each precision with half the distance between
        the recalls of its two neighbours. Recall below the lowest score's is never reached and adds nothing.
        """
        padded = np.concatenate((self.recall[:1], self.recall, [0.0]))
        return float(np.dot(self.precision, 0.5 * padded[:-2] - 0.5 * padded[2:]))


def precision_recall(scores: NDArray[np.float64], hits: NDArray[np.bool_], ground_truths: int) -> Curve:
    """The curve of one class at one overlap.

    Args:
        scores: (N,) scores of the predictions that count, in any order. Equal scores make one point.
        hits: (N,) true positive or false positive.
        ground_truths: number of objects to be found, at least 1.
    """
    order = np.argsort(scores, kind="stable")
    thresholds, first = np.unique(scores[order], return_index=True)
    found_below = np.concatenate(([0], np.cumsum(hits[order])))[first]
    true_positives = np.count_nonzero(hits) - found_below
    return Curve(
        thresholds=thresholds,
        precision=np.append(true_positives / (len(scores) - first), 1.0),
        recall=np.append(true_positives / ground_truths, 0.0),
    )
