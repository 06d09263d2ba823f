"""Checkpoints: the last few kept, damage found, the newest whole one taken."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dataset_adapters.problems import InputError
from robsub.training.checkpoint import (
    BEST,
    CHECKPOINT,
    former_checkpoints,
    load_checkpoint,
    load_newest_checkpoint,
    remove_checkpoints,
    save_checkpoint,
)


def save(run: Path, iteration: int, *, keep: int = 3, best: bool = False) -> None:
    weights = {"weight": torch.full((64, 64), float(iteration))}
    state = {"recipe": {}, "classes": [], "iteration": iteration, "model": weights}
    save_checkpoint(run, state, keep=keep, best=best)


def flip_a_bit(path: Path) -> None:
    """In the middle of the weights, where nothing but the CRC can tell."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()  # the last checkpoint is one file under two names
    path.write_bytes(data)


def test_the_last_few_are_kept_and_the_best_beside_them(tmp_path: Path) -> None:
    for iteration in range(1, 6):
        save(tmp_path, iteration, best=iteration == 2)
    assert [load_checkpoint(path)["iteration"] for path in former_checkpoints(tmp_path)] == [5, 4, 3]
    assert load_checkpoint(tmp_path)["iteration"] == 5
    assert load_checkpoint(tmp_path / BEST)["iteration"] == 2
    save(tmp_path, 6, keep=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [BEST, CHECKPOINT]
    remove_checkpoints(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_wrong_bit_is_found_and_the_former_checkpoint_taken(tmp_path: Path) -> None:
    for iteration in (1, 2):
        save(tmp_path, iteration)
    assert load_newest_checkpoint(tmp_path)[1] is None
    for name in (CHECKPOINT, "checkpoint-0000002.pt"):
        flip_a_bit(tmp_path / name)
    with pytest.raises(InputError, match="is damaged"):
        load_checkpoint(tmp_path)
    state, damage = load_newest_checkpoint(tmp_path)
    assert state["iteration"] == 1
    assert damage is not None
    assert damage.problem.file == str(tmp_path / CHECKPOINT)
    flip_a_bit(tmp_path / "checkpoint-0000001.pt")
    with pytest.raises(InputError, match="is damaged"):
        load_newest_checkpoint(tmp_path)
