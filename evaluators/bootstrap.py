"""Confidence intervals by the bootstrap over images: the matches are kept, the images are drawn again with replacement.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13: percentile intervals. An image is
drawn as a whole, for its objects are seen under one light, in one street.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluators.assignment import Outcome
from evaluators.curves import areas_under
from evaluators.pooling import Pool, select
from evaluators.protocol import Area, Metric

LEVEL: Final = 0.95
CELLS: Final = 50_000
"""Predictions times resamples that are looked at at a time, so that they stay in the processor's cache."""

Draws = NDArray[np.int32]
"""(B, images) how often each image is in each resample."""
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Resampling:
    """How often the images are drawn again, and the seed: the same one gives the same intervals."""

    resamples: int
    seed: int = 0

    def draws(self, images: int) -> Draws:
        """As many draws as there are images, ``resamples`` times."""
        random = np.random.default_rng(self.seed)
        return random.multinomial(images, np.full(images, 1 / images), size=self.resamples).astype(np.int32)


def intervals(pool: Pool, metrics: Sequence[Metric], resampling: Resampling) -> dict[str, Interval]:
    """Metric -> its 95 % interval; without resamples, and for metrics without a value, there is none."""
    if not resampling.resamples or not pool.images:
        return {}
    samples = resampled_means(pool, metrics, resampling.draws(len(pool.images)))
    return {name: interval(values) for name, values in samples.items() if not np.isnan(values).all()}


def interval(values: NDArray[np.float64]) -> Interval:
    """The 2.5 and 97.5 per cent quantiles of the values that are defined."""
    low, high = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def resampled_means(pool: Pool, metrics: Sequence[Metric], draws: Draws) -> dict[str, NDArray[np.float64]]:
    """Metric -> (B,) its mean over classes in every resample; nan where no class has an object."""
    wanted = [metric for metric in metrics if metric.detections is None]
    cells = np.zeros((len(pool.protocol.modes), len(pool.protocol.all_overlaps)), dtype=np.bool_)
    for metric in wanted:
        cells[pool.protocol.mode_index(metric.mode), pool.protocol.overlap_indices(metric)] = True
    numbers = {metric.detections for metric in metrics} - {None}
    values = {None: _resampled_aps(pool, draws, cells)} | {n: _resampled_recalls(pool, draws, n) for n in numbers if n}
    return {
        metric.name: _means(np.stack([select(pool.protocol, metric, of_draw) for of_draw in values[metric.detections]]))
        for metric in metrics
    }


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B,) means of (B, C, T) over what is defined."""
    flat = values.reshape(len(values), -1)
    defined = ~np.isnan(flat)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(defined, flat, 0.0).sum(axis=1) / defined.sum(axis=1))


def _resampled_aps(pool: Pool, draws: Draws, cells: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(B, M, C, T) AP in every resample, of those (mode, overlap) that ``cells`` (M, T) names; nan elsewhere."""
    modes, classes = pool.ground_truths.shape
    aps = np.full((len(draws), modes, classes, cells.shape[1]), np.nan)
    for class_index in np.flatnonzero(pool.ground_truths.any(axis=0)):
        own = pool.of_class[class_index]
        own = own[np.argsort(-pool.scores[own], kind="stable")]
        outcomes, scores = pool.outcomes[:, :, own], pool.scores[own]
        step = max(1, CELLS // max(1, own.size))
        for start in range(0, len(draws), step):
            part = draws[start : start + step]
            weights = part[:, pool.frame_index[own]]
            objects = part @ pool.image_ground_truths[:, :, class_index]  # (B, M)
            for mode, overlap in np.argwhere(cells):
                aps[start : start + step, mode, class_index, overlap] = _weighted_aps(
                    weights, scores, outcomes[mode, overlap], objects[:, mode], pool.protocol.area
                )
    return aps


def _weighted_aps(
    weights: Draws, scores: NDArray[np.float64], outcomes: NDArray[np.int8], objects: NDArray[np.int64], area: Area
) -> NDArray[np.float64]:
    """(B,) AP of predictions (N,) in descending order of score that are there ``weights`` (B, N) times.

    One that is ignored repeats the point before it. One drawn k times is k predictions with one score: ``interpolated``
    would make k points of them, of which the envelope keeps the last, or for a false positive the one before.
    """
    true_positives = np.cumsum(weights * (outcomes == Outcome.TRUE_POSITIVE), axis=1, dtype=np.int32)
    taken = np.cumsum(weights * (outcomes != Outcome.IGNORED), axis=1, dtype=np.int32)
    last = np.append(scores[1:] != scores[:-1], True)[: scores.size]
    if area != "interpolated" and not last.all():  # equal scores are one point
        true_positives, taken = true_positives[:, last], taken[:, last]
    with np.errstate(invalid="ignore", divide="ignore"):
        # Above all that was drawn: the artificial point of the trapezoid, or nothing for the envelope to keep.
        precision = np.where(taken > 0, true_positives / taken, 0.0 if area == "interpolated" else 1.0)
        recall = true_positives / objects[:, None]
    areas = areas_under(precision, recall, area)
    areas[objects == 0] = np.nan
    return areas


def _resampled_recalls(pool: Pool, draws: Draws, detections: int) -> NDArray[np.float64]:
    """(B, M, C, T) recall of the best ``detections`` of each class in each image."""
    hits = (pool.outcomes == Outcome.TRUE_POSITIVE) & (pool.ranks < detections)
    modes, overlaps, _ = hits.shape
    classes = len(pool.labels.evaluated)
    found = np.zeros((len(pool.images), modes, classes, overlaps), dtype=np.int64)
    mode, overlap, prediction = np.nonzero(hits)
    np.add.at(found, (pool.frame_index[prediction], mode, pool.classes[prediction], overlap), 1)
    with np.errstate(invalid="ignore"):
        objects = np.tensordot(draws.astype(np.float64), pool.image_ground_truths, axes=1)
        return np.asarray(np.tensordot(draws.astype(np.float64), found, axes=1) / objects[..., None])
