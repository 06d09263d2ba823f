"""Train: the joint data set, the schedule, the loop; one process, or many under torchrun.

A run is a folder with ``checkpoint.pt``, which holds its recipe too, and ``metrics.jsonl``. After any interruption the
same command goes on from the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from dataset_adapters.options import Options
from dataset_adapters.problems import InputError
from robsub.config import recipe_from_dict
from robsub.recipe import Recipe
from robsub.recipe_limits import require_limits
from robsub.recipe_text import paper_count_note
from robsub.training.checkpoint import BEST, CHECKPOINT, load_newest_checkpoint, remove_checkpoints
from robsub.training.distributed import join_run, leave_cores
from robsub.training.images import TrainingImages, annotated_frames, training_images
from robsub.training.lock import locked
from robsub.training.trainer import Trainer, say

FREE = frozenset(
    "allow_missing max_broken workers checkpoint_every keep_checkpoints validate_every validate_images log_every "
    "tensorboard".split()
)
"""Settings of training that a run may change when it goes on: none has a part in what is learned."""


@dataclass(frozen=True)
class Run:
    """What a training has come to."""

    path: Path
    iteration: int
    images: TrainingImages
    best: Mapping[str, float]
    """Iteration and AP of the best validation; empty without one."""
    broken: tuple[str, ...] = ()
    """Files that were left out because they are broken."""

    def text(self) -> str:
        """A few lines for the terminal."""
        lines = [f"{self.path}: trained for {self.iteration} iterations on {self.images.text()}"]
        if self.best:
            ap, iteration = self.best["AP"], self.best["iteration"]
            lines.append(f"best validation: AP {ap:.3f} at iteration {iteration:.0f}, kept as {BEST}")
        if self.broken:
            lines.append(f"{len(self.broken)} broken files left out, the first {self.broken[0]}")
        return "\n".join(lines)


def train(
    recipe: Recipe,
    data_root: Path,
    out: Path,
    *,
    overwrite: bool = False,
    resume: bool = False,
    options: Options | None = None,
) -> Run:
    """Train a recipe into a run's folder, or go on where that run stopped.

    Args:
        recipe: all settings.
        data_root: the folder that holds the data sets.
        out: the run's folder.
        overwrite: start over even if the run is there.
        resume: insist on going on from a checkpoint.
        options: how ground truth is read; a cache saves most of the reading.

    Raises:
        InputError: data is missing or broken, a run of another recipe, nothing to resume, another training in the
            folder, settings that contradict each other, not enough memory, a loss that is not finite.
    """
    require_limits(recipe, f"the recipe {recipe.name}")
    torch.manual_seed(recipe.train.seed)
    leave_cores(recipe.train.workers)
    frames = annotated_frames(recipe.train, data_root, options)
    with join_run() as process, locked(out) if process.is_main else nullcontext():
        if recipe.train.batch_size % process.world_size:
            raise InputError(
                "train.batch_size", found=f"{recipe.train.batch_size} images for {process.world_size} processes",
                expected="as many for each", fix=f"Choose a multiple of {process.world_size}.",
            )  # fmt: skip
        if overwrite and process.is_main and not process.restarted:
            remove_checkpoints(out)
        process.wait()
        state = former_state(recipe, out, resume)
        images = process.share(training_images(recipe.train, frames, out) if process.is_main else None)
        assert images is not None
        if state is not None and state["finished"]:
            return Run(out, state["iteration"], images, state.get("best", {}))
        if process.is_main:
            _tell_start(recipe, images, state)
        trainer = Trainer(recipe, images, out, process)
        trainer.start(state)
        trainer.run()
        return Run(out, trainer.iteration, images, trainer.best, tuple(sorted(trainer.broken)))


def _tell_start(recipe: Recipe, images: TrainingImages, state: Mapping[str, Any] | None) -> None:
    say(images.text())
    if recipe.name == "rob2018":
        say(paper_count_note(len(images.frames)))
    if state is not None:
        say(f"goes on from iteration {state['iteration']}")
        if state.get("images") not in (None, images.digest):
            say("the images are not those that the run began with, so their order differs from an undisturbed run's")


def former_state(recipe: Recipe, out: Path, resume: bool) -> dict[str, Any] | None:
    """The checkpoint of an earlier start of the same run, None if there is none.

    Raises:
        InputError: the folder holds a run of another recipe, or there is nothing to resume.
    """
    if not (out / CHECKPOINT).is_file():
        if resume:
            raise InputError(out, found="no checkpoint", expected="a run to resume", fix="Start it without --resume.")
        return None
    state, damage = load_newest_checkpoint(out)
    if damage is not None:
        say(f"goes on from an earlier checkpoint, for the last one is damaged: {damage}")
    former = recipe_from_dict(state["recipe"], recipe.name, out)
    if different := list(_differences(recipe, former)):
        raise InputError(
            out / CHECKPOINT, found="a run with " + ", ".join(f"{name} = {theirs}" for name, _, theirs in different),
            expected=", ".join(f"{name} = {ours}" for name, ours, _ in different),
            fix="Choose another folder with --out, or start over with --overwrite.",
        )  # fmt: skip
    return state


def _differences(ours: Recipe, theirs: Recipe) -> Iterator[tuple[str, object, object]]:
    """(setting, our value, their value) of everything that has a part in what is learned."""
    for part in ("model", "train", "inference"):
        for field in fields(getattr(ours, part)):
            values = tuple(getattr(getattr(recipe, part), field.name) for recipe in (ours, theirs))
            if values[0] != values[1] and not (part == "train" and field.name in FREE):
                yield f"{part}.{field.name}", *values
