"""A recipe as readable TOML, and what its images are, for the terminal."""

from __future__ import annotations

import ast
import inspect
import json
import math
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from dataset_adapters.registry import get_adapter
from robsub.recipe import InferenceConfig, ModelConfig, Recipe, TrainConfig

PAPER_IMAGES = 76_528
"""Training images of the paper (section 3)."""
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


def images_text(recipe: Recipe, data_root: Path) -> str:
    """How many training images each data set has here and should have, and why the sum is not the paper's.

    Args:
        recipe: names data sets and split.
        data_root: the folder that holds the data sets.

    Raises:
        InputError: a data set is on disk, but its split is not.
    """
    adapters = [get_adapter(name, data_root) for name in recipe.train.datasets]
    split = recipe.train.split
    found = [len(adapter.frames(split)) if adapter.root.is_dir() else 0 for adapter in adapters]
    expected = [adapter.frames_expected(split) for adapter in adapters]
    rows = [
        f"  {adapter.name:<12}{here:>8} of {'?' if whole is None else whole}"
        for adapter, here, whole in zip(adapters, found, expected, strict=True)
    ]
    lines = [
        f"Training images, split {split!r}, found of expected:",
        *rows,
        f"  {'in all':<12}{sum(found):>8} of {sum(filter(None, expected))}",
    ]
    if set(recipe.train.datasets) == set(TrainConfig().datasets):
        lines += textwrap.wrap(paper_count_note(sum(found)), WIDTH)
    return "\n".join(lines)


def paper_count_note(found: int) -> str:
    """Why the number of images is not the paper's."""
    return (
        f"The paper counts {PAPER_IMAGES:,} valid training images; here are {found:,}. It does not say which release "
        "and which part of ADE20K it took. Its number is even, and Detectron logs the number after adding a mirrored "
        f"copy of every image and dropping images without an object, so it may stand for {PAPER_IMAGES // 2:,} "
        "photos. Here an image counts once, and is mirrored by chance."
    )
