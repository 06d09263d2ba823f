"""Datasets: what is on disk, split by split and class by class, with every problem's file in one pass."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from dataset_adapters.base import DatasetAdapter, Frame, Split, remark
from dataset_adapters.images import check_whole
from dataset_adapters.joint_space import Labelled
from dataset_adapters.options import Options
from dataset_adapters.problems import InputError, Problem, Severity
from dataset_adapters.processes import in_order
from dataset_adapters.registry import ADAPTERS, get_adapter
from robsub.files import explain

A = TypeVar("A")
R = TypeVar("R")

INVENTORY_SPLITS: tuple[Split, ...] = ("train", "val", "test")
"""The disjoint splits; trainval is the first two."""


@dataclass
class Inventory:
    """One data set as it is on disk."""

    name: str
    root: Path
    here: bool
    profile: str = ""
    labels: Labelled | None = None
    """The label table and class map of the profile that is here."""
    found: dict[Split, int] = field(default_factory=dict)
    expected: dict[Split, int | None] = field(default_factory=dict)
    """None where no source gives the count."""
    instances: dict[str, Counter[Split]] = field(default_factory=dict)
    """joint class -> instances by split."""
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """No file is wrong; warnings, as of a split that is not whole, are allowed."""
        return all(problem.severity != Severity.ERROR for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "root": str(self.root),
            "here": self.here,
            "profile": self.profile,
            "splits": {s: {"found": self.found[s], "expected": self.expected[s]} for s in self.found},
            "instances": {name: dict(counts) for name, counts in self.instances.items()},
            "problems": [problem.to_json() for problem in self.problems],
        }

    def text(self) -> str:
        """A paragraph for the terminal."""
        lines = [f"{self.name}: not here ({self.root})"]
        if self.here:
            expected = {split: "?" if count is None else count for split, count in self.expected.items()}
            splits = ", ".join(f"{split} {count} of {expected[split]}" for split, count in self.found.items())
            lines = [f"{self.name} {self.profile}".rstrip() + f": images found of expected: {splits}"]
        for name, counts in self.instances.items():
            lines.append(f"  {name:<16}" + "".join(f"{split:>8} {counts[split]:>7}" for split in counts))
        return "\n".join([*lines, *(f"  {p.severity}: {p}" for p in self.problems)])


@dataclass(frozen=True, slots=True)
class Finding:
    """What one frame adds to the inventory: its objects by joint class, and what is wrong with its files."""

    classes: Counter[str]
    problems: tuple[Problem, ...]


def take_inventory(data_root: Path, workers: int | None = None, options: Options | None = None) -> list[Inventory]:
    """Look at every data set below a root; every photo's ends and every annotation are read.

    Args:
        data_root: the folder that holds the data sets.
        workers: processes that read; None takes all cores.
        options: how ground truth is read. With a cache, an annotation that was whole when it was cached and has not
            changed is not read again.

    Raises:
        InputError: there is no such folder.
    """
    if not data_root.is_dir():
        raise InputError(
            data_root, found="no such folder", expected=f"a folder with {', '.join(ADAPTERS)}",
            fix="Name the right one with --data-root.",
        )  # fmt: skip
    return [_look(name, data_root, options, workers) for name in ADAPTERS]


def look(adapter: DatasetAdapter, workers: int | None = 1) -> Inventory:
    """Take one data set's inventory.

    Args:
        adapter: the data set.
        workers: processes that read; None takes all cores.
    """
    inventory = Inventory(adapter.name, adapter.root, adapter.root.is_dir(), adapter.profile, adapter)
    if not inventory.here:
        inventory.problems += [adapter.absent("train").problem] if adapter.misplaced() else []
        return inventory
    names: Counter[str] = Counter()
    annotated: set[str] = set()
    listed = True
    for split in (split for split in INVENTORY_SPLITS if split in adapter.splits):
        if (frames := _list(adapter, split, inventory)) is None:
            listed = False
            continue
        annotated |= {str(frame.ground_truth) for frame in frames if frame.ground_truth is not None}
        _note(inventory, _name_problems(adapter, split, frames, names))
        _read_frames(adapter, split, frames, inventory, workers)
    _note(inventory, adapter.remarks())
    if listed:
        _note(inventory, _stray_annotations(adapter, annotated))
    if listed and not any(inventory.found.values()):
        rest = (problem for problem in inventory.problems if problem.code != "frame-count")
        inventory.problems = [adapter.absent("train").problem, *rest]
    inventory.problems = list(dict.fromkeys(inventory.problems))  # several splits may come upon the same
    return inventory


def next_step(inventories: list[Inventory], data_root: Path) -> str:
    """What to do after looking at the data."""
    if any(sum(inventory.found.values()) for inventory in inventories):
        return f"robsub train --data-root {shlex.quote(str(data_root))}"
    return f"extract the downloads below {data_root} as docs/data.md says, or name another folder with --data-root"


def _look(name: str, data_root: Path, options: Options | None, workers: int | None) -> Inventory:
    try:
        return look(get_adapter(name, data_root, options), workers)
    except (InputError, OSError) as error:
        return Inventory(name, data_root / name, here=True, problems=[_problem(error)])


def _problem(error: InputError | OSError) -> Problem:
    """What a folder or file that may not be read is told as, and any other failure."""
    return (explain(error) if isinstance(error, OSError) else error).problem


def _note(inventory: Inventory, problems: Iterator[Problem]) -> None:
    """Collect problems; what stops the search for them is one itself."""
    try:
        inventory.problems.extend(problems)
    except (InputError, OSError) as error:
        inventory.problems.append(_problem(error))


def _list(adapter: DatasetAdapter, split: Split, inventory: Inventory) -> list[Frame] | None:
    """The split's frames, None where they cannot be listed."""
    inventory.expected[split], inventory.found[split] = adapter.splits[split], 0
    try:
        inventory.expected[split] = adapter.frames_expected(split)
        frames = adapter.list_frames(split)
    except (InputError, OSError) as error:
        inventory.problems.append(_problem(error))
        return None
    inventory.found[split] = len(frames)
    return frames


def _name_problems(
    adapter: DatasetAdapter, split: Split, frames: list[Frame], annotated: Counter[str]
) -> Iterator[Problem]:
    """What is wrong with a split's list of frames; ``annotated`` counts names over the annotated splits."""
    expected = adapter.frames_expected(split)
    if expected not in (None, len(frames)):
        yield remark(
            "frame-count", adapter.root, found=f"{len(frames)} images of split {split!r}", expected=f"{expected}",
            fix=f"They belong in {adapter.layout_hint(split)}; numbers over fewer images do not compare.",
        )  # fmt: skip
    names = Counter(frame.name for frame in frames)
    if split != "test":  # WildDash's test photos hold its annotated ones
        annotated.update(names)
        names = annotated
    yield from _duplicates(frames, names)
    yield from _wrong_cases(adapter, split)


def _duplicates(frames: list[Frame], names: Counter[str]) -> Iterator[Problem]:
    for frame in frames:
        if names[frame.name] > 1:
            yield Problem(
                Severity.ERROR, "duplicate-name", str(frame.image), f"frame {frame.name} {names[frame.name]} times",
                "every frame once", "Delete the copies, or mend the lists of the splits.",
            )  # fmt: skip


def _wrong_cases(adapter: DatasetAdapter, split: Split) -> Iterator[Problem]:
    for photo in adapter.stray_photos(split):
        yield Problem(
            Severity.ERROR, "file-case", str(photo), "a name in another case", adapter.layout_hint(split),
            "Rename it; the benchmark's own code passes over it.",
        )  # fmt: skip


def _stray_annotations(adapter: DatasetAdapter, annotated: set[str]) -> Iterator[Problem]:
    for path in adapter.annotations():
        if str(path) not in annotated:
            yield remark(
                "no-photo", path, found="an annotation without its photo", expected="both",
                fix="Extract the photos again, or delete the annotation.",
            )  # fmt: skip


def _read_frames(
    adapter: DatasetAdapter, split: Split, frames: list[Frame], inventory: Inventory, workers: int | None
) -> None:
    bar = tqdm(total=len(frames), desc=f"{adapter.name} {split}", unit="image", disable=None)
    with bar:
        for finding in in_order(partial(check_frame, adapter), frames, workers):
            for name, count in finding.classes.items():
                inventory.instances.setdefault(name, Counter())[split] += count
            inventory.problems += finding.problems
            bar.update()


def check_frame(adapter: DatasetAdapter, frame: Frame) -> Finding:
    """Read one frame's files. Whatever fails is a problem of this frame: the pass goes on."""
    problems: list[Problem] = []
    classes: Counter[str] = Counter()
    try:
        _guarded(frame.image, check_whole, frame.image)
    except InputError as error:
        problems.append(replace(error.problem, code="photo"))
    if frame.ground_truth is None:
        return Finding(classes, tuple(problems))
    try:
        truth = _guarded(frame.ground_truth, adapter.ground_truth, frame)
        labels = (s.label.name for s in truth.instances)
        classes.update(adapter.class_map[name] for name in labels if name in adapter.class_map)
        problems += _overflows(adapter, frame.ground_truth, [s.native_id for s in truth.instances])
    except InputError as error:
        code = "ground-truth" if os.access(frame.ground_truth, os.F_OK) else "no-ground-truth"
        if error.problem.file != str(frame.image) or not problems:  # the photo's own fault is told once
            problems.append(replace(error.problem, code=code))
    return Finding(classes, tuple(problems))


def _guarded(path: Path, read: Callable[[A], R], argument: A) -> R:
    """``read(argument)``, with any failure that it does not name as an InputError about the file."""
    try:
        return read(argument)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            path, found=f"a file that robsub cannot read ({type(error).__name__}: {error})", expected="a sound file",
            fix="Get it again; if it is as it was published, please report this.",
        ) from error  # fmt: skip


def _overflows(adapter: DatasetAdapter, path: Path, values: list[int]) -> Iterator[Problem]:
    if adapter.coding is None:
        return
    for label in adapter.coding.full_labels(values):
        name = adapter.labels.by_id[label].name
        yield remark(
            "instance-overflow", path, found=f"number {adapter.coding.base - 1} of {name}, the last that fits",
            expected="fewer objects: one more is counted to the next label, as the ROB 2018 devkit's converter does",
            fix="Look for objects of the wrong class in this file; convert again from the original coding.",
        )  # fmt: skip
