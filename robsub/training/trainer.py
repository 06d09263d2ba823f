"""The training loop of one process."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from tqdm import tqdm

from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.problems import InputError
from robsub.config import recipe_to_dict
from robsub.model.mask_rcnn import MaskRCNN, build_model
from robsub.model.pretrained import load_pretrained
from robsub.recipe import Recipe
from robsub.training.checkpoint import checkpoint_file, save_checkpoint
from robsub.training.distributed import Process
from robsub.training.draws import Draws, PositionSampler, data_set_shares, step_shorter_side
from robsub.training.images import TrainingImages
from robsub.training.joint_dataset import JointDataset, Sample
from robsub.training.metrics import MetricsLog, memory_mb
from robsub.training.mishaps import memory_advice, require_finite
from robsub.training.optimizer import build_optimizer, freeze, moving_average, set_rate
from robsub.training.schedule import learning_rate, progress, steps_in_all
from robsub.training.validation import Validation


def say(text: str) -> None:
    """A line for the user, on standard error, above the progress bar."""
    tqdm.write(f"train: {text}", file=sys.stderr)


class Trainer:
    """One process's share of a run.

    Args:
        recipe: all settings.
        images: the training images.
        out: the run's folder.
        process: this process's place among the run's processes.

    Raises:
        InputError: the images of a step cannot be shared evenly among the processes; weights to start from do not fit.
    """

    def __init__(self, recipe: Recipe, images: TrainingImages, out: Path, process: Process) -> None:
        self.config, self.recipe = recipe.train, recipe
        self.images, self.out, self.process = images, out, process
        self.model = build_model(recipe.model, recipe.inference, num_classes=1 + len(JOINT_CLASSES)).to(process.device)
        if self.config.channels_last:
            self.model.to(memory_format=torch.channels_last)
        freeze(self.config, self.model.backbone.body)
        self.average = moving_average(self.config, self.model)
        self.optimizer = build_optimizer(self.config, self.model)
        self.iteration = 0
        self.seconds = 0.0
        self.best: dict[str, float] = {}
        self.broken: set[str] = set()
        adapters = dict.fromkeys(adapter for adapter, _ in images.frames)
        self.validation = Validation(recipe, adapters, out, process) if self.config.validate_every else None

    def start(self, state: dict[str, Any] | None) -> None:
        """Go on from a checkpoint's state, or begin with the weights that the recipe names."""
        if state is not None:
            self._restore(state)
        elif self.config.init:
            path = Path(self.config.init)
            report = load_pretrained(self.model, checkpoint_file(path) if path.is_dir() else path, JOINT_CLASSES)
            if self.process.is_main:
                say(report.text())

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state.get("trained", state["model"]))
        if self.average is not None:
            self.average.module.load_state_dict(state["model"])
            self.average.n_averaged.fill_(state["iteration"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.iteration, self.seconds = state["iteration"], state["seconds"]
        self.best = state.get("best", {})
        rank, states = self.process.rank, state["rng"]
        if self.process.is_main and len(states) != self.process.world_size:
            say(
                f"goes on with {self.process.world_size} processes instead of {len(states)}: the same images in the "
                "same steps, but other random samples of RoIs, so the losses will differ slightly"
            )
        if rank < len(states):
            self.process.set_random_state(states[rank])
        else:
            torch.manual_seed(self.config.seed + self.iteration * self.process.world_size + rank)

    def save(self, *, finished: bool, best: bool = False) -> None:
        """Write the checkpoint, by the main process, with every process's random state.

        ``model`` is what predicts: the average if there is one, whose weights in training are ``trained`` then.
        """
        states = self.process.gather(self.process.random_state())
        if self.process.is_main:
            state = {
                "recipe": recipe_to_dict(self.recipe),
                "classes": list(JOINT_CLASSES),
                "model": self.predictor.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "iteration": self.iteration,
                "seconds": self.seconds,
                "rng": states,
                "best": self.best,
                "images": self.images.digest,
                "finished": finished,
            }
            if self.average is not None:
                state["trained"] = self.model.state_dict()
            save_checkpoint(self.out, state, keep=self.config.keep_checkpoints, best=best)

    @property
    def predictor(self) -> MaskRCNN:
        """The network that predicts: the moving average of the weights if there is one."""
        return self.model if self.average is None else cast(MaskRCNN, self.average.module)

    def run(self) -> None:
        """Train to the end of the schedule."""
        config = self.config
        module = self._module()
        log = self._open_log()
        bar = tqdm(
            total=config.iterations, initial=self.iteration, desc="train", unit="step",
            disable=None if self.process.is_main else True,
        )  # fmt: skip
        before = ready = time.perf_counter()
        for samples in self._batches():
            done = self._progress()
            if done >= 1:
                break
            waited = time.perf_counter() - ready
            losses = self._step(module, samples, done)
            self.iteration += 1
            now = time.perf_counter()
            self.seconds += now - before
            before = now
            if log is not None and self.iteration % config.log_every == 0:
                log.add(self.iteration, self._numbers(losses, waited, now - ready, done))
            bar.set_postfix(loss=f"{sum(losses.values()):.2f}", refresh=False)
            bar.total = steps_in_all(config, self.iteration, self.seconds)
            bar.update()
            self._pause(log)
            ready = time.perf_counter()
        bar.close()
        self.save(finished=True)
        if log is not None:
            log.close()

    def _progress(self) -> float:
        """Share of the run that is over; with a time budget the main process's clock decides."""
        done = progress(self.config, self.iteration, self.seconds)
        return self.process.share(done) if self.config.time_budget_s > 0 else done

    def _module(self) -> nn.Module:
        """The model as the loop calls it."""
        if self.config.compile:
            self.model.backbone.compile()
        module: nn.Module = self.model.train()
        return DistributedDataParallel(module) if self.process.world_size > 1 else module

    def _open_log(self) -> MetricsLog | None:
        if not self.process.is_main:
            return None
        return MetricsLog(self.out, self.iteration, tensorboard=self.config.tensorboard)

    def _pause(self, log: MetricsLog | None) -> None:
        """Validate and write a checkpoint when it is time."""
        config, best = self.config, False
        if self.validation is not None and self.iteration % config.validate_every == 0:
            scores = self.validation.score(self.predictor, self.iteration)
            best = scores["AP"] > self.best.get("AP", -1.0)
            self.best = {"iteration": self.iteration, **scores} if best else self.best
            if log is not None:
                log.add_validation(self.iteration, scores)
                say(f"iteration {self.iteration}: " + ", ".join(f"{name} {ap:.3f}" for name, ap in scores.items()))
        if best or self.iteration % config.checkpoint_every == 0:
            self.save(finished=False, best=best)

    def _batches(self) -> Iterator[list[Sample]]:
        """This process's share of every step's samples; broken images are told, and stop the run if they are many."""
        config, process = self.config, self.process
        sizes = tuple(self.images.counts.values())
        draws = Draws(
            sizes, data_set_shares(config, sizes), config.flip, config.seed, self.images.groups, config.batch_size
        )
        positions = PositionSampler(
            range(self.iteration, config.iterations), config.batch_size, process.rank, process.world_size
        )
        loader = DataLoader(
            JointDataset(self.images.frames, draws), batch_sampler=positions, num_workers=config.workers,
            collate_fn=list, pin_memory=process.device.type == "cuda", persistent_workers=config.workers > 0,
            generator=torch.Generator(),  # its seed must not be drawn from the state that a checkpoint restores
        )  # fmt: skip
        for batch in loader:
            for sample in batch:
                self._tell_broken([sample] if isinstance(sample, InputError) else sample.broken)
            yield [sample for sample in batch if isinstance(sample, Sample)]

    def _tell_broken(self, errors: Sequence[InputError]) -> None:
        for error in errors:
            if error.problem.file not in self.broken:
                self.broken.add(error.problem.file)
                say(f"left out, another image in its place: {error}")
            if len(self.broken) > self.config.max_broken:
                raise error

    def _step(self, module: nn.Module, samples: Sequence[Sample], done: float) -> dict[str, float]:
        """One optimizer step; returns the losses."""
        set_rate(self.optimizer, learning_rate(self.config, self.iteration, done))
        self.model.transform.min_size = step_shorter_side(self.config, self.iteration) or self.recipe.model.min_size
        self.optimizer.zero_grad()
        losses = self._backward(module, samples)
        if self.config.clip_norm > 0:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return losses

    def _backward(self, module: nn.Module, samples: Sequence[Sample]) -> dict[str, float]:
        """Add up the gradients of the samples, part by part; the processes exchange them after the last part."""
        size = -(-len(samples) // self.config.accumulate)
        parts = [samples[first : first + size] for first in range(0, len(samples), size)]
        sums: dict[str, float] = {}
        for part in parts:
            share = len(part) / len(samples)
            with memory_advice(self.config, size), _exchange(module, last=part is parts[-1]):
                losses = self._losses(module, part)
                values = {name: loss.item() for name, loss in losses.items()}
                require_finite(values, part, self.iteration, self.out)
                (torch.stack(list(losses.values())).sum() * share).backward()  # type: ignore[no-untyped-call]
            sums = {name: sums.get(name, 0.0) + share * value for name, value in values.items()}
        return sums

    def _losses(self, module: nn.Module, samples: Sequence[Sample]) -> dict[str, Tensor]:
        half = self.config.precision == "bfloat16"
        with torch.autocast(self.process.device.type, torch.bfloat16, enabled=half):
            losses: dict[str, Tensor] = module([s.image for s in samples], [s.target for s in samples])
        return losses

    def _numbers(self, losses: dict[str, float], waited: float, taken: float, done: float) -> dict[str, float]:
        """A line of metrics.jsonl, of this process but for images per second."""
        return {
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "loss": sum(losses.values()),
            **losses,
            "data_s": waited,
            "step_s": taken,
            "images_per_s": self.config.batch_size / taken,
            "memory_mb": memory_mb(self.process.device),
            "progress": done,
        }


def _exchange(module: nn.Module, *, last: bool) -> AbstractContextManager[None]:
    """Where the gradients of a part are not the last ones of a step, the processes keep them to themselves."""
    if isinstance(module, DistributedDataParallel) and not last:
        return cast(AbstractContextManager[None], module.no_sync())
    return nullcontext()
