"""A recipe as readable TOML, and what its images are, for the terminal."""

from __future__ import annotations

import ast
import inspect
import json
import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from dataset_adapters.base import DatasetAdapter, Split
from dataset_adapters.options import Options
from dataset_adapters.problems import InputError
from dataset_adapters.registry import get_adapter
from robsub.recipe import InferenceConfig, ModelConfig, Recipe, TrainConfig

PAPER_IMAGES = 76_528
"""Training images of the paper (section 3)."""
PAPER_SPLIT = "trainval"
"""The split of each data set that the paper trained on."""
WIDTH = 110
"""Characters of a comment's line."""


def recipe_text(recipe: Recipe) -> str:
    """The whole recipe, every setting with what it means; ``robsub train --recipe FILE.toml`` reads it again."""
    parts = [f"name = {_toml(recipe.name)}"]
    for title in ("model", "train", "inference"):
        config = getattr(recipe, title)
        parts.append("\n".join([f"[{title}]", *_settings(config)]))
    return "\n\n".join(parts) + "\n"


def _settings(config: ModelConfig | TrainConfig | InferenceConfig) -> Iterator[str]:
    meanings = field_docstrings(type(config))
    for field in fields(config):
        yield from (f"# {line}" for line in textwrap.wrap(meanings[field.name], WIDTH))
        yield f"{field.name} = {_toml(getattr(config, field.name))}"


def field_docstrings(kind: type) -> dict[str, str]:
    """field -> the text that stands under it in the class, on one line; "" where there is none."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)
    texts: dict[str, str] = {}
    name = ""
    for node in definition.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            texts[name] = ""
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            texts[name] = " ".join(str(node.value.value).split())
    return texts


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    return json.dumps(value, ensure_ascii=False)


def remarks(recipe: Recipe, data_root: Path, options: Options | None = None) -> str:
    """What a training of the recipe would begin with here, as comments that may stand below ``recipe_text``."""
    adapters = [get_adapter(name, data_root, options) for name in recipe.train.datasets]
    found = {adapter.name: _found(adapter, recipe.train.split) for adapter in adapters}
    return textwrap.indent(f"{images_text(recipe, adapters, found)}\nTraining {start_text(recipe)}.", "# ")


def _found(adapter: DatasetAdapter, split: Split) -> int | str:
    try:
        return len(adapter.frames(split))
    except InputError as error:
        return error.problem.found


def images_text(recipe: Recipe, adapters: Iterable[DatasetAdapter], found: Mapping[str, int | str]) -> str:
    """How many training images each data set has here and should have, and why the sum is not the paper's.

    Args:
        recipe: names the split.
        adapters: its data sets.
        found: the images of each of them, or what is there instead.
    """
    split = recipe.train.split
    lines = [f"Training images, split {split!r}, found of expected:"]
    counts, expected = [], []
    for adapter in adapters:
        here, whole = found[adapter.name], adapter.frames_expected(split)
        counts.append(0 if isinstance(here, str) else here)
        expected.append(whole or 0)
        reason = f" ({here})" if isinstance(here, str) else ""
        lines.append(f"  {adapter.name:<12}{counts[-1]:>8} of {'?' if whole is None else whole}{reason}")
    lines.append(f"  {'in all':<12}{sum(counts):>8} of {sum(expected)}")
    if set(recipe.train.datasets) == set(TrainConfig().datasets) and split == PAPER_SPLIT:
        lines += textwrap.wrap(_paper_count_note(sum(counts)), WIDTH)
    return "\n".join(lines)


def start_text(recipe: Recipe) -> str:
    """What weights a training begins with."""
    if recipe.train.init:
        return f"begins with the weights in {recipe.train.init}"
    paper = ModelConfig()
    same = (recipe.model.block, recipe.model.layers) == (paper.block, paper.layers)
    advice = "; the paper begins with Detectron's: --recipe detectron -o train.init=PATH" if same else ""
    return f"begins with random weights{advice}"


def _paper_count_note(found: int) -> str:
    """Why the number of images is not the paper's."""
    return (
        f"The paper counts {PAPER_IMAGES:,} valid training images; here are {found:,}. It does not say which release "
        "and which part of ADE20K it took. Its number is even, and Detectron logs the number after adding a mirrored "
        f"copy of every image and dropping images without an object, so it may stand for {PAPER_IMAGES // 2:,} "
        "photos. Here an image counts once, and is mirrored by chance."
    )
