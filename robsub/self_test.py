"""Ground truth as prediction: what the protocol gives to a perfect detector, on the data as they are on this disk."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Unpack

from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.rle import box
from evaluators.class_names import ClassNames
from evaluators.pooling import MEAN
from evaluators.protocol import Protocol
from evaluators.result import NOT_DEFAULT, EvaluationResult
from robsub.evaluate import Choices, evaluate, protocol_of, require_annotated

EXACT = 1e-12


class PerfectPredictions:
    """Every object that the protocol looks for, and no other region, as predictions with score 1. Picklable.

    Args:
        adapter: the data set.
        frames: the frames that are predicted.
        protocol: it decides whether regions of several objects are objects.
    """

    def __init__(self, adapter: DatasetAdapter, frames: Iterable[Frame], protocol: Protocol) -> None:
        self._adapter = adapter
        self._names = ClassNames.of(adapter)
        self._groups_count = protocol.groups_count
        self._frames = {frame.name: frame for frame in frames}

    def frames(self) -> Collection[str]:
        """The frames, all of them."""
        return self._frames.keys()

    def predictions(self, frame: str, size: tuple[int, int]) -> list[Prediction] | None:
        """One frame's objects of evaluated classes."""
        return self._objects(frame) if frame in self._frames else None

    def count(self, frame: str) -> int:
        """How many objects the frame has."""
        return len(self._objects(frame))

    def notes(self) -> list[str]:
        """What they are, for no result of theirs must pass for a detector's."""
        return [f"The source of the predictions {NOT_DEFAULT}: the ground truth itself (--self-test)."]

    def _objects(self, frame: str) -> list[Prediction]:
        truth = self._names.truth(self._adapter.ground_truth(self._frames[frame]))
        return [
            Prediction(segment.label.name, 1.0, box(segment.rle), segment.rle)
            for segment in truth.segments
            if segment.label.evaluated and (self._groups_count or not segment.is_group)
        ]


@dataclass(frozen=True)
class SelfTest:
    """The outcome.

    Attributes:
        result: the evaluation of the perfect predictions.
        below: class, or ``mean``, -> its AP metrics below 1; empty if all is well.
        reasons: what the official rules make of this ground truth that keeps a perfect detector below 1.
    """

    result: EvaluationResult
    below: dict[str, dict[str, float]] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is an AP, and every one is 1."""
        return not self.below and not self.is_empty

    @property
    def is_empty(self) -> bool:
        """Whether there is no object, and so nothing was tested."""
        return all(value is None for value in self.result.metrics.values())

    def text(self) -> str:
        """The table and the verdict."""
        if self.ok:
            verdict = "Self-test passed: ground truth as prediction has AP 1 in every class that has objects."
        elif self.is_empty:
            verdict = "Self-test: no image has an object to be found, so nothing was tested."
        else:
            rows = "; ".join(
                f"{name} {', '.join(f'{m} {v:.4f}' for m, v in row.items())}" for name, row in self.below.items()
            )
            verdict = f"Self-test: ground truth as prediction is below 1: {rows}."
        return "\n".join([self.result.text(), "", verdict, *self.reasons])


def self_test(adapter: DatasetAdapter, split: Split, **choices: Unpack[Choices]) -> SelfTest:
    """Evaluate a split's ground truth as its own prediction.

    Raises:
        InputError: the split is not there or has no ground truth.
    """
    protocol = protocol_of(adapter, choices.get("protocol"), fixed=choices.get("corrected", False))
    source = PerfectPredictions(adapter, require_annotated(adapter, split), protocol)
    result = evaluate(adapter, split, source, **choices)
    precisions = {metric.name for metric in protocol.metrics if metric.detections is None}
    below = {
        name: low
        for name, row in {**result.classes, MEAN: result.metrics}.items()
        if (low := {m: v for m, v in row.items() if m in precisions and v is not None and v < 1 - EXACT})
    }
    return SelfTest(result, below, tuple(_reasons(result, protocol)) if below else ())


def _reasons(result: EvaluationResult, protocol: Protocol) -> list[str]:
    assert result.pool is not None  # it was evaluated just now
    reasons = []
    if protocol.max_detections is not None:
        most = protocol.max_detections
        crowded = int((result.pool.image_ground_truths[:, 0] > most).sum())
        if crowded:
            reasons.append(
                f"{crowded} times an image has more than {most} objects of a class, and no more are looked at."
            )
    lost = sum(int((~image.found).sum()) for image in result.pool.images)
    if lost:
        reasons.append(f"{lost} objects are matched by no prediction, though each was predicted as it is.")
    return reasons
