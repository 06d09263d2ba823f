"""Confidence intervals by the bootstrap over images: the matches are kept, the images are drawn again with replacement.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13: percentile intervals. An image is
drawn as a whole, for its objects are seen under one light, in one street.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluators.assignment import Outcome
from evaluators.curves import interpolated_areas, raw_areas
from evaluators.pooling import Pool, select
from evaluators.protocol import Area, Metric, Protocol

LEVEL: Final = 0.95
CELLS: Final = 200_000
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


def can_be_drawn(pool: Pool) -> bool:
    """Whether resamples of its images differ: a single one is always drawn alike."""
    return len(pool.images) > 1


def intervals(pool: Pool, metrics: Sequence[Metric], resampling: Resampling) -> dict[str, Interval]:
    """Metric -> its 95 % interval; without resamples, for metrics without a value, and for a single image there is
    none."""
    if not resampling.resamples or not can_be_drawn(pool):
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
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # NumPy lets go of the interpreter while it counts
        for class_index in np.flatnonzero(pool.ground_truths.any(axis=0)):
            own = pool.of_class[class_index]
            own = own[np.argsort(-pool.scores[own], kind="stable")]
            truths = pool.image_ground_truths[:, :, class_index]
            measure = partial(_class_aps, _points_of(pool, own, cells), pool.frame_index[own], truths, pool.protocol)
            step = max(1, CELLS // max(1, own.size))
            parts = np.split(draws, range(step, len(draws), step))
            aps[:, :, class_index] = np.concatenate(list(threads.map(measure, parts)))
    return aps


def _class_aps(
    points: Mapping[tuple[int, int], _Points],
    frames: NDArray[np.int64],
    truths: NDArray[np.int64],
    protocol: Protocol,
    draws: Draws,
) -> NDArray[np.float64]:
    """(B, M, T) AP of one class, whose predictions are in the images ``frames`` (N,) and whose objects are ``truths``
    (images, M)."""
    aps = np.full((len(draws), truths.shape[1], len(protocol.all_overlaps)), np.nan)
    weights, objects = draws[:, frames], draws @ truths
    for (mode, overlap), of_cell in points.items():
        aps[:, mode, overlap] = of_cell.areas(weights, objects[:, mode], protocol.area)
    return aps


def _points_of(pool: Pool, own: NDArray[np.int64], cells: NDArray[np.bool_]) -> dict[tuple[int, int], _Points]:
    """(mode, overlap) -> where the curve of some predictions, by descending score, may rise."""
    outcomes, scores = pool.outcomes[:, :, own], pool.scores[own]
    tied = pool.protocol.area != "interpolated"  # equal scores are one point
    groups = np.cumsum(np.diff(scores, prepend=np.inf) != 0) if tied else np.arange(own.size)
    return {(m, t): _Points.of(outcomes[m, t], groups) for m, t in np.argwhere(cells).tolist()}


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """The K points of a curve where its recall may rise: all that an area needs, and far fewer than predictions.

    Attributes:
        hits, taken: indices of the true positives, and of the predictions that count.
        last: (K,) the last true positive of each point, an index into ``hits``.
        before, after: (K,) how many of ``taken`` stand above the point, and down to it.
    """

    hits: NDArray[np.int64]
    taken: NDArray[np.int64]
    last: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]

    @classmethod
    def of(cls, outcomes: NDArray[np.int8], groups: NDArray[np.int64]) -> _Points:
        """The points of N predictions; those of one group (N,), ascending, are one point."""
        hits = np.flatnonzero(outcomes == Outcome.TRUE_POSITIVE)
        taken = np.flatnonzero(outcomes != Outcome.IGNORED)
        last = np.flatnonzero(np.diff(groups[hits], append=-1))
        rising = groups[hits[last]]
        before, after = (np.searchsorted(groups[taken], rising, side) for side in ("left", "right"))
        return cls(hits, taken, last, before, after)

    def areas(self, weights: Draws, objects: NDArray[np.int64], area: Area) -> NDArray[np.float64]:
        """(B,) AP where the predictions are there ``weights`` (B, N) times; nan without objects (B,)."""
        counts = np.zeros((len(weights), self.taken.size + 1), dtype=np.int32)
        np.cumsum(weights.take(self.taken, axis=1), axis=1, out=counts[:, 1:])
        found = np.cumsum(weights.take(self.hits, axis=1), axis=1, dtype=np.int32).take(self.last, axis=1)
        taken, some = counts.take(self.after, axis=1), np.maximum(objects, 1)
        if area == "interpolated":
            areas = interpolated_areas(found, taken, some)
        else:
            before = counts.take(self.before, axis=1)
            areas = raw_areas(found, taken, before, some, trapezoid=area == "trapezoid")
        return np.where(objects > 0, areas, np.nan)


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
