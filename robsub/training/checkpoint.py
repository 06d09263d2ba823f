"""Checkpoints of a run: one file with all that training goes on from and all that prediction needs."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from dataset_adapters.problems import InputError
from robsub.files import atomic_path

CHECKPOINT = "checkpoint.pt"
FORMAT = "robsub-checkpoint-1"


def save_checkpoint(run: Path, state: dict[str, Any]) -> None:
    """Replace the run's checkpoint, atomically: a full disk or a kill leaves the former one."""
    with atomic_path(run / CHECKPOINT) as temporary:
        torch.save({"format": FORMAT, **state}, temporary)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, building nothing but tensors and plain values.

    Args:
        path: the file, or the run's folder.

    Raises:
        InputError: it is missing, damaged, or no checkpoint of robsub.
    """
    path = checkpoint_file(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(
            path, found=f"a file that does not load ({reason})", expected="a whole checkpoint of robsub",
            fix="Name another with --checkpoint, or train again.",
        ) from error  # fmt: skip
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InputError(
            path, found="weights without robsub's recipe", expected=f"a checkpoint of format {FORMAT}",
            fix="Name a run of 'robsub train' with --checkpoint.",
        )  # fmt: skip
    return state


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
