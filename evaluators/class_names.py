"""Under which names the classes of ground truth and predictions meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dataset_adapters.base import DatasetAdapter
from dataset_adapters.ground_truth import GroundTruth, Prediction
from dataset_adapters.labels import JOINT_CLASSES, Label, LabelTable


@dataclass(frozen=True)
class ClassNames:
    """The evaluated classes of one data set.

    A benchmark is evaluated under its own names, where a class of the joint space that has another name there counts
    as the first label that maps to it. Training data without evaluated labels (ADE20K, whose labels are finer) is
    evaluated under the joint names.

    Attributes:
        labels: the table that the images are matched with.
        of_truth: native label name -> label, where ground truth is renamed.
        of_predictions: name in predictions -> name of the label, where it is another.
    """

    labels: LabelTable
    of_truth: Mapping[str, Label]
    of_predictions: Mapping[str, str]

    @classmethod
    def of(cls, adapter: DatasetAdapter) -> ClassNames:
        """The names for one data set."""
        table = adapter.labels
        if table.evaluated:
            first = {joint: name for name, joint in reversed(list(adapter.class_map.items()))}
            return cls(table, {}, {joint: name for joint, name in first.items() if joint not in table.by_name})
        shared = set(adapter.class_map.values())
        joint_table = LabelTable(
            tuple(Label(i, name, True, evaluated=True) for i, name in enumerate(JOINT_CLASSES, 1) if name in shared)
        )
        of_truth = {name: joint_table.by_name[joint] for name, joint in adapter.class_map.items()}
        renamed = {name: joint for name, joint in adapter.class_map.items() if name not in shared}
        return cls(joint_table, of_truth, renamed)

    def truth(self, truth: GroundTruth) -> GroundTruth:
        """A frame's ground truth under the evaluated names."""
        if not self.of_truth:
            return truth
        segments = (replace(s, label=self.of_truth.get(s.label.name, s.label)) for s in truth.segments)
        return replace(truth, segments=tuple(segments))

    def predictions(self, predictions: Sequence[Prediction]) -> list[Prediction]:
        """A frame's predictions under the evaluated names; unknown names are left as they are."""
        names = self.of_predictions
        return [replace(p, label=names[p.label]) if p.label in names else p for p in predictions]
