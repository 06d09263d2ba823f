"""Reduce: the matches of many images as one pool, and the AP of every class, mode and overlap in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.labels import LabelTable
from evaluators.assignment import Outcome, rank_in_class
from evaluators.census import Census
from evaluators.curves import Curve, interpolated_areas, precision_recall
from evaluators.matching import ImageMatches
from evaluators.protocol import Metric, Protocol

MEAN: Final = "mean"
"""The last row of every table."""

Table = dict[str, dict[str, float | None]]
"""Row (classes, then ``mean``) -> metric -> value; None (JSON null) where there is no object to be found."""


@dataclass(frozen=True, eq=False)
class Pool:
    """The matches of any set of images; shapes as in ``ImageMatches``, P being all predictions of all images.

    Attributes:
        protocol, labels: those that the images were matched with.
        images: the images in the order of their numbers and names.
    """

    protocol: Protocol
    labels: LabelTable
    images: tuple[ImageMatches, ...]

    @classmethod
    def of(cls, protocol: Protocol, labels: LabelTable, matches: Sequence[ImageMatches]) -> Pool:
        """Join the images by number and name, so that the order in which they were matched leaves no trace.

        pycocotools takes equal scores in the order of the image ids.

        Raises:
            ValueError: an image is there twice.
        """
        images = tuple(sorted(matches, key=lambda image: (image.number, image.frame)))
        for one, other in pairwise(sorted(image.frame for image in images)):
            if one == other:
                raise ValueError(f"image {one} was matched twice")
        return cls(protocol, labels, images)

    def subset(self, frames: Collection[str]) -> Pool:
        """The pool of those images alone that are among ``frames``."""
        return Pool(self.protocol, self.labels, tuple(image for image in self.images if image.frame in frames))

    @property
    def missing(self) -> int:
        """How many of the images have no predictions, not even an empty list."""
        return sum(image.missing for image in self.images)

    @cached_property
    def frame_index(self) -> NDArray[np.int64]:
        """(P,) the image of each prediction."""
        return np.repeat(np.arange(len(self.images)), [image.scores.size for image in self.images])

    @cached_property
    def classes(self) -> NDArray[np.int16]:
        """(P,) class index of each prediction."""
        return np.concatenate([np.empty(0, np.int16), *(image.classes for image in self.images)])

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """(P,) its score."""
        return np.concatenate([np.empty(0), *(image.scores for image in self.images)])

    @cached_property
    def outcomes(self) -> NDArray[np.int8]:
        """(M, T, P) its outcomes."""
        none = np.empty((len(self.protocol.modes), len(self.protocol.all_overlaps), 0), dtype=np.int8)
        return np.concatenate([none, *(image.outcomes for image in self.images)], axis=2)

    @cached_property
    def image_ground_truths(self) -> NDArray[np.int64]:
        """(images, M, C) objects to be found."""
        truths = np.array([image.ground_truths for image in self.images], dtype=np.int64)
        return truths.reshape(-1, len(self.protocol.modes), len(self.labels.evaluated))

    @cached_property
    def ground_truths(self) -> NDArray[np.int64]:
        """(M, C) objects to be found in all images."""
        totals: NDArray[np.int64] = self.image_ground_truths.sum(axis=0)
        return totals

    @cached_property
    def of_class(self) -> list[NDArray[np.int64]]:
        """For each class the indices of its predictions, in order."""
        order = np.argsort(self.classes, kind="stable")
        ends = np.searchsorted(self.classes[order], np.arange(1, len(self.labels.evaluated)))
        return np.split(order, ends)

    @cached_property
    def ranks(self) -> NDArray[np.int64]:
        """(P,) position by score among the predictions of its class in its image, the best 0."""
        return rank_in_class(self.frame_index * len(self.labels.evaluated) + self.classes, self.scores)

    @property
    def census(self) -> Census:
        """What all predictions together look like."""
        return Census.total(image.census for image in self.images)

    def curve(self, mode: int, overlap: int, class_index: int) -> Curve | None:
        """The precision-recall curve at these indices, None for a class without an object to be found."""
        objects = int(self.ground_truths[mode, class_index])
        if objects == 0:
            return None
        own = self.of_class[class_index]
        outcomes = self.outcomes[mode, overlap, own]
        counts = outcomes != Outcome.IGNORED
        return precision_recall(
            self.scores[own[counts]], outcomes[counts] == Outcome.TRUE_POSITIVE, objects, self.protocol.area
        )

    def average_precisions(self) -> NDArray[np.float64]:
        """(M, C, T) AP; nan for a class without an object to be found, whose false positives thus cost nothing."""
        if self.protocol.area == "interpolated":
            return self._interpolated_precisions()
        aps = np.full((*self.ground_truths.shape, self.outcomes.shape[1]), np.nan)
        for mode, class_index, overlap in np.ndindex(aps.shape):
            curve = self.curve(mode, overlap, class_index)
            if curve is not None:
                aps[mode, class_index, overlap] = curve.average_precision
        return aps

    def _interpolated_precisions(self) -> NDArray[np.float64]:
        """The same for COCO's 80 classes in four modes, all overlaps at once; what is ignored repeats a point."""
        aps = np.full((*self.ground_truths.shape, self.outcomes.shape[1]), np.nan)
        for class_index in np.flatnonzero(self.ground_truths.any(axis=0)):
            own = self.of_class[class_index]
            outcomes = self.outcomes[:, :, own[np.argsort(-self.scores[own], kind="stable")]]
            found = np.cumsum(outcomes == Outcome.TRUE_POSITIVE, axis=2)
            taken = np.cumsum(outcomes != Outcome.IGNORED, axis=2)
            for mode in np.flatnonzero(self.ground_truths[:, class_index]):
                objects = np.full(len(found[mode]), self.ground_truths[mode, class_index])
                aps[mode, class_index] = interpolated_areas(found[mode], taken[mode], objects)
        return aps

    def recalls(self, detections: int) -> NDArray[np.float64]:
        """(M, C, T) share of the objects found by the best ``detections`` of each class in each image; nan as above."""
        hits = (self.outcomes == Outcome.TRUE_POSITIVE) & (self.ranks < detections)
        found = np.stack([hits[:, :, own].sum(axis=2) for own in self.of_class], axis=1)
        with np.errstate(invalid="ignore"):
            return np.asarray(found / self.ground_truths[:, :, None])

    def table(self, metrics: Sequence[Metric]) -> Table:
        """Every metric of every class, and the mean over all classes and overlaps as the last row."""
        aps = self.average_precisions() if any(metric.detections is None for metric in metrics) else None
        values = {m.name: select(self.protocol, m, aps if m.detections is None else self.recalls(m.detections))
                  for m in metrics}  # fmt: skip
        rows = {
            label.name: {name: mean(of_classes[i]) for name, of_classes in values.items()}
            for i, label in enumerate(self.labels.evaluated)
        }
        return {**rows, MEAN: {name: mean(of_classes) for name, of_classes in values.items()}}

    def false_positives_per_image(self, score: float) -> float | None:
        """Mean number of false positives at overlap 0.5 with at least this score; None without an image."""
        outcomes = self.outcomes[0, 0]
        count = int(np.count_nonzero((outcomes == Outcome.FALSE_POSITIVE) & (self.scores >= score)))
        return count / len(self.images) if self.images else None


def select(protocol: Protocol, metric: Metric, values: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """(C, overlaps of the metric) out of (M, C, T)."""
    assert values is not None  # the AP are computed when a metric asks for them
    selected: NDArray[np.float64] = values[protocol.mode_index(metric.mode)][:, protocol.overlap_indices(metric)]
    return selected


def mean(values: NDArray[np.float64]) -> float | None:
    """The mean of what is defined, None if nothing is."""
    return None if np.isnan(values).all() else float(np.nanmean(values))
