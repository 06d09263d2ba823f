"""Train: the joint data set, the schedule, the loop; one process, or many under torchrun.

A run is a folder with ``checkpoint.pt``, which holds its recipe too, and ``metrics.jsonl``. After any interruption the
same command goes on from the checkpoint.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from tqdm import tqdm

from dataset_adapters.base import DatasetAdapter, Frame
from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.problems import InputError
from dataset_adapters.registry import get_adapter
from robsub.config import recipe_from_dict, recipe_to_dict
from robsub.model.mask_rcnn import build_model
from robsub.recipe import Recipe, TrainConfig
from robsub.training.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from robsub.training.distributed import Process, join_run, leave_cores
from robsub.training.draws import Draws, PositionSampler
from robsub.training.joint_dataset import JointDataset, Sample
from robsub.training.schedule import learning_rate, progress, steps_in_all

METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class Run:
    """What a training has come to."""

    path: Path
    iteration: int
    images: dict[str, int]
    """Training images found, by data set."""

    def text(self) -> str:
        """One line for the terminal."""
        found = ", ".join(f"{name} {count or 'not here'}" for name, count in self.images.items())
        return f"{self.path}: trained for {self.iteration} iterations on {sum(self.images.values())} images ({found})"


def train(recipe: Recipe, data_root: Path, out: Path, *, overwrite: bool = False, resume: bool = False) -> Run:
    """Train a recipe into a run's folder, or go on where that run stopped.

    Args:
        recipe: all settings.
        data_root: the folder that holds the data sets.
        out: the run's folder.
        overwrite: start over even if the run is there.
        resume: insist on going on from a checkpoint.

    Raises:
        InputError: no data, a file that does not read, a run of another recipe, nothing to resume.
    """
    torch.manual_seed(recipe.train.seed)
    leave_cores(recipe.train.workers)
    frames = training_frames(recipe.train, data_root)
    images = {name: sum(a.name == name for a, _ in frames) for name in recipe.train.datasets}
    with join_run() as process:
        if overwrite and process.is_main:
            (out / CHECKPOINT).unlink(missing_ok=True)
        process.wait()
        state = former_state(recipe, out, resume)
        if state is not None and state["finished"]:
            return Run(out, state["iteration"], images)
        trainer = Trainer(recipe, frames, out, process)
        trainer.restore(state)
        trainer.run()
        return Run(out, trainer.iteration, images)


def training_frames(config: TrainConfig, data_root: Path) -> list[tuple[DatasetAdapter, Frame]]:
    """All annotated frames of the recipe's data sets; a data set that is not on disk is left out.

    Raises:
        InputError: none of them is there.
    """
    found: list[tuple[DatasetAdapter, Frame]] = []
    for name in config.datasets:
        adapter = get_adapter(name, data_root)
        if adapter.root.is_dir():
            found += [(adapter, frame) for frame in adapter.frames(config.split)]
    if not found:
        raise InputError(
            data_root, found="none of the data sets", expected=f"one or more of {', '.join(config.datasets)}",
            fix="Put the data there, or name another folder with --data-root; 'robsub demo' makes a small one.",
        )  # fmt: skip
    return found


def former_state(recipe: Recipe, out: Path, resume: bool) -> dict[str, Any] | None:
    """The checkpoint of an earlier start of the same run, None if there is none.

    Raises:
        InputError: the folder holds a run of another recipe, or there is nothing to resume.
    """
    if not (out / CHECKPOINT).is_file():
        if resume:
            raise InputError(out, found="no checkpoint", expected="a run to resume", fix="Start it without --resume.")
        return None
    state = load_checkpoint(out)
    former = recipe_from_dict(state["recipe"], recipe.name, out)
    for part in ("model", "train", "inference"):
        ours, theirs = getattr(recipe, part), getattr(former, part)
        for f in fields(ours):
            if getattr(ours, f.name) != getattr(theirs, f.name):
                raise InputError(
                    out / CHECKPOINT, found=f"a run with {part}.{f.name} = {getattr(theirs, f.name)}",
                    expected=f"{part}.{f.name} = {getattr(ours, f.name)}",
                    fix="Choose another folder with --out, or start over with --overwrite.",
                )  # fmt: skip
    return state


class Trainer:
    """One process's share of a run.

    Args:
        recipe: all settings.
        frames: the training images.
        out: the run's folder.
        process: this process's place among the run's processes.
    """

    def __init__(
        self, recipe: Recipe, frames: Sequence[tuple[DatasetAdapter, Frame]], out: Path, process: Process
    ) -> None:
        self.config = recipe.train
        self.recipe = recipe
        self.out = out
        self.process = process
        self.frames = frames
        self.model = build_model(recipe.model, recipe.inference, num_classes=1 + len(JOINT_CLASSES)).to(process.device)
        self.optimizer = build_optimizer(self.config, self.model)
        self.iteration = 0
        self.seconds = 0.0

    def restore(self, state: dict[str, Any] | None) -> None:
        """Take up a checkpoint's state; None leaves the start as it is."""
        if state is not None:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.iteration, self.seconds = state["iteration"], state["seconds"]
            torch.set_rng_state(state["rng"][self.process.rank])

    def save(self, *, finished: bool) -> None:
        """Write the checkpoint, by the main process, with every process's random state."""
        states = self.process.gather(torch.get_rng_state())
        if self.process.is_main:
            state = {
                "recipe": recipe_to_dict(self.recipe),
                "classes": list(JOINT_CLASSES),
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "iteration": self.iteration,
                "seconds": self.seconds,
                "rng": states,
                "finished": finished,
            }
            save_checkpoint(self.out, state)

    def run(self) -> None:
        """Train to the end of the schedule."""
        config = self.config
        module: nn.Module = self.model.train()
        if self.process.world_size > 1:
            module = DistributedDataParallel(module)
        self._cut_metrics()
        bar = tqdm(
            total=config.iterations, initial=self.iteration, desc="train", unit="step",
            disable=None if self.process.is_main else True,
        )  # fmt: skip
        before = time.perf_counter()
        for samples in self._batches():
            done = self.process.share(progress(config, self.iteration, self.seconds))
            if done >= 1:
                break
            waited = time.perf_counter() - before
            losses = self._step(module, samples, done)
            self.iteration += 1
            now = time.perf_counter()
            self.seconds += now - before
            self._log(losses, waited, now - before, done)
            bar.set_postfix(loss=f"{sum(losses.values()):.2f}", refresh=False)
            bar.total = steps_in_all(config, self.iteration, self.seconds)
            bar.update()
            before = now
            if self.iteration % config.checkpoint_every == 0:
                self.save(finished=False)
        bar.close()
        self.save(finished=True)

    def _batches(self) -> Iterator[list[Sample]]:
        config, process = self.config, self.process
        sizes = [sum(a.name == name for a, _ in self.frames) for name in config.datasets]
        draws = Draws(tuple(n for n in sizes if n), config.sampling, config.flip, config.seed)
        positions = PositionSampler(
            range(self.iteration, config.iterations), config.batch_size, process.rank, process.world_size
        )
        loader = DataLoader(
            JointDataset(self.frames, draws), batch_sampler=positions, num_workers=config.workers, collate_fn=list,
            pin_memory=process.device.type == "cuda", persistent_workers=config.workers > 0,
            generator=torch.Generator(),  # its seed must not be drawn from the state that a checkpoint restores
        )  # fmt: skip
        for batch in loader:
            for sample in batch:
                if isinstance(sample, InputError):
                    raise sample
            yield batch

    def _step(self, module: nn.Module, samples: Sequence[Sample], done: float) -> dict[str, float]:
        """One optimizer step; returns the losses."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.iteration, done)
        losses: dict[str, Tensor] = module([s.image for s in samples], [s.target for s in samples])
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            raise InputError(
                self.out, found=f"a loss of {total.item()} at iteration {self.iteration}", expected="a finite loss",
                fix=f"Lower train.learning_rate. The images were {', '.join(s.name for s in samples)}.",
            )  # fmt: skip
        self.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        if self.config.clip_norm > 0:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        return {name: loss.item() for name, loss in losses.items()}

    def _log(self, losses: dict[str, float], waited: float, taken: float, done: float) -> None:
        if not self.process.is_main or self.iteration % self.config.log_every:
            return
        line = {
            "iteration": self.iteration,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "loss": sum(losses.values()),
            **losses,
            "data_s": waited,
            "step_s": taken,
            "images_per_s": self.config.batch_size / taken,
            "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "progress": done,
        }
        with (self.out / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({k: round(v, 6) for k, v in line.items()}) + "\n")

    def _cut_metrics(self) -> None:
        """Drop the lines after the checkpoint that this start goes on from."""
        if self.process.is_main:
            self.out.mkdir(parents=True, exist_ok=True)
            path = self.out / METRICS
            lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
            kept = [line for line in lines if line.endswith("}") and json.loads(line)["iteration"] <= self.iteration]
            path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def build_optimizer(config: TrainConfig, model: nn.Module) -> torch.optim.Optimizer:
    """SGD or AdamW; weights of convolutions and linear layers decay, norm parameters and biases do not."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.learning_rate)
    return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum)
