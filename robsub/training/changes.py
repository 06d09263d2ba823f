"""Which settings a run may change when it goes on, and which make it another run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

from dataset_adapters.problems import InputError
from robsub.recipe import InferenceConfig, Recipe

FREE = frozenset(
    "train.allow_missing train.max_broken train.workers train.checkpoint_every train.keep_checkpoints "
    "train.validate_every train.validate_images train.log_every train.tensorboard".split()
) | {f"inference.{field.name}" for field in fields(InferenceConfig)}
"""Settings without a part in what is learned."""
TOLD = frozenset(
    "model.min_size model.max_size model.roi_batch train.accumulate train.precision train.channels_last train.compile "
    "train.learning_rate train.step_rates train.clip_norm".split()
)
"""Settings that the same weights can go on with: what to lower where memory ends or losses diverge."""


class Change(NamedTuple):
    """A setting that the run was begun with in another way."""

    name: str
    ours: object
    theirs: object

    def text(self) -> str:
        """For the terminal."""
        return f"{self.name} = {self.ours} instead of {self.theirs}"


def changed_settings(recipe: Recipe, former: Recipe, path: Path) -> list[Change]:
    """The changes that a run goes on with but has to tell.

    Args:
        recipe: what the run is to go on with.
        former: what it was begun with.
        path: the checkpoint that says so, for the error.

    Raises:
        InputError: other changes, which make it another run; names them all.
    """
    changes = [
        change for change in all_changes(recipe, former) if change.name not in FREE and not _is_longer(change, recipe)
    ]
    if different := [change for change in changes if change.name not in TOLD]:
        raise InputError(
            path, found="a run with " + ", ".join(f"{change.name} = {change.theirs}" for change in different),
            expected=", ".join(f"{change.name} = {change.ours}" for change in different),
            fix="Choose another folder with --out, or start over with --overwrite.",
        )  # fmt: skip
    return changes


def all_changes(recipe: Recipe, former: Recipe) -> Iterator[Change]:
    """Every setting that differs."""
    for part in ("model", "train", "inference"):
        for field in fields(getattr(recipe, part)):
            ours, theirs = (getattr(getattr(one, part), field.name) for one in (recipe, former))
            if ours != theirs:
                yield Change(f"{part}.{field.name}", ours, theirs)


def _is_longer(change: Change, recipe: Recipe) -> bool:
    """More iterations at the end of a schedule of steps leave all before them as they were, unless the clock counts."""
    return (
        change.name == "train.iterations"
        and recipe.train.schedule == "steps"
        and recipe.train.time_budget_s == 0
        and recipe.train.iterations > int(str(change.theirs))
    )
