"""Reduce: the matches of many images as one pool, and the AP of every class, distance mode and overlap in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.labels import LabelTable
from evaluators.curves import Curve, precision_recall
from evaluators.matching import ImageMatches, Outcome
from evaluators.protocol import Protocol


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The matches of any set of images; shapes as in ``ImageMatches``, P being all predictions of all images.

    Attributes:
        frames: names of the images, in the order of ``frame_index``.
        frame_index: (P,) the image of each prediction.
        image_ground_truths: (images, M, C) objects to be found.
    """

    frames: tuple[str, ...]
    frame_index: NDArray[np.int64]
    classes: NDArray[np.int16]
    scores: NDArray[np.float64]
    outcomes: NDArray[np.int8]
    image_ground_truths: NDArray[np.int64]

    @classmethod
    def of(cls, protocol: Protocol, labels: LabelTable, matches: Sequence[ImageMatches]) -> Pool:
        """Join the images in name order, so that the order in which they were matched leaves no trace.

        Raises:
            ValueError: an image is there twice.
        """
        matches = sorted(matches, key=lambda image: image.frame)
        for one, other in pairwise(matches):
            if one.frame == other.frame:
                raise ValueError(f"image {one.frame} was matched twice")
        modes, overlaps, classes = len(protocol.modes), len(protocol.overlaps), len(labels.evaluated)
        no_outcome = np.empty((modes, overlaps, 0), dtype=np.int8)
        truths = [image.ground_truths for image in matches]
        sizes = np.array([image.scores.size for image in matches], dtype=np.int64)
        return cls(
            frames=tuple(image.frame for image in matches),
            frame_index=np.repeat(np.arange(len(matches)), sizes),
            classes=np.concatenate([np.empty(0, np.int16), *(image.classes for image in matches)]),
            scores=np.concatenate([np.empty(0), *(image.scores for image in matches)]),
            outcomes=np.concatenate([no_outcome, *(image.outcomes for image in matches)], axis=2),
            image_ground_truths=np.array(truths, dtype=np.int64).reshape(-1, modes, classes),
        )

    def subset(self, frames: Collection[str]) -> Pool:
        """The pool of those images alone that are among ``frames``."""
        kept_images = np.array([frame in frames for frame in self.frames], dtype=np.bool_)
        kept = kept_images[self.frame_index]
        return Pool(
            frames=tuple(frame for frame in self.frames if frame in frames),
            frame_index=(np.cumsum(kept_images) - 1)[self.frame_index[kept]],
            classes=self.classes[kept],
            scores=self.scores[kept],
            outcomes=self.outcomes[:, :, kept],
            image_ground_truths=self.image_ground_truths[kept_images],
        )

    @property
    def ground_truths(self) -> NDArray[np.int64]:
        """(M, C) objects to be found in all images."""
        totals: NDArray[np.int64] = self.image_ground_truths.sum(axis=0)
        return totals

    def curve(self, mode: int, overlap: int, class_index: int) -> Curve | None:
        """The precision-recall curve at these indices, None for a class without an object to be found."""
        objects = int(self.ground_truths[mode, class_index])
        if objects == 0:
            return None
        outcomes = self.outcomes[mode, overlap]
        counts = (self.classes == class_index) & (outcomes != Outcome.IGNORED)
        return precision_recall(self.scores[counts], outcomes[counts] == Outcome.TRUE_POSITIVE, objects)

    def average_precisions(self) -> NDArray[np.float64]:
        """(M, C, T) AP; nan for a class without an object to be found, whose false positives thus cost nothing."""
        aps = np.full((*self.ground_truths.shape, self.outcomes.shape[1]), np.nan)
        for mode, class_index, overlap in np.ndindex(aps.shape):
            curve = self.curve(mode, overlap, class_index)
            if curve is not None:
                aps[mode, class_index, overlap] = curve.average_precision
        return aps

    def false_positives_per_image(self, score: float) -> float | None:
        """Mean number of false positives at overlap 0.5 with at least this score; None without an image."""
        outcomes = self.outcomes[0, 0]
        count = np.count_nonzero((outcomes == Outcome.FALSE_POSITIVE) & (self.scores >= score))
        return count / len(self.frames) if self.frames else None
