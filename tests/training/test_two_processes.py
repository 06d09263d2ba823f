"""Two processes under torchrun (gloo): the same samples, the same steps as one process, and a rank that dies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from robsub.config import load_recipe
from robsub.train import train
from robsub.training.checkpoint import load_checkpoint
from tests.training.recorded_training import in_order

SCRIPT = Path(__file__).with_name("recorded_training.py")
SETTINGS = (
    'train.datasets=["kitti"]', "train.batch_size=4", "train.iterations=4", "train.checkpoint_every=1",
    "train.workers=0", "train.time_budget_s=0", "train.optimizer=sgd", "train.learning_rate=1e-3",
    "train.warmup_iterations=0", "train.clip_norm=0", "model.roi_batch=8",
)  # fmt: skip
"""Eight images, so two steps an epoch. Few RoIs of each image, so that every image has as many of them and of objects
among them, and the mean over two processes is that over all images."""


def start_two(*arguments: object) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=1"]
    command = [sys.executable, *launcher, str(SCRIPT), *map(str, arguments)]
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def loaded(run: Path, name: str) -> list[str]:
    return (run / name).read_text().splitlines()


def weights(run: Path, number: int) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = load_checkpoint(run / f"checkpoint-{number:07}.pt")["model"]
    return state


@pytest.fixture(scope="module")
def two(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes that nobody disturbed."""
    out = tmp_path_factory.mktemp("two")
    start_two(world, out, -1, *SETTINGS, "train.keep_checkpoints=9")
    return out


def test_together_they_load_every_sample_once_per_epoch(two: Path, world: Path) -> None:
    first, second = (loaded(two, f"loaded-0-{rank}") for rank in range(2))
    assert len(first) == len(second) == 8
    for epoch in (slice(0, 4), slice(4, 8)):
        assert len({*first[epoch], *second[epoch]}) == 8


def test_their_steps_are_those_of_one_process_with_the_whole_batch(
    two: Path, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "randperm", in_order)
    train(load_recipe("demo", (*SETTINGS, "train.keep_checkpoints=9")), world, tmp_path)
    before = weights(two, 1)
    for number, tolerance in ((1, 1e-6), (2, 1e-5)):
        ours, theirs = weights(two, number), weights(tmp_path, number)
        for name, weight in theirs.items():
            assert torch.allclose(ours[name], weight, rtol=0, atol=tolerance), (number, name)
    moved = max(float((weights(two, 2)[name] - weight).abs().max()) for name, weight in before.items())
    assert moved > 1e-3


def test_a_rank_that_dies_is_started_again_and_the_run_ends_as_if_nothing_had_happened(
    two: Path, world: Path, tmp_path: Path
) -> None:
    start_two(world, tmp_path, 1, *SETTINGS)
    assert len(loaded(tmp_path, "loaded-1-0")) == 2  # it went on from iteration 3
    ours, theirs = load_checkpoint(tmp_path), load_checkpoint(two)
    assert ours["iteration"] == 4
    assert all(torch.equal(ours["model"][name], weight) for name, weight in theirs["model"].items())


def test_a_run_goes_on_with_another_number_of_processes_and_says_so(
    two: Path, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "checkpoint.pt").write_bytes((two / "checkpoint-0000003.pt").read_bytes())
    assert train(load_recipe("demo", SETTINGS), world, tmp_path).iteration == 4
    assert "goes on with 1 processes instead of 2" in capsys.readouterr().err
