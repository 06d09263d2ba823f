"""One undisturbed run, for the tests that compare with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from robsub.config import load_recipe
from robsub.recipe import Recipe
from robsub.train import train
from tests.training.runs import SETTINGS


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """Six steps of the demo."""
    return load_recipe("demo", SETTINGS)


@pytest.fixture(scope="module")
def whole(world: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole")
    train(recipe, world, out)
    return out
