"""A disk that fills up: told by name, and what was there stays whole."""

from __future__ import annotations

import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dataset_adapters.problems import InputError
from robsub.recipe import Recipe
from robsub.train import train
from robsub.training.checkpoint import load_checkpoint
from robsub.training.lock import locked
from robsub.training.metrics import MetricsLog
from tests.training.runs import losses


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let the system refuse to write a file beyond ``size`` bytes."""
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_checkpoint_without_room_leaves_the_former_one(
    whole: Path, world: Path, recipe: Recipe, tmp_path: Path
) -> None:
    shutil.copy(whole / "checkpoint-0000004.pt", tmp_path / "checkpoint.pt")
    shutil.copy(whole / "metrics.jsonl", tmp_path)
    with room_for(100_000), pytest.raises(InputError, match=r"/checkpoint\.pt: found file too large"):
        train(recipe, world, tmp_path)
    assert load_checkpoint(tmp_path)["iteration"] == 4
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []
    train(recipe, world, tmp_path)
    assert losses(tmp_path) == losses(whole)


def test_the_numbers_of_a_run_without_room_are_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    log = MetricsLog(tmp_path, 0, tensorboard=False)
    with pytest.raises(InputError, match=r"metrics\.jsonl: found no space left on device"):
        log.add(1, {"loss": 1.0})


def test_a_lock_without_room_is_named(tmp_path: Path) -> None:
    with room_for(0), pytest.raises(InputError, match=r"\.lock: found file too large"), locked(tmp_path):
        pass
