"""``robsub train`` as it is typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import main
from robsub.config import load_recipe
from robsub.train import train
from tests.training.runs import SETTINGS

OPTIONS = [word for setting in SETTINGS for word in ("-o", setting)]
ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["train", *map(str, arguments)])


@pytest.mark.parametrize("name", ["rob2018", "demo"])
def test_a_shown_recipe_trains_when_it_is_given_back(name: str, world: Path, tmp_path: Path) -> None:
    shown = run("--recipe", name, *OPTIONS, "--data-root", world, "--show-recipe")
    file = tmp_path / "shown.toml"
    file.write_text(shown.stdout)
    assert load_recipe(str(file)) == load_recipe(name, SETTINGS)
    assert "# Training begins with random weights" in shown.stdout
    if name == "demo":
        done = run("--recipe", file, "--data-root", world, "--out", tmp_path / "run")
        assert done.exit_code == 0, done.output
        assert "trained for 6 iterations" in done.stdout
        assert "kitti              8 of 8" in done.stderr
        assert "begins with random weights" in done.stderr


def test_overwrite_leaves_nothing_of_the_former_run(world: Path, tmp_path: Path) -> None:
    for name in ("not-finite/batch-rank-0.pt", "tensorboard/events", "validation.jsonl", "best.pt", "mine.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    train(load_recipe("demo", (*SETTINGS, "train.iterations=1")), world, tmp_path, overwrite=True)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".lock", "checkpoint.pt", "checkpoint-0000001.pt", "metrics.jsonl", "mine.txt"}


def test_overwrite_resumes_nothing(world: Path, tmp_path: Path) -> None:
    done = run("--data-root", world, "--out", tmp_path, "--overwrite", "--resume")
    assert done.exit_code == 2
    assert "--resume means nothing beside --overwrite" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.init=nowhere", "found no such file"),
        ("train.init=RUN", "found weights in the run that --overwrite deletes"),
        ("train.init=RUN/checkpoint.pt", "found weights in the run that --overwrite deletes"),
        ('train.datasets=["coco"]', "coco"),
    ],
)
def test_a_refused_start_costs_no_former_run(override: str, words: str, world: Path, tmp_path: Path) -> None:
    for name in ("checkpoint.pt", "best.pt", "metrics.jsonl"):
        (tmp_path / name).write_text("the former run")
    override = override.replace("RUN", str(tmp_path))
    done = run("--recipe", "demo", *OPTIONS, "-o", override, "--data-root", world, "--out", tmp_path, "--overwrite")
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())
    for name in ("checkpoint.pt", "best.pt", "metrics.jsonl"):
        assert (tmp_path / name).read_text() == "the former run"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-o", "train.init=nowhere"), "nowhere: found no such file, expected the weights to begin with (train.init)"),
        (("-o", "train.batch_size=0"), "-o train.batch_size=0: found train.batch_size = 0, expected above 0"),
        (("-o", 'train.datasets=["kitty"]'), "Did you mean 'kitti'?"),
    ],
)
def test_refusals_come_before_images_are_read(
    options: tuple[str, ...], words: str, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robsub.train.training_images", lambda *_: pytest.fail("images were read before"))
    done = run("--recipe", "demo", *OPTIONS, "--data-root", world, "--out", tmp_path, *options)
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())


def test_a_damaged_run_is_told_how_to_start_over(whole: Path, world: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes((whole / "checkpoint.pt").read_bytes()[:-1000])
    done = run("--recipe", "demo", *OPTIONS, "--data-root", world, "--out", tmp_path)
    assert done.exit_code == 2
    assert "start over with --overwrite" in done.output
    assert "--checkpoint" not in done.output


def test_two_processes_tell_everything_once(world: Path, tmp_path: Path) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "robsub", "train"]
    command = [
        sys.executable,
        *launcher,
        "--recipe",
        "demo",
        *OPTIONS,
        "--data-root",
        str(world),
        "--out",
        str(tmp_path),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def told(*options: str) -> str:
        done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert told("-o", "train.batch_size=3").count("expected as many for each") == 1
    printed = told("-o", "train.iterations=1")
    assert printed.count("trained for 1 iterations") == printed.count("Next: robsub predict") == 1
