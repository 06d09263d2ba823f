"""The joint label space against the data sets, as ``robsub datasets --labels`` prints and writes it."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from dataset_adapters.joint_space import BACKGROUND, IGNORED, Labelled, coverage, training_role
from dataset_adapters.labels import Label
from dataset_adapters.registry import ADAPTERS
from robsub.datasets import Inventory

WIDTH = 120


def labels_text(inventories: Sequence[Inventory]) -> str:
    """Each joint class's native ids and, where the data is here, its training instances, a dash where the data set does
    not have the class; then what training makes of the other labels."""
    native = coverage({inventory.name: _labelled(inventory) for inventory in inventories})
    rows = [["class", *(inventory.name for inventory in inventories)]]
    for name, labels in native.items():
        rows.append([name, *(_cell(inventory, name, labels[inventory.name]) for inventory in inventories)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(r, widths, strict=True)).rstrip() for r in rows]
    return "\n".join([*table, "", *(line for inventory in inventories for line in _rest(inventory))])


def labels_json(inventories: Sequence[Inventory]) -> dict[str, list[dict[str, Any]]]:
    """Data set -> its native labels, and what training makes of each: a joint class, IGNORED or BACKGROUND."""
    return {
        inventory.name: [
            {"id": label.id, "name": label.name, "training": training_role(data, label)} for label in data.labels
        ]
        for inventory in inventories
        for data in [_labelled(inventory)]
    }


def _labelled(inventory: Inventory) -> Labelled:
    return inventory.labels or ADAPTERS[inventory.name]


def _cell(inventory: Inventory, joint_class: str, labels: tuple[Label, ...]) -> str:
    if not labels:
        return "-"
    ids = "+".join(str(label.id) for label in labels)
    count = inventory.instances.get(joint_class, Counter())["train"]
    return f"{ids}: {count}" if inventory.here else ids


def _rest(inventory: Inventory) -> Iterator[str]:
    data = _labelled(inventory)
    for role in (IGNORED, BACKGROUND):
        labels = [f"{label.id} {label.name}" for label in data.labels if training_role(data, label) == role]
        if labels:
            yield from textwrap.wrap(f"{inventory.name} {role}: {', '.join(labels)}", WIDTH, subsequent_indent="  ")
