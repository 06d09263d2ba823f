"""Recipes: what ships, overrides, and refusals that name the nearest setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataset_adapters.problems import InputError
from robsub.config import load_recipe, recipe_from_dict, recipe_to_dict
from robsub.recipe import Recipe


def test_rob2018_is_the_papers_recipe_and_the_dataclasses_default() -> None:
    recipe = load_recipe("rob2018")
    assert recipe.model == Recipe().model
    assert recipe.inference == Recipe().inference
    train = recipe.train
    assert (train.iterations, train.learning_rate, train.weight_decay) == (136_000, 0.02, 1e-4)
    assert dict(zip(train.steps, train.step_rates, strict=True)) == {56_000: 0.01, 76_000: 1e-3, 116_000: 1e-4}


def test_overrides_win_and_keep_their_types() -> None:
    recipe = load_recipe(
        "demo", ("train.batch_size=2", "train.learning_rate=1", "model.nl_heads=[]", "inference.nms=hard")
    )
    assert (recipe.train.batch_size, recipe.train.learning_rate) == (2, 1.0)
    assert isinstance(recipe.train.learning_rate, float)
    assert (recipe.model.nl_heads, recipe.inference.nms) == ((), "hard")


def test_round_trip() -> None:
    recipe = load_recipe("demo")
    assert recipe_from_dict(recipe_to_dict(recipe), "other", "a test") == recipe


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.batchsize=8", "Did you mean 'train.batch_size'?"),
        ("trian.batch_size=8", "Did you mean 'train'?"),
        ("train.batch_size=many", "train.batch_size = 'many'"),
        ("train.batch_size=true", "train.batch_size = True"),
        ("inference.nms=softest", "linear, gaussian, hard"),
        ("model.layers=[1, 'x']", "model.layers"),
        ("nonsense", "PART.NAME=VALUE"),
    ],
)
def test_wrong_settings_are_refused(override: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        load_recipe("demo", (override,))
    assert words in str(error.value)


def test_an_unknown_recipe_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="demo, rob2018"):
        load_recipe("rob2017")
    broken = tmp_path / "mine.toml"
    broken.write_text("[train\n")
    with pytest.raises(InputError, match=r"mine\.toml"):
        load_recipe(str(broken))
