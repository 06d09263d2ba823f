"""A run that is killed goes on, and on the CPU its losses are those of an uninterrupted run to the last bit."""

from __future__ import annotations

import shutil
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
from robsub.training.lock import locked
from tests.training.runs import SETTINGS, lines, losses


def test_killed_at_any_time_the_same_command_ends_with_the_same_losses(
    whole: Path, world: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "robsub", "train", "--recipe", "demo", "--data-root", str(world)]
    command += ["--out", str(tmp_path)]
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


def test_a_finished_run_takes_over_settings_of_inference_and_tells_what_comes_too_late(
    whole: Path, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    late = ("train.log_every=3", "train.learning_rate=1e-4")
    train(load_recipe("demo", (*SETTINGS, *late)), world, run)
    told = capsys.readouterr().err
    assert "nothing comes of train.learning_rate = 0.0001 instead of" in told
    assert "train.log_every = 3 instead of 1" in told
    assert (run / CHECKPOINT).read_bytes() == (whole / CHECKPOINT).read_bytes()
    train(load_recipe("demo", (*SETTINGS, *late, "inference.nms=hard")), world, run)
    assert "has now inference.nms = hard instead of linear" in capsys.readouterr().err
    ours, theirs = load_checkpoint(run), load_checkpoint(whole)
    assert ours["recipe"] == {**theirs["recipe"], "inference": {**theirs["recipe"]["inference"], "nms": "hard"}}
    assert ours["finished"]
    assert all(torch.equal(ours["model"][name], weight) for name, weight in theirs["model"].items())
    with pytest.raises(InputError, match=r"train\.seed = 0"):
        train(load_recipe("demo", (*SETTINGS, "train.seed=3")), world, run)


def test_resume_insists_on_a_checkpoint(world: Path, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a run to resume"):
        train(recipe, world, tmp_path / "none", resume=True)


def test_every_part_of_the_state_is_in_the_checkpoint(world: Path, tmp_path: Path) -> None:
    """With all options on, two starts end with the weights of one."""
    options = (
        *SETTINGS, "train.ema=0.9", "train.accumulate=2", "train.shorter_sides=[64, 96]", "train.batch_size=4",
        "train.sampling=temperature", "train.group_by_aspect=true", "train.channels_last=true",
        "train.precision=bfloat16", "train.validate_every=3", "train.validate_images=2", "train.optimizer=sgd",
    )  # fmt: skip
    recipe = load_recipe("demo", options)
    train(recipe, world, tmp_path / "whole")
    (tmp_path / "halves").mkdir()
    for name in ("checkpoint-0000004.pt", "best.pt", "metrics.jsonl", "validation.jsonl"):
        target = "checkpoint.pt" if name.startswith("checkpoint") else name
        shutil.copy(tmp_path / "whole" / name, tmp_path / "halves" / target)
    run = train(recipe, world, tmp_path / "halves", resume=True)
    assert losses(tmp_path / "halves") == losses(tmp_path / "whole")
    ours, theirs = (load_checkpoint(tmp_path / name) for name in ("halves", "whole"))
    for weights in ("model", "trained"):
        assert all(torch.equal(ours[weights][name], weight) for name, weight in theirs[weights].items())
    assert any(not torch.equal(ours["trained"][name], weight) for name, weight in ours["model"].items())
    validations = lines(tmp_path / "halves/validation.jsonl")
    assert [v["iteration"] for v in validations] == [3, 6]
    assert {"AP", *(f"AP_{name}" for name in recipe.train.datasets)} <= validations[0].keys()
    assert run.best["AP"] == max(v["AP"] for v in validations)
    assert load_checkpoint(tmp_path / "whole/best.pt")["iteration"] == run.best["iteration"]


def test_a_run_starts_from_another_runs_weights(whole: Path, world: Path, tmp_path: Path) -> None:
    recipe = load_recipe("demo", (*SETTINGS, f"train.init={whole}", "train.learning_rate=0", "train.iterations=1"))
    train(recipe, world, tmp_path)
    ours, theirs = load_checkpoint(tmp_path), load_checkpoint(whole)
    assert all(torch.equal(ours["model"][name], weight) for name, weight in theirs["model"].items())


def test_a_damaged_checkpoint_is_gone_back_from(
    whole: Path, world: Path, recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (run / CHECKPOINT).write_bytes((run / CHECKPOINT).read_bytes()[:-1000])
    (run / "checkpoint-0000006.pt").unlink()
    train(recipe, world, run)
    assert "goes on from iteration 4" in capsys.readouterr().err
    assert losses(run) == losses(whole)


def test_a_second_training_in_the_folder_is_refused(world: Path, recipe: Recipe, tmp_path: Path) -> None:
    holder = "import sys, pathlib, robsub.training.lock as l\nwith l.locked(pathlib.Path(sys.argv[1])): input(print())"
    command = [sys.executable, "-c", holder, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(InputError, match=f"process {process.pid} on"):
            train(recipe, world, tmp_path)
        process.kill()
    with locked(tmp_path):
        pass
