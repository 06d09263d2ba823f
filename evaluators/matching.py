"""Match the predictions of one image with its ground truth. Masks stay RLE; only pixel counts are compared.

Source: ``assignGt2Preds`` and the inner loop of ``evaluateMatches`` in cityscapesScripts
``evaluation/evalInstanceLevelSemanticLabeling.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.ground_truth import GroundTruth, Prediction, Segment
from dataset_adapters.labels import LabelTable
from dataset_adapters.problems import InputError
from dataset_adapters.rle import Rle, area, intersections, union
from evaluators.protocol import DistanceMode, Protocol


class Outcome(IntEnum):
    """What one prediction counts as, in one distance mode at one overlap."""

    IGNORED = 0
    TRUE_POSITIVE = 1
    FALSE_POSITIVE = 2


@dataclass(frozen=True, slots=True, eq=False)
class ImageMatches:
    """All that one image adds to a result: P predictions, C evaluated classes, M distance modes, T overlaps.

    Predictions of other labels and without a pixel are not among them. The order of images never matters.

    Attributes:
        frame: the image's name.
        classes: (P,) int16, index of each prediction's class in ``labels.evaluated``.
        scores: (P,) float64.
        outcomes: (M, T, P) int8, values of ``Outcome``.
        ground_truths: (M, C) int64, objects to be found. Those without a true positive are missed at every score,
            the official ``hardFns``.
        has_distances: whether all regions of evaluated classes have a distance; None when there is no such region.
    """

    frame: str
    classes: NDArray[np.int16]
    scores: NDArray[np.float64]
    outcomes: NDArray[np.int8]
    ground_truths: NDArray[np.int64]
    has_distances: bool | None

    def hard_false_negatives(self) -> NDArray[np.int64]:
        """(M, T, C) objects that no prediction found, at any score."""
        hits = self.outcomes == Outcome.TRUE_POSITIVE
        of_class = self.classes[:, None] == np.arange(self.ground_truths.shape[1])
        found: NDArray[np.int64] = hits.astype(np.int64) @ of_class.astype(np.int64)
        return self.ground_truths[:, None, :] - found


def match_image(
    protocol: Protocol, labels: LabelTable, ground_truth: GroundTruth, predictions: Sequence[Prediction]
) -> ImageMatches:
    """Match one image.

    Args:
        protocol: the benchmark's rules.
        labels: its label table; predictions of labels that it does not evaluate are passed over.
        ground_truth: the image's regions.
        predictions: the predicted objects, in any order, with masks of the image's own size; they may overlap.

    Raises:
        InputError: a mask has another size than the image.
    """
    order = {label.name: i for i, label in enumerate(labels.evaluated)}
    evaluated = [p for p in predictions if p.label in order]
    _check_sizes(ground_truth, evaluated)
    found = [p for p in evaluated if area(p.rle) > 0]
    regions = [s for s in ground_truth.segments if s.label.name in order]
    void = union([s.rle for s in ground_truth.segments if protocol.is_void(s)], ground_truth.size)
    scene = _Scene.measure(protocol, regions, found, void)
    return ImageMatches(
        frame=ground_truth.frame,
        classes=np.array([order[p.label] for p in found], dtype=np.int16),
        scores=scene.scores,
        outcomes=np.stack([scene.outcomes(protocol, mode) for mode in protocol.modes]),
        ground_truths=np.stack([_count(scene.counted(mode), regions, order) for mode in protocol.modes]),
        has_distances=all(s.distance_m is not None for s in regions) if regions else None,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """P predictions and the G regions of evaluated classes that one image has, in pixel counts.

    Attributes:
        scores, areas, void_pixels: (P,) of each prediction; ``void_pixels`` are those on void.
        common: (P, G) shared pixels, 0 where the classes differ.
        pixels, distances, densities: (G,) of each region.
        groups: (G,) the region forgives instead of being looked for.
    """

    scores: NDArray[np.float64]
    areas: NDArray[np.int64]
    void_pixels: NDArray[np.int64]
    common: NDArray[np.int64]
    pixels: NDArray[np.int64]
    distances: NDArray[np.float64]
    densities: NDArray[np.float64]
    groups: NDArray[np.bool_]

    @classmethod
    def measure(cls, protocol: Protocol, regions: Sequence[Segment], found: Sequence[Prediction], void: Rle) -> _Scene:
        return cls(
            scores=np.array([p.score for p in found], dtype=np.float64),
            areas=np.array([area(p.rle) for p in found], dtype=np.int64),
            void_pixels=intersections([p.rle for p in found], [void])[:, 0],
            common=_common_pixels(found, regions),
            pixels=np.array([s.pixels for s in regions], dtype=np.int64),
            # Without a distance: the official defaults, medDist = -1 and distConf = 0.
            distances=np.array([-1.0 if s.distance_m is None else s.distance_m for s in regions]),
            densities=np.array([s.stereo_density or 0.0 for s in regions]),
            groups=np.array([s.is_group and not protocol.groups_count for s in regions], dtype=np.bool_),
        )

    def fits(self, mode: DistanceMode) -> NDArray[np.bool_]:
        """(G,) regions large, near and well measured enough for the mode."""
        near = (self.distances <= mode.max_distance_m) & (self.densities >= mode.min_stereo_density)
        return near & (self.pixels >= mode.min_pixels)

    def counted(self, mode: DistanceMode) -> NDArray[np.bool_]:
        """(G,) regions that are objects to be found."""
        return self.fits(mode) & ~self.groups

    def outcomes(self, protocol: Protocol, mode: DistanceMode) -> NDArray[np.int8]:
        """(T, P) ``Outcome`` of every prediction.

        With overlaps of at least 0.5 and disjoint regions a prediction matches one region at most, so the regions
        need no bookkeeping. Of the predictions that match an object the best is a true positive and the others are
        false; one that matches a region which does not count is ignored.
        """
        iou = self.common / (self.areas[:, None] + self.pixels - self.common)
        matched = protocol.overlaps_enough(iou)
        hits = matched & self.counted(mode)
        best = self._best(hits)
        unmatched = ~matched.any(axis=2) & ~self._forgiven(protocol, mode)
        outcomes = np.full(best.shape, Outcome.IGNORED, dtype=np.int8)
        outcomes[hits.any(axis=2) | unmatched] = Outcome.FALSE_POSITIVE
        outcomes[best] = Outcome.TRUE_POSITIVE
        return outcomes

    def _best(self, hits: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(T, P) predictions with the highest score among the ``hits`` (T, P, G) of some object."""
        best = np.zeros(hits.shape[:2], dtype=np.bool_)
        if hits.any():
            winners = np.where(hits, self.scores[:, None], -np.inf).argmax(axis=1)
            overlap, region = np.nonzero(hits.any(axis=1))
            best[overlap, winners[overlap, region]] = True
        return best

    def _forgiven(self, protocol: Protocol, mode: DistanceMode) -> NDArray[np.bool_]:
        """(T, P) predictions of which more than the overlap's share lies on regions that forgive.

        So the greater the overlap, the less is forgiven; and a group that is also small or far counts twice. Both are
        the official code's.
        """
        weights = self.groups.astype(np.int64) + ~self.fits(mode)
        share = (self.void_pixels + self.common @ weights) / self.areas
        return share > protocol.thresholds(share.ndim)


def _common_pixels(found: Sequence[Prediction], regions: Sequence[Segment]) -> NDArray[np.int64]:
    """(P, G) shared pixels of predictions and regions of the same class, 0 elsewhere."""
    common = np.zeros((len(found), len(regions)), dtype=np.int64)
    for name in {s.label.name for s in regions}:
        rows = [i for i, p in enumerate(found) if p.label == name]
        columns = [i for i, s in enumerate(regions) if s.label.name == name]
        common[np.ix_(rows, columns)] = intersections([found[i].rle for i in rows], [regions[i].rle for i in columns])
    return common


def _count(counted: NDArray[np.bool_], regions: Sequence[Segment], order: Mapping[str, int]) -> NDArray[np.int64]:
    """(C,) number of counted regions of each class."""
    classes = np.array([order[s.label.name] for s in regions], dtype=np.int64)
    return np.bincount(classes[counted], minlength=len(order))


def _check_sizes(ground_truth: GroundTruth, predictions: Sequence[Prediction]) -> None:
    height, width = ground_truth.size
    for number, prediction in enumerate(predictions, start=1):
        if tuple(prediction.rle["size"]) != ground_truth.size:
            found_height, found_width = prediction.rle["size"]
            raise InputError(
                ground_truth.frame, found=f"a mask of {found_width} x {found_height} pixels (prediction {number}, "
                f"{prediction.label})", expected=f"{width} x {height}, the size of the image",
                fix="Paste the masks at the image's own size.",
            )  # fmt: skip
