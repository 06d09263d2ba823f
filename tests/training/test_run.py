"""A run that is killed goes on, and on the CPU its losses are those of an uninterrupted run to the last bit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from dataset_adapters.problems import InputError
from robsub.config import load_recipe
from robsub.recipe import Recipe
from robsub.train import train
from robsub.training.checkpoint import CHECKPOINT, load_checkpoint

SETTINGS = (
    "train.iterations=6",
    "train.batch_size=2",
    "train.workers=0",
    "train.log_every=1",
    "train.checkpoint_every=2",
    "train.time_budget_s=0",
)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe("demo", SETTINGS)


@pytest.fixture(scope="module")
def whole(world: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole")
    train(recipe, world, out)
    return out


def losses(run: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["iteration"], line["loss"]) for line in lines]


def test_killed_at_any_time_the_same_command_ends_with_the_same_losses(
    whole: Path, world: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "robsub", "train", "--recipe", "demo", "--data-root", world, "--out", tmp_path]
    command += [word for setting in SETTINGS for word in ("-o", setting)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    metrics = tmp_path / "metrics.jsonl"
    while process.poll() is None and not (metrics.is_file() and len(metrics.read_text().splitlines()) >= 3):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert load_checkpoint(tmp_path)["iteration"] in (2, 4)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "trained for 6 iterations" in done.stdout
    assert losses(tmp_path) == losses(whole)
    ours, theirs = load_checkpoint(tmp_path), load_checkpoint(whole)
    assert all(torch.equal(ours["model"][name], weight) for name, weight in theirs["model"].items())


def test_a_finished_run_is_reused_and_overwrite_starts_over(whole: Path, world: Path, recipe: Recipe) -> None:
    before = (whole / CHECKPOINT).stat().st_mtime_ns
    assert train(recipe, world, whole).iteration == 6
    assert (whole / CHECKPOINT).stat().st_mtime_ns == before
    first = losses(whole)
    train(recipe, world, whole, overwrite=True)
    assert (whole / CHECKPOINT).stat().st_mtime_ns > before
    assert losses(whole) == first


def test_resume_insists_on_a_checkpoint(world: Path, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a run to resume"):
        train(recipe, world, tmp_path / "none", resume=True)


def test_a_full_disk_leaves_the_former_checkpoint(
    whole: Path, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe("demo", (*SETTINGS, "train.seed=1"))
    saved = torch.save
    count = 0

    def save(state: object, path: Path) -> None:
        nonlocal count
        count += 1
        saved(state, path)
        if count == 2:
            Path(path).write_bytes(Path(path).read_bytes()[:1000])
            raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(OSError, match="No space left"):
        train(recipe, world, tmp_path)
    assert load_checkpoint(tmp_path)["iteration"] == 2
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []
    train(recipe, world, tmp_path)
    assert load_checkpoint(tmp_path)["iteration"] == 6


def test_a_loss_that_is_not_finite_stops_and_names_the_images(world: Path, tmp_path: Path) -> None:
    recipe = load_recipe(
        "demo", (*SETTINGS, "train.learning_rate=1e30", "train.clip_norm=0", "train.warmup_iterations=0")
    )
    with pytest.raises(InputError, match=r"a loss of (nan|inf).*train\.learning_rate.*The images were"):
        train(recipe, world, tmp_path)
