"""Checkpoints of a run: one file with all that training goes on from and all that prediction needs."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.problems import InputError
from robsub.files import atomic_path
from robsub.torch_files import FORMAT, read_torch_file, require_checkpoint

CHECKPOINT = "checkpoint.pt"
"""The last one."""
BEST = "best.pt"
"""The one with the best validation."""
BEST_BEFORE = "best-before.pt"
"""The best of what came after the checkpoint that a run went back to."""
FORMER = "checkpoint-*.pt"
"""The last few, by iteration, the last one among them."""

START_OVER = "Start over with --overwrite."


class Former(NamedTuple):
    """What an earlier start of a run has left to go on from."""

    path: Path
    state: dict[str, Any]
    damage: InputError | None = None
    """What was wrong with the last checkpoint, if an earlier one had to be taken."""


def save_checkpoint(run: Path, state: dict[str, Any], *, keep: int = 1, best: bool = False) -> None:
    """Replace the run's checkpoint, atomically: a full disk or a kill leaves the former one.

    Args:
        run: the run's folder.
        state: plain values and tensors; ``iteration`` is the checkpoint's number.
        keep: how many of the last checkpoints are kept.
        best: whether it takes the place of ``best.pt``.
    """
    save_tensors(run / CHECKPOINT, {"format": FORMAT, **state})
    if best:
        link_checkpoint(run / CHECKPOINT, run / BEST)
    name = former_name(state["iteration"])
    if keep > 1:
        link_checkpoint(run / CHECKPOINT, run / name)
    former = former_checkpoints(run)
    ahead = [path for path in former if path > run / name]  # of a run that has gone back to an earlier one
    for path in (*ahead, *former[len(ahead) :][keep if keep > 1 else 0 :]):
        path.unlink()


def save_tensors(path: Path, values: dict[str, Any]) -> None:
    """Write plain values and tensors to a file that ``torch.load`` reads, atomically.

    Raises:
        InputError: the disk is full, or the folder cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(values, file)
        except RuntimeError as error:  # torch's own, over the file's
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise


def former_name(iteration: int) -> str:
    """The name of a kept checkpoint."""
    return FORMER.replace("*", f"{iteration:07}")


def former_checkpoints(run: Path) -> list[Path]:
    """The kept checkpoints, the newest first."""
    return sorted(run.glob(FORMER), reverse=True)


def link_checkpoint(file: Path, name: Path) -> None:
    """Give a file a second name, or a copy where the file system has no links."""
    with atomic_path(name) as temporary:
        temporary.unlink(missing_ok=True)
        try:
            os.link(file, temporary)
        except OSError:
            shutil.copyfile(file, temporary)


def remove_checkpoints(run: Path) -> None:
    """Delete all checkpoints of a run."""
    for path in (run / CHECKPOINT, run / BEST, run / BEST_BEFORE, *former_checkpoints(run)):
        path.unlink(missing_ok=True)


def load_newest_checkpoint(run: Path) -> Former:
    """The run's last checkpoint, or if it is damaged the newest whole one.

    Raises:
        InputError: none is there, or none is whole.
    """
    try:
        return Former(run / CHECKPOINT, _load_to_go_on(run / CHECKPOINT))
    except InputError as error:
        for path in former_checkpoints(run):
            try:
                return Former(path, _load_to_go_on(path), error)
            except InputError:
                continue
        problem = error.problem
        raise InputError(
            problem.file, found=problem.found, expected=problem.expected,
            fix="No earlier checkpoint of the run is whole; start over with --overwrite.",
        ) from error  # fmt: skip


def _load_to_go_on(path: Path) -> dict[str, Any]:
    state = load_checkpoint(path)
    _require_training(state, path)
    _require_classes(state["classes"], path)
    return state


def _require_training(state: Mapping[str, Any], path: Path) -> None:
    """Refuse a checkpoint without what training goes on from; names the first part that is missing or something else.

    Whether weights and optimizer fit the network, only the network can tell.
    """
    config, seconds, best = state["recipe"].get("train"), state.get("seconds"), state.get("best", {})
    averaged = isinstance(config, dict) and config.get("ema", 0) != 0
    parts = {
        "optimizer": isinstance(state.get("optimizer"), dict),
        "iteration": type(state.get("iteration")) is int and state["iteration"] >= 0,
        "seconds": isinstance(seconds, int | float) and 0 <= seconds < math.inf,
        "rng": _are_random_states(state.get("rng")),
        "best": isinstance(best, dict) and (not best or {"iteration", "AP"} <= best.keys()),
        "broken": isinstance(state.get("broken", {}), dict),
        "finished": isinstance(state.get("finished"), bool),
        "trained": _are_tensors(state.get("trained")) or ("trained" not in state and not averaged),
    }
    for name, sound in parts.items():
        if not sound:
            raise InputError(
                path, found=f"a checkpoint whose {name!r} is {'something else' if name in state else 'missing'}",
                expected="all that training goes on from",
                fix=START_OVER,
            )  # fmt: skip


def _are_tensors(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(tensor, Tensor) for tensor in value.values())


def _are_random_states(value: object) -> bool:
    """Whether it is what ``Process.random_state`` gives, for one process or more."""
    own = torch.get_rng_state()
    return isinstance(value, list) and value != [] and all(
        isinstance(states, list) and states != []
        and all(isinstance(state, Tensor) and state.dtype == own.dtype for state in states)
        and states[0].shape == own.shape
        for states in value
    )  # fmt: skip


def _require_classes(classes: Iterable[str], path: Path) -> None:
    """The rows of the network's last layers belong to classes by their order."""
    for number, (theirs, ours) in enumerate(zip_longest(classes, JOINT_CLASSES), start=1):
        if theirs != ours:
            raise InputError(
                path, found=f"a network whose class {number} is {theirs or 'missing'}",
                expected=f"{ours or 'no more classes'}, in the order of the joint classes", fix=START_OVER,
            )  # fmt: skip


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, building nothing but tensors and plain values; every record is held against its CRC.

    Args:
        path: the file, or the run's folder.

    Raises:
        InputError: it is missing, damaged, forged, or no checkpoint of robsub.
    """
    path = checkpoint_file(path)
    if path.suffix == ".pkl":
        raise _other_weights(path, "Detectron's weights", "train --recipe detectron")
    state = read_torch_file(path, "a whole checkpoint of robsub", "Name another with --checkpoint, or train again.")
    if state.get("format") != FORMAT:
        raise _other_weights(path, "weights without robsub's recipe", "train")
    require_checkpoint(state, path)
    return state


def _other_weights(path: Path, found: str, command: str) -> InputError:
    return InputError(
        path, found=found, expected=f"a checkpoint of format {FORMAT}, as 'robsub train' writes it",
        fix=f"Start a run from them with 'robsub {command} -o train.init={path}', and name that run.",
    )  # fmt: skip


def checkpoint_file(path: Path) -> Path:
    """The checkpoint of a run's folder, or the file itself.

    Raises:
        InputError: neither is there.
    """
    file = path / CHECKPOINT if path.is_dir() else path
    if not file.is_file():
        raise InputError(
            file, found="no checkpoint", expected="a run of 'robsub train'",
            fix="Train one with 'robsub train', or name another with --checkpoint.",
        )  # fmt: skip
    return file
