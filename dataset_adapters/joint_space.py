"""The joint label space seen from the data sets: what each native label becomes in training, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from dataset_adapters.labels import JOINT_CLASSES, Label, LabelTable

IGNORED = "(ignored)"
"""Neither object nor background: void, groups of objects, and objects that have no class in the joint space."""
BACKGROUND = "(background)"


class Labelled(Protocol):
    """A data set's label table and class map; adapters and their classes are such."""

    @property
    def labels(self) -> LabelTable: ...

    @property
    def class_map(self) -> Mapping[str, str]: ...


def training_role(data: Labelled, label: Label) -> str:
    """What training makes of a native label: a class of the joint space, IGNORED or BACKGROUND."""
    if label.name in data.class_map:
        return data.class_map[label.name]
    return IGNORED if label.void or label.has_instances else BACKGROUND


def native_labels(data: Labelled, joint_class: str) -> tuple[Label, ...]:
    """The native labels that become a class of the joint space, in the order of the data set's table."""
    return tuple(label for label in data.labels if data.class_map.get(label.name) == joint_class)


def submitted_label(data: Labelled, joint_class: str) -> Label | None:
    """The one evaluated native label in which a prediction of the class is submitted, None where there is none."""
    return next((label for label in native_labels(data, joint_class) if label.evaluated), None)


def coverage(data: Mapping[str, Labelled]) -> dict[str, dict[str, tuple[Label, ...]]]:
    """joint class -> data set -> the native labels that become it."""
    return {name: {key: native_labels(value, name) for key, value in data.items()} for name in JOINT_CLASSES}
