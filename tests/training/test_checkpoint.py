"""Checkpoints: the last few kept, damage found, the newest whole one taken."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.problems import InputError
from robsub.training.checkpoint import (
    BEST,
    CHECKPOINT,
    former_checkpoints,
    load_checkpoint,
    load_newest_checkpoint,
    remove_checkpoints,
    save_tensors,
)
from tests.training.runs import save


def flip_a_bit(path: Path) -> None:
    """In the middle of the weights, where nothing but the CRC can tell."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()  # the last checkpoint is one file under two names
    path.write_bytes(data)


def test_the_last_few_are_kept_and_the_best_beside_them(tmp_path: Path) -> None:
    for iteration in range(1, 6):
        save(tmp_path, iteration, is_best=iteration == 2)
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
    assert load_newest_checkpoint(tmp_path).damage is None
    for name in (CHECKPOINT, "checkpoint-0000002.pt"):
        flip_a_bit(tmp_path / name)
    with pytest.raises(InputError, match="is damaged"):
        load_checkpoint(tmp_path)
    path, state, damage = load_newest_checkpoint(tmp_path)
    assert (path.name, state["iteration"]) == ("checkpoint-0000001.pt", 1)
    assert damage is not None
    assert damage.problem.file == str(tmp_path / CHECKPOINT)
    flip_a_bit(tmp_path / "checkpoint-0000001.pt")
    with pytest.raises(InputError, match="is damaged"):
        load_newest_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("optimizer", None, "'optimizer' is missing"),
        ("iteration", None, "'iteration' is missing"),
        ("iteration", -1, "'iteration' is something else"),
        ("seconds", None, "'seconds' is missing"),
        ("seconds", float("nan"), "'seconds' is something else"),
        ("rng", None, "'rng' is missing"),
        ("rng", [[torch.zeros(3, dtype=torch.uint8)]], "'rng' is something else"),
        ("finished", None, "'finished' is missing"),
        ("best", {"AP": 0.5}, "'best' is something else"),
        ("recipe", {"train": {"ema": 0.9}}, "'trained' is missing"),
        ("classes", list(reversed(JOINT_CLASSES)), f"class 1 is {JOINT_CLASSES[-1]}, expected {JOINT_CLASSES[0]}"),
        ("classes", list(JOINT_CLASSES[:-1]), f"class {len(JOINT_CLASSES)} is missing"),
    ],
)
def test_training_goes_on_from_whole_checkpoints_alone(name: str, value: object, words: str, tmp_path: Path) -> None:
    save(tmp_path, 2, keep=1)
    assert load_newest_checkpoint(tmp_path).state["iteration"] == 2
    state = {**load_checkpoint(tmp_path), name: value}
    save_tensors(tmp_path / CHECKPOINT, {key: part for key, part in state.items() if part is not None})
    with pytest.raises(InputError, match=words) as error:
        load_newest_checkpoint(tmp_path)
    assert error.value.problem.file == str(tmp_path / CHECKPOINT)
    assert "--overwrite" in error.value.problem.fix
