"""Datasets: what is on disk, split by split and class by class, with every problem's file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.images import image_size
from dataset_adapters.problems import InputError, Problem
from dataset_adapters.registry import ADAPTERS, get_adapter

INVENTORY_SPLITS: tuple[Split, ...] = ("train", "val", "test")
"""The disjoint splits; trainval is the first two."""


@dataclass
class Inventory:
    """One data set as it is on disk."""

    name: str
    root: Path
    here: bool
    found: dict[Split, int] = field(default_factory=dict)
    expected: dict[Split, int] = field(default_factory=dict)
    instances: dict[str, Counter[Split]] = field(default_factory=dict)
    """joint class -> instances by split."""
    problems: list[Problem] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "root": str(self.root),
            "here": self.here,
            "splits": {s: {"found": self.found[s], "expected": self.expected[s]} for s in self.found},
            "instances": {name: dict(counts) for name, counts in self.instances.items()},
            "problems": [problem.to_json() for problem in self.problems],
        }

    def text(self) -> str:
        """A paragraph for the terminal."""
        if not self.here:
            return f"{self.name}: not here ({self.root})"
        splits = ", ".join(f"{s} {self.found[s]} of {self.expected[s]}" for s in self.found)
        lines = [f"{self.name}: images found of expected: {splits}"]
        for name, counts in self.instances.items():
            lines.append(f"  {name:<16}" + "".join(f"{split:>8} {counts[split]:>7}" for split in counts))
        return "\n".join([*lines, *(f"  {p.severity}: {p}" for p in self.problems)])


def take_inventory(data_root: Path, workers: int | None = None) -> list[Inventory]:
    """Look at every data set below a root; every image's header and every annotation is read.

    Args:
        data_root: the folder that holds the data sets.
        workers: processes that read; None takes all cores.

    Raises:
        InputError: there is no such folder.
    """
    if not data_root.is_dir():
        raise InputError(
            data_root, found="no such folder", expected=f"a folder with {', '.join(ADAPTERS)}",
            fix="Name the right one with --data-root.",
        )  # fmt: skip
    with ProcessPoolExecutor(workers or os.cpu_count(), get_context("spawn")) as pool:
        return [_look(get_adapter(name, data_root), pool) for name in ADAPTERS]


def _look(adapter: DatasetAdapter, pool: ProcessPoolExecutor) -> Inventory:
    inventory = Inventory(adapter.name, adapter.root, adapter.root.is_dir())
    if not inventory.here:
        return inventory
    jobs: list[tuple[DatasetAdapter, Split, Frame]] = []
    for split in INVENTORY_SPLITS:
        if split in adapter.splits:
            frames = adapter.list_frames(split)
            inventory.found[split] = len(frames)
            inventory.expected[split] = adapter.frames_expected(split)
            jobs += [(adapter, split, frame) for frame in frames]
    for split, classes, problem in _read_all(adapter.name, jobs, pool):
        for name in classes:
            inventory.instances.setdefault(name, Counter())[split] += 1
        if problem is not None:
            inventory.problems.append(problem)
    return inventory


Finding = tuple[Split, list[str], Problem | None]


def _read_all(
    name: str, jobs: Sequence[tuple[DatasetAdapter, Split, Frame]], pool: ProcessPoolExecutor
) -> Iterator[Finding]:
    yield from tqdm(pool.map(_read, jobs, chunksize=8), desc=name, total=len(jobs), unit="image", disable=None)


def _read(job: tuple[DatasetAdapter, Split, Frame]) -> Finding:
    """One frame's classes, or what is wrong with it."""
    adapter, split, frame = job
    try:
        if frame.ground_truth is None:
            image_size(frame.image)
            return split, [], None
        instances = adapter.ground_truth(frame).instances
    except InputError as error:
        return split, [], error.problem
    return split, [adapter.class_map[s.label.name] for s in instances if s.label.name in adapter.class_map], None
