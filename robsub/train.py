"""Train: the joint data set, the schedule, the loop; one process, or many under torchrun.

A run is a folder with ``checkpoint.pt``, which holds its recipe too, and ``metrics.jsonl``. After any interruption the
same command goes on from the checkpoint.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from dataset_adapters.options import Options
from dataset_adapters.problems import InputError
from dataset_adapters.registry import get_adapter
from robsub.config import recipe_from_dict, recipe_to_dict
from robsub.recipe import Recipe
from robsub.recipe_limits import require_limits
from robsub.recipe_text import images_text, start_text
from robsub.training.best import agreeing_best
from robsub.training.changes import Change, all_changes, changed_settings
from robsub.training.checkpoint import (
    BEST,
    CHECKPOINT,
    Former,
    load_newest_checkpoint,
    remove_checkpoints,
    save_checkpoint,
)
from robsub.training.distributed import Process, join_run, leave_cores
from robsub.training.images import AdapterFrame, TrainingImages, annotated_frames, count_images, training_images
from robsub.training.lock import locked
from robsub.training.metrics import METRICS, TENSORBOARD, VALIDATION, MetricsLog
from robsub.training.mishaps import NOT_FINITE
from robsub.training.say import say
from robsub.training.schedule import progress
from robsub.training.trainer import Trainer


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
        _require_even_share(recipe, process)
        afresh = overwrite and not process.restarted
        if afresh:
            _require_elsewhere(recipe.train.init, out)
        former, changes = (None, list[Change]()) if afresh else former_checkpoint(recipe, out, resume)
        if former is not None:
            if former.damage is not None and process.is_main:
                problem = former.damage.problem
                say(f"goes on from an earlier checkpoint, for {problem.file} is {problem.found}")
            state = former.state
            state["best"] = process.share(agreeing_best(out, state) if process.is_main else {})
            if state["finished"] and _is_over(recipe, state):
                if process.is_main:
                    _take_over_inference(recipe, former, out)
                return Run(out, state["iteration"], shared_images(recipe, frames, out, process), state["best"])
        if process.is_main:
            adapters = [get_adapter(name, data_root, options) for name in recipe.train.datasets]
            say(images_text(recipe, adapters, count_images(recipe.train, frames)))
            _tell_start(recipe, former, changes)
        return _train(recipe, frames, out, process, former, afresh=afresh)


def _train(
    recipe: Recipe,
    frames: Sequence[AdapterFrame],
    out: Path,
    process: Process,
    former: Former | None,
    *,
    afresh: bool,
) -> Run:
    """Train, what is refused quickly first and what takes long last; only then is a former run deleted."""
    trainer = Trainer(recipe, dict.fromkeys(adapter for adapter, _ in frames), out, process)
    trainer.start(former)
    process.wait()
    if afresh and process.is_main:
        remove_run(out)
    tensorboard = recipe.train.tensorboard
    with MetricsLog(out, trainer.iteration, tensorboard=tensorboard) if process.is_main else nullcontext() as log:
        images = shared_images(recipe, frames, out, process)
        if process.is_main:
            _tell_images(images, trainer, former.state if former is not None else None)
        trainer.run(images, log)
    return Run(out, trainer.iteration, images, trainer.best, tuple(sorted(trainer.broken.stamps)))


def shared_images(recipe: Recipe, frames: Sequence[AdapterFrame], out: Path, process: Process) -> TrainingImages:
    """The images that the recipe trains on, which the main process finds for all."""
    images = process.share(training_images(recipe.train, frames, out) if process.is_main else None)
    assert images is not None
    return images


def remove_run(run: Path) -> None:
    """Delete what a training has left in its folder, but for what it knows of its images."""
    remove_checkpoints(run)
    for name in (METRICS, VALIDATION):
        (run / name).unlink(missing_ok=True)
    for name in (NOT_FINITE, TENSORBOARD):
        shutil.rmtree(run / name, ignore_errors=True)


def _require_elsewhere(init: str, out: Path) -> None:
    if init and Path(init).resolve().is_relative_to(out.resolve()):
        raise InputError(
            init, found="weights in the run that --overwrite deletes", expected="weights elsewhere (train.init)",
            fix="Train into another folder with --out.",
        )  # fmt: skip


def _require_even_share(recipe: Recipe, process: Process) -> None:
    if recipe.train.batch_size % process.world_size:
        raise InputError(
            "train.batch_size", found=f"{recipe.train.batch_size} images for {process.world_size} processes",
            expected="as many for each", fix=f"Choose a multiple of {process.world_size}.",
        )  # fmt: skip


def _is_over(recipe: Recipe, state: Mapping[str, Any]) -> bool:
    """Whether nothing is left to do; more may be after ``train.iterations`` was raised."""
    return progress(recipe.train, state["iteration"], state["seconds"]) >= 1


def _take_over_inference(recipe: Recipe, former: Former, out: Path) -> None:
    """Let a finished run's checkpoint have the new settings of inference, and tell that others come too late."""
    theirs = recipe_from_dict(former.state["recipe"], recipe.name, former.path)
    changes = list(all_changes(recipe, theirs))
    taken = [change.text() for change in changes if change.name.startswith("inference.")]
    late = [change.text() for change in changes if not change.name.startswith("inference.")]
    if taken:
        settings = recipe_to_dict(replace(theirs, inference=recipe.inference))
        save_checkpoint(out, {**former.state, "recipe": settings}, keep=theirs.train.keep_checkpoints)
        say(f"{out / CHECKPOINT} has now {', '.join(taken)}; its weights stay, and earlier checkpoints as they are")
    if late:
        say(f"the run is finished, so nothing comes of {', '.join(late)}")


def _tell_start(recipe: Recipe, former: Former | None, changes: Sequence[Change]) -> None:
    if former is None:
        say(start_text(recipe))
        return
    say(f"goes on from iteration {former.state['iteration']}")
    if changes:
        told = ", ".join(change.text() for change in changes)
        say(f"goes on with {told}: from here on the losses are not those of an undisturbed run")


def _tell_images(images: TrainingImages, trainer: Trainer, state: Mapping[str, Any] | None) -> None:
    say(f"trains on {images.text()}")
    if state is not None and state.get("images") not in (None, images.digest):
        say("the images are not those that the run began with, so their order differs from an undisturbed run's")
    if trainer.validation is not None:
        say(trainer.validation.text())


def former_checkpoint(recipe: Recipe, out: Path, resume: bool) -> tuple[Former | None, list[Change]]:
    """The checkpoint of an earlier start of the same run, None if there is none, and the settings changed since.

    Raises:
        InputError: the folder holds a run of another recipe, or there is nothing to resume.
    """
    if not (out / CHECKPOINT).is_file():
        if resume:
            raise InputError(out, found="no checkpoint", expected="a run to resume", fix="Start it without --resume.")
        return None, []
    former = load_newest_checkpoint(out)
    theirs = recipe_from_dict(former.state["recipe"], recipe.name, former.path)
    return former, changed_settings(recipe, theirs, former.path)
