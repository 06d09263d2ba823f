"""Validation while training: what is scored, what is told, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataset_adapters.problems import InputError
from robsub.config import load_recipe
from robsub.train import train
from tests.training.runs import SETTINGS, losses


def test_validation_does_not_disturb_training(whole: Path, world: Path, tmp_path: Path) -> None:
    train(load_recipe("demo", (*SETTINGS, "train.validate_every=2", "train.validate_images=1")), world, tmp_path)
    assert losses(tmp_path) == losses(whole)


def test_validation_on_images_that_are_trained_on_is_refused(world: Path, tmp_path: Path) -> None:
    recipe = load_recipe("demo", (*SETTINGS, "train.validate_every=2", "train.split=trainval"))
    with pytest.raises(InputError, match=r"train\.split=train"):
        train(recipe, world, tmp_path)
