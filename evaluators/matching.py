"""Match the predictions of one image with its ground truth, to all that the image adds to a result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.ground_truth import GroundTruth, Prediction
from dataset_adapters.labels import LabelTable
from dataset_adapters.problems import InputError, first_of
from evaluators.assignment import Outcome, assign
from evaluators.census import Census
from evaluators.errors import classify_errors
from evaluators.protocol import Protocol
from evaluators.scene import Scene

__all__ = ["ImageMatches", "Outcome", "match_image"]


@dataclass(frozen=True, slots=True, eq=False)
class ImageMatches:
    """All that one image adds to a result: P predictions, C evaluated classes, M modes, T overlaps, G objects.

    Predictions of other labels are not among them, nor, but for a one-to-one protocol, those without a pixel. The
    order in which images were matched never matters.

    Attributes:
        frame: the image's name.
        classes: (P,) int16, index of each prediction's class in ``labels.evaluated``.
        scores: (P,) float64.
        outcomes: (M, T, P) int8, values of ``Outcome``.
        ground_truths: (M, C) int64, objects to be found. Those without a true positive are missed at every score,
            the official ``hardFns``.
        errors: (P,) int8, values of ``ErrorKind``, in the first mode at overlap 0.5.
        targets: (P,) int16, the object that a false positive could have found, -1 if none.
        objects: (G,) int16, class index of each object of the first mode.
        found: (G,) bool, whether it has a true positive at overlap 0.5.
        has_distances: whether all regions of evaluated classes have a distance; None when there is no such region.
        census: what the predictions look like.
        missing: there are no predictions of the image, not even an empty list.
        number: the image's number in its data set, by which equal scores are ordered; 0 where it has a name only.
    """

    frame: str
    classes: NDArray[np.int16]
    scores: NDArray[np.float64]
    outcomes: NDArray[np.int8]
    ground_truths: NDArray[np.int64]
    errors: NDArray[np.int8]
    targets: NDArray[np.int16]
    objects: NDArray[np.int16]
    found: NDArray[np.bool_]
    has_distances: bool | None
    census: Census
    missing: bool = False
    number: int = 0

    def hard_false_negatives(self) -> NDArray[np.int64]:
        """(M, T, C) objects that no prediction found, at any score."""
        hits = self.outcomes == Outcome.TRUE_POSITIVE
        of_class = self.classes[:, None] == np.arange(self.ground_truths.shape[1])
        found: NDArray[np.int64] = hits.astype(np.int64) @ of_class.astype(np.int64)
        return self.ground_truths[:, None, :] - found


def match_image(
    protocol: Protocol, labels: LabelTable, ground_truth: GroundTruth, predictions: Sequence[Prediction] | None
) -> ImageMatches:
    """Match one image.

    Args:
        protocol: the rules.
        labels: the label table; predictions of labels that it does not evaluate are counted and passed over.
        ground_truth: the image's regions.
        predictions: the predicted objects with masks of the image's own size; they may overlap. Their order matters
            only to a one-to-one protocol, and there only for equal scores. None counts as empty, and as missing.

    Raises:
        InputError: a mask has another size than the image, or a score is not finite.
    """
    order = {label.name: i for i, label in enumerate(labels.evaluated)}
    missing, predictions = predictions is None, predictions or []
    evaluated = [p for p in predictions if p.label in order]
    _check(ground_truth, evaluated)
    regions = [s for s in ground_truth.segments if s.label.name in order]
    scene = Scene.measure(protocol, order, ground_truth.segments, evaluated, ground_truth.size)
    outcomes, hit = assign(protocol, scene)
    errors, targets = classify_errors(protocol, scene, outcomes, hit)
    counted = scene.counted
    objects = counted[0]
    counts = [np.bincount(scene.region_classes[of_mode], minlength=len(order)) for of_mode in counted]
    return ImageMatches(
        frame=ground_truth.frame,
        classes=scene.classes,
        scores=scene.scores,
        outcomes=outcomes,
        ground_truths=np.stack(counts).astype(np.int64),
        errors=errors,
        targets=targets,
        objects=scene.region_classes[objects],
        found=hit[objects],
        has_distances=all(s.distance_m is not None for s in regions) if regions else None,
        census=Census.of(predictions, order, scene.areas, math.prod(ground_truth.size)),
        missing=missing,
        number=ground_truth.number,
    )


def _check(ground_truth: GroundTruth, predictions: Sequence[Prediction]) -> None:
    height, width = ground_truth.size
    numbered = list(enumerate(predictions, start=1))
    other_size = [(n, p) for n, p in numbered if tuple(p.rle["size"]) != ground_truth.size]
    for number, prediction in other_size[:1]:
        found_height, found_width = prediction.rle["size"]
        found = f"a mask of {found_width} x {found_height} pixels (prediction {number}, {prediction.label})"
        raise InputError(
            ground_truth.frame, found=first_of(found, len(other_size)), expected=f"{width} x {height}, the size of the "
            "image", fix="Paste the masks at the image's own size.",
        )  # fmt: skip
    unscored = [(n, p) for n, p in numbered if not math.isfinite(p.score)]
    for number, prediction in unscored[:1]:
        found = f"the score {prediction.score} (prediction {number}, {prediction.label})"
        raise InputError(
            ground_truth.frame, found=first_of(found, len(unscored)), expected="a finite number",
            fix="Look for a division by zero in the detector's scores.",
        )  # fmt: skip
