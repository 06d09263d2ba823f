"""What a run may change when it goes on, and what makes it another run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from dataset_adapters.problems import InputError
from robsub.config import load_recipe
from robsub.train import train
from robsub.training.changes import changed_settings
from robsub.training.checkpoint import load_checkpoint
from tests.training.runs import SETTINGS, losses

RUN = Path("run")
STEPS = (*SETTINGS, "train.schedule=steps", "train.steps=[4]", "train.step_rates=[1e-3]")


@pytest.mark.parametrize(
    "setting",
    ["train.workers=1", "train.log_every=7", "train.max_broken=0", "inference.nms=hard", "inference.flip=true"],
)
def test_settings_that_are_not_learned_with_may_change_without_a_word(setting: str) -> None:
    assert changed_settings(load_recipe("demo", (*SETTINGS, setting)), load_recipe("demo", SETTINGS), RUN) == []


@pytest.mark.parametrize("setting", ["train.learning_rate=1e-3", "train.clip_norm=1.0", "train.accumulate=2"])
def test_settings_that_the_weights_go_on_with_are_told(setting: str) -> None:
    (change,) = changed_settings(load_recipe("demo", (*SETTINGS, setting)), load_recipe("demo", SETTINGS), RUN)
    assert setting == f"{change.name}={change.ours}".replace("0.001", "1e-3")
    assert change.ours != change.theirs


def test_all_others_make_another_run_and_are_all_named() -> None:
    other = load_recipe("demo", (*SETTINGS, "train.seed=3", "model.nl_g=4", "train.workers=1", "train.clip_norm=1"))
    with pytest.raises(InputError) as error:
        changed_settings(other, load_recipe("demo", SETTINGS), RUN)
    wanted = "found a run with model.nl_g = 8, train.seed = 0, expected model.nl_g = 4, train.seed = 3. "
    assert wanted in str(error.value)


def test_a_schedule_of_steps_may_become_longer_and_no_other() -> None:
    former, longer = load_recipe("demo", STEPS), load_recipe("demo", (*STEPS, "train.iterations=8"))
    assert changed_settings(longer, former, RUN) == []
    with pytest.raises(InputError, match=r"train\.iterations = 8, expected train\.iterations = 6"):
        changed_settings(former, longer, RUN)
    with pytest.raises(InputError, match=r"train\.iterations"):
        changed_settings(load_recipe("demo", (*SETTINGS, "train.iterations=8")), load_recipe("demo", SETTINGS), RUN)
    by_clock = (*STEPS, "train.time_budget_s=60")
    with pytest.raises(InputError, match=r"train\.iterations"):
        changed_settings(load_recipe("demo", (*by_clock, "train.iterations=8")), load_recipe("demo", by_clock), RUN)


def test_a_finished_run_that_became_longer_ends_as_if_it_had_always_been(world: Path, tmp_path: Path) -> None:
    longer = load_recipe("demo", (*STEPS, "train.iterations=8"))
    assert train(load_recipe("demo", STEPS), world, tmp_path / "two").iteration == 6
    for name in ("one", "two"):
        assert train(longer, world, tmp_path / name).iteration == 8
    assert losses(tmp_path / "two") == losses(tmp_path / "one")
    ours, theirs = (load_checkpoint(tmp_path / name)["model"] for name in ("two", "one"))
    assert all(torch.equal(ours[name], weight) for name, weight in theirs.items())


def test_another_rate_holds_from_where_the_run_goes_on(whole: Path, world: Path, tmp_path: Path) -> None:
    for name in ("checkpoint-0000004.pt", "metrics.jsonl"):
        shutil.copy(whole / name, tmp_path / name.replace("-0000004", ""))
    train(load_recipe("demo", (*SETTINGS, "train.learning_rate=1e-4")), world, tmp_path)
    assert losses(tmp_path)[:5] == losses(whole)[:5]
    assert losses(tmp_path)[5] != losses(whole)[5]
