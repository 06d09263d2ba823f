"""From TOML to checked values: the recipes.

Unknown names are refused with the nearest known one; nothing is ever ignored in silence.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from dataset_adapters.problems import InputError
from robsub.recipe import InferenceConfig, ModelConfig, Recipe, TrainConfig
from robsub.recipe_limits import require_limits, require_name

RECIPES = Path(__file__).with_name("recipes")
"""The recipes that come with robsub, ``<name>.toml``."""

Config = TypeVar("Config", ModelConfig, TrainConfig, InferenceConfig)


def load_recipe(name: str, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe that comes with robsub, by name, or any other, by path.

    Args:
        name: ``rob2018``, ``detectron``, ``finetune``, ``demo``, or the path of a TOML file.
        overrides: settings like ``train.batch_size=8`` that win over the file.

    Raises:
        InputError: no such recipe, or a setting that does not exist, has the wrong type or no meaning; names the file
            or the override that has it.
    """
    path = _recipe_file(name)
    recipe = _overridden(path, overrides)
    if not _is_right(recipe):
        _require_right(recipe, _at_fault(path, overrides))
    return recipe


def _overridden(path: Path, overrides: Sequence[str]) -> Recipe:
    """A recipe's file and what wins over it; whether the settings go together is not looked at."""
    settings = _inherited(path)
    recipe = _recipe(settings, path.stem, path)
    for override in overrides:
        _merge(settings, _parse_override(override))
        recipe = _recipe(settings, path.stem, f"-o {override}")
    return recipe


def _at_fault(path: Path, overrides: Sequence[str]) -> str | Path:
    """Where the mistake of a whole recipe is: the override without which it is right, all of them, or the file."""
    for i, override in enumerate(overrides):
        if _is_right(_overridden(path, [*overrides[:i], *overrides[i + 1 :]])):
            return f"-o {override}"
    if overrides and _is_right(_overridden(path, ())):
        return " ".join(f"-o {override}" for override in overrides)
    return path


def _is_right(recipe: Recipe) -> bool:
    try:
        _require_right(recipe, recipe.name)
    except InputError:
        return False
    return True


def _require_right(recipe: Recipe, source: str | Path) -> None:
    require_limits(recipe, source)
    require_name(recipe, source)


def _recipe_file(name: str, folder: Path = Path()) -> Path:
    """The file of a recipe that comes with robsub, or of any other by its path, from ``folder``."""
    path = folder / name if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = sorted(p.stem for p in RECIPES.glob("*.toml"))
        near = difflib.get_close_matches(name, known, n=1)
        raise InputError(
            name, found="no such recipe", expected=f"one of {', '.join(known)}, or a file",
            fix=f"Did you mean {near[0]!r}?" if near else "Choose one of these, or name a file ending in .toml.",
        )  # fmt: skip
    return path


def _inherited(path: Path, heirs: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A recipe file's settings over those of the recipe that it names as ``base``, and so on down.

    Every file is checked by itself, so that a mistake is told of the file that has it.
    """
    if path.resolve() in heirs:
        raise InputError(
            path, found=f"itself among its bases: base = {read_toml(path)['base']!r}",
            expected="bases that end", fix="Name another base, or none.",
        )  # fmt: skip
    settings = read_toml(path)
    base = settings.pop("base", None)
    _recipe(settings, path.stem, path)
    if base is None:
        return settings
    if not isinstance(base, str):
        raise InputError(path, found=f"base = {base!r}", expected="a recipe's name or file", fix="Mend that setting.")
    whole = _inherited(_recipe_file(base, path.parent), (*heirs, path.resolve()))
    whole.pop("name", None)
    _merge(whole, settings)
    return whole


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        InputError: it is not TOML; names the place.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, found=f"no TOML ({error})", expected="TOML text", fix="Mend that place.") from error


def recipe_from_dict(settings: Mapping[str, Any], name: str, source: str | Path) -> Recipe:
    """A recipe from the parsed TOML or from a checkpoint; what is not said keeps its default.

    Raises:
        InputError: an unknown setting, with the nearest known one, a wrong type, or a number without a meaning; names
            ``source``.
    """
    recipe = _recipe(settings, name, source)
    require_limits(recipe, source)
    return recipe


def _recipe(settings: Mapping[str, Any], name: str, source: str | Path) -> Recipe:
    """The same of settings that are right each by itself; whether they go together, the whole recipe tells."""
    parts = dict.fromkeys(("model", "train", "inference"))
    for part in settings.keys() - parts.keys() - {"name"}:
        raise unknown_setting(source, str(part), parts)
    return Recipe(
        name=str(settings.get("name", name)),
        model=_build(ModelConfig, settings.get("model", {}), "model", source),
        train=_build(TrainConfig, settings.get("train", {}), "train", source),
        inference=_build(InferenceConfig, settings.get("inference", {}), "inference", source),
    )


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """Plain values, the inverse of ``recipe_from_dict``."""
    return asdict(recipe)


def unknown_setting(source: str | Path, name: str, known: Mapping[str, object]) -> InputError:
    """The refusal of a setting that does not exist, with the nearest known one."""
    near = difflib.get_close_matches(name, known, n=1)
    return InputError(
        source, found=f"the unknown setting {name!r}",
        expected="a known one" if near else f"one of {', '.join(known)}",
        fix=f"Did you mean {near[0]!r}?" if near else "Remove it.",
    )  # fmt: skip


def _build(kind: type[Config], settings: object, part: str, source: str | Path) -> Config:
    if not isinstance(settings, Mapping):
        raise InputError(source, found=f"{part} = {settings!r}", expected=f"a table [{part}]", fix="Mend that setting.")
    hints = get_type_hints(kind)
    names = {f"{part}.{f.name}": f.name for f in fields(kind)}
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if f"{part}.{name}" not in names:
            raise unknown_setting(source, f"{part}.{name}", names)
        value = tuple(value) if isinstance(value, list) else value
        value = float(value) if hints[name] is float and type(value) is int else value
        if not _fits(value, hints[name]):
            raise InputError(
                source, found=f"{part}.{name} = {value!r}", expected=_describe(hints[name]), fix="Mend that setting."
            )
        values[name] = value
    return kind(**values)


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        if not isinstance(value, tuple):
            return False
        inner = get_args(hint)
        if inner[-1] is Ellipsis:
            return all(_fits(v, inner[0]) for v in value)
        return len(value) == len(inner) and all(map(_fits, value, inner))
    return type(value) is hint or (hint is float and type(value) is int)


def _describe(hint: Any) -> str:
    """A type in a user's words."""
    inner = get_args(hint)
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if get_origin(hint) is tuple:
        return (
            f"a list, each {_describe(inner[0])}" if inner[-1] is Ellipsis else f"{len(inner)} of {_describe(inner[0])}"
        )
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[hint]


def _parse_override(text: str) -> dict[str, Any]:
    """``train.batch_size=8`` as the nested table that TOML makes of it; a bare word is taken as text."""
    key, equals, value = text.partition("=")
    for candidate in (text, f'{key} = "{value}"') if equals and "." in key else ():
        try:
            return tomllib.loads(candidate)
        except tomllib.TOMLDecodeError:
            continue
    raise InputError(
        f"-o {text}", found="no setting", expected="PART.NAME=VALUE, e.g. train.batch_size=8", fix="Mend it."
    )


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
