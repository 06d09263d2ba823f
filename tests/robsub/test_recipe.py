"""Recipes: what ships, overrides, and refusals that name the nearest setting."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from dataset_adapters.problems import InputError
from robsub.config import RECIPES, load_recipe, recipe_from_dict, recipe_to_dict
from robsub.recipe import InferenceConfig, ModelConfig, Recipe, TrainConfig
from robsub.recipe_limits import LIMITS
from robsub.recipe_text import field_docstrings, recipe_text, remarks


def test_rob2018_is_the_papers_recipe_and_the_dataclasses_default() -> None:
    recipe = load_recipe("rob2018")
    assert recipe.model == Recipe().model
    assert recipe.inference == Recipe().inference
    train = recipe.train
    assert (train.iterations, train.learning_rate, train.weight_decay) == (136_000, 0.02, 1e-4)
    assert dict(zip(train.steps, train.step_rates, strict=True)) == {56_000: 0.01, 76_000: 1e-3, 116_000: 1e-4}


def test_rob2018_says_every_setting() -> None:
    said = tomllib.loads((RECIPES / "rob2018.toml").read_text(encoding="utf-8"))
    assert {part: set(said[part]) for part in said} == {
        part: set(values) for part, values in asdict(Recipe()).items() if part != "name"
    }


@pytest.mark.parametrize("kind", [ModelConfig, TrainConfig, InferenceConfig])
def test_every_setting_says_what_it_means(kind: type) -> None:
    meanings = field_docstrings(kind)
    assert set(meanings) == {field.name for field in fields(kind)}
    assert all(text.endswith(".") for text in meanings.values())


@pytest.mark.parametrize("overrides", [(), ("train.temperature=inf", "inference.nms=hard", 'train.init="a\\\\b"')])
@pytest.mark.parametrize("name", ["rob2018", "finetune", "detectron", "demo"])
def test_a_shown_recipe_reads_as_itself(name: str, overrides: tuple[str, ...], tmp_path: Path) -> None:
    recipe = load_recipe(name, overrides)
    shown = recipe_text(recipe)
    (tmp_path / "shown.toml").write_text(shown, encoding="utf-8")
    assert load_recipe(str(tmp_path / "shown.toml")) == recipe
    assert "# Images of a step, over all processes." in shown


def test_a_recipe_says_only_what_differs_from_its_base(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('base = "rob2018"\n[train]\nbatch_size = 4\n')
    (tmp_path / "more.toml").write_text('base = "mine.toml"\n[model]\nmin_size = 640\n')
    base, more = load_recipe("rob2018"), load_recipe(str(tmp_path / "more.toml"))
    assert more.name == "more"
    assert (more.train.batch_size, more.model.min_size, more.train.split) == (4, 640, "trainval")
    assert more.inference == base.inference


def test_finetune_goes_on_from_the_papers_recipe() -> None:
    base, recipe = load_recipe("rob2018"), load_recipe("finetune")
    assert (recipe.model, recipe.inference, recipe.train.init) == (base.model, base.inference, "runs/rob2018")
    assert len(recipe.train.steps) == len(recipe.train.step_rates)
    assert max(recipe.train.step_rates) < recipe.train.learning_rate < base.train.learning_rate


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('base = "rob2081"', "Did you mean 'rob2018'?"),
        ('base = "mine.toml"', "itself among its bases"),
        ("base = 3", "base = 3"),
        ('base = "rob2018"\n[train]\nbatchsize = 4', "mine.toml: found the unknown setting 'train.batchsize'"),
    ],
)
def test_wrong_bases_are_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(InputError) as error:
        load_recipe(str(tmp_path / "mine.toml"))
    assert words in str(error.value)


def test_the_images_found_are_told_beside_the_papers_number(world: Path) -> None:
    text = remarks(load_recipe("rob2018"), world)
    assert "kitti             10 of 10" in text
    assert "in all            33 of 33" in text
    assert "76,528" in text
    assert "random weights; the paper begins with Detectron's" in text
    for others in ('train.datasets=["kitti"]', "train.split=train"):
        assert "76,528" not in remarks(load_recipe("rob2018", (others,)), world)
    assert "begins with the weights in a.pkl" in remarks(load_recipe("rob2018", ("train.init=a.pkl",)), world)


def test_a_data_set_that_is_half_there_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "kitti").mkdir()
    assert "kitti              0 of 160 (no image)" in remarks(load_recipe("demo"), tmp_path)


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
        ("train.batchsize=8", "setting 'train.batchsize', expected a known one. Did you mean 'train.batch_size'?"),
        ("trian.batch_size=8", "Did you mean 'train'?"),
        ("train.batch_size=many", "train.batch_size = 'many'"),
        ("train.batch_size=true", "train.batch_size = True"),
        ("inference.nms=softest", "linear, gaussian, hard"),
        ("model.layers=[1, 'x']", "model.layers"),
        ("model.layers=[1, 1, 1]", "expected 4 of a whole number"),
        ("model.anchor_sizes=[8, 16, 32, 64]", "expected 5 of a whole number"),
        ("model.image_mean=[0.5]", "expected 3 of a number"),
        ("model.nl_heads=['boxes']", "expected a list, each one of box, mask"),
        ("model.nl_heads=box", "expected a list, each one of box, mask"),
        ("model.norm_groups=7", "expected a divisor of model.width = 16"),
        ("model.fpn_channels=28", "found model.norm_groups = 8, expected a divisor of model.fpn_channels = 28"),
        ("model.width=0", "expected above 0"),
        ("model.stem_kernel=4", "expected odd"),
        ("model.mask_convs=0", "found model.mask_convs = 0"),
        ("model.image_std=[0.2, 0, 0.2]", "expected numbers, each above 0"),
        ("inference.sizes=[640, -5]", "expected numbers, each above 0"),
        ("inference.mask_threshold=0", "above 0 and at most 1"),
        ("inference.score_threshold=nan", "from 0 to 1"),
        ("train.accumulate=0", "found train.accumulate = 0, expected above 0"),
        ("train.shorter_sides=[640, 0]", "found train.shorter_sides = (640, 0), expected numbers, each above 0"),
        ("train.flip=3", "from 0 to 1"),
        ("train.clip_norm=-1", "0 or more"),
        ("train.momentum=2", "from 0 and below 1"),
        ("train.ema=1.0", "from 0 and below 1"),
        ("train.weight_decay=-1", "0 or more"),
        ("train.temperature=nan", "above 0"),
        ("train.learning_rate=-1", "0 or more"),
        ("train.learning_rate=nan", "0 or more"),
        ("train.learning_rate=inf", "0 or more"),
        ("train.seed=-1", "from 0 to 2^63 - 1"),
        ("train.datasets=[]", "one data set or more, each once"),
        ('train.datasets=["kitti", "kitti"]', "one data set or more, each once"),
        ("train.sampling=weights", "found train.weights = [], expected a weight for each of cityscapes, kitti"),
        ("train.weights=[1, 2]", "a weight for each of cityscapes, kitti"),
        ("train.weights=[0, 0, 0, 0, 0]", "not all 0"),
        ("train.weights=[nan, 1, 1, 1, 1]", "expected numbers, each 0 or more"),
        ("train.steps=[1]", "expected a rate for each of the 1 steps"),
        ("train.steps=[3, 2, 1]", "in ascending order"),
        ("train.freeze_stages=2", "or a train.init"),
        ("nonsense", "PART.NAME=VALUE"),
    ],
)
def test_wrong_settings_are_refused(override: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        load_recipe("demo", (override,))
    assert words in str(error.value)


def test_every_number_has_a_limit() -> None:
    named = {name for names, _, _ in LIMITS for name in names.split()}
    parts = {"model": asdict(ModelConfig()), "train": asdict(TrainConfig()), "inference": asdict(InferenceConfig())}
    numbers = {
        f"{part}.{name}" for part, values in parts.items() for name, value in values.items()
        if not isinstance(value, (str, bool)) and name not in ("nl_heads", "datasets")
    }  # fmt: skip
    assert named == numbers


def test_settings_are_judged_together(tmp_path: Path) -> None:
    """In a file and in overrides that only go together with what follows."""
    (tmp_path / "mine.toml").write_text('base = "demo"\n[model]\nnorm_groups = 12\n')
    recipe = load_recipe(str(tmp_path / "mine.toml"), ("model.width=24", "model.fpn_channels=36"))
    assert recipe.model.norm_groups == 12
    with pytest.raises(InputError, match=r"mine\.toml: found model\.norm_groups = 12, expected a divisor"):
        load_recipe(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize(
    ("overrides", "place"),
    [
        (("train.workers=1", "train.batch_size=0"), "-o train.batch_size=0"),
        (("train.batch_size=0", "train.log_every=0"), "-o train.batch_size=0 -o train.log_every=0"),
        (("model.norm_groups=7", "train.workers=1"), "-o model.norm_groups=7"),
        (('name="a/b"',), """-o name="a/b\""""),
    ],
)
def test_mistakes_are_told_of_the_overrides_that_make_them(overrides: tuple[str, ...], place: str) -> None:
    with pytest.raises(InputError) as error:
        load_recipe("demo", overrides)
    assert error.value.problem.file == place


def test_mistakes_of_a_file_are_told_of_it_whatever_is_overridden(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('base = "demo"\n[train]\nbatch_size = 0\n')
    with pytest.raises(InputError, match=r"mine\.toml: found train\.batch_size = 0"):
        load_recipe(str(tmp_path / "mine.toml"), ("train.workers=1",))


@pytest.mark.parametrize("name", ["a/b", "../../escape", "..", ".", "", "a\\b", "a\0b", "/tmp/a"])
def test_a_name_is_that_of_one_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f'base = "demo"\nname = {json.dumps(name)}\n')
    with pytest.raises(InputError, match=r"mine\.toml: found name = .*one name of a folder"):
        load_recipe(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("name", ["mine", "rob 2018.b", "größer"])
def test_any_other_name_may_be(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f'base = "demo"\nname = "{name}"\n')
    assert load_recipe(str(tmp_path / "mine.toml")).name == name


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"model": 3}, "model = 3"), ({3: {}}, "unknown setting '3'"), ({"model": {3: 4}}, "'model.3'")],
)
def test_a_forged_recipe_is_refused(settings: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        recipe_from_dict(settings, "checkpoint", "a file")


def test_an_unknown_recipe_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="demo, detectron, finetune, rob2018"):
        load_recipe("rob2017")
    broken = tmp_path / "mine.toml"
    broken.write_text("[train\n")
    with pytest.raises(InputError, match=r"mine\.toml"):
        load_recipe(str(broken))
