"""The training loop of one process."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from tqdm import tqdm

from dataset_adapters.base import DatasetAdapter
from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.problems import InputError
from robsub.config import recipe_to_dict
from robsub.model.mask_rcnn import MaskRCNN, build_model
from robsub.model.pretrained import load_pretrained
from robsub.model.weights_fit import require_finite as require_finite_weights
from robsub.model.weights_fit import require_fit
from robsub.recipe import Recipe
from robsub.training.broken_files import BrokenFiles
from robsub.training.checkpoint import CHECKPOINT, Former, save_checkpoint
from robsub.training.distributed import Process
from robsub.training.draws import Draws, PositionSampler, data_set_shares, step_shorter_side
from robsub.training.images import TrainingImages
from robsub.training.joint_dataset import JointDataset, Sample
from robsub.training.metrics import MetricsLog, memory_mb
from robsub.training.mishaps import loader_advice, memory_advice, require_finite
from robsub.training.optimizer import build_optimizer, freeze, moving_average, restore_optimizer, set_rate
from robsub.training.say import say
from robsub.training.schedule import learning_rate, progress, steps_in_all
from robsub.training.validation import Validation


class Trainer:
    """One process's share of a run.

    Args:
        recipe: all settings.
        adapters: the data sets that are here.
        out: the run's folder.
        process: this process's place among the run's processes.

    Raises:
        InputError: there is not enough memory for the network; a val split is not there.
    """

    def __init__(self, recipe: Recipe, adapters: Collection[DatasetAdapter], out: Path, process: Process) -> None:
        self.config, self.recipe = recipe.train, recipe
        self.out, self.process = out, process
        self.validation = Validation(recipe, adapters, process) if self.config.validate_every else None
        with memory_advice(self.config, out, "the network"):
            self.model = self._model()
            self.average = moving_average(self.config, self.model)
        self.optimizer = build_optimizer(self.config, self.model)
        self.iteration = 0
        self.seconds = 0.0
        self.best: dict[str, float] = {}
        self.broken = BrokenFiles(self.config.max_broken)

    def _model(self) -> MaskRCNN:
        model = build_model(self.recipe.model, self.recipe.inference, num_classes=1 + len(JOINT_CLASSES))
        model.to(self.process.device)
        if self.config.channels_last:
            model.to(memory_format=torch.channels_last)
        freeze(self.config, model.backbone.body)
        return model

    def start(self, former: Former | None) -> None:
        """Go on from a checkpoint, or begin with the weights that the recipe names.

        Raises:
            InputError: the weights are not there, do not fit or are not finite.
        """
        if former is not None:
            with memory_advice(self.config, self.out, "the network and its optimizer"):
                self._restore(former.state, former.path)
        elif self.config.init:
            report = load_pretrained(self.model, _weights_file(Path(self.config.init)), JOINT_CLASSES)
            if self.process.is_main:
                say(report.text())

    def _restore(self, state: dict[str, Any], path: Path) -> None:
        _load(self.model, state.get("trained", state["model"]), path)
        if self.average is not None:
            _load(self.average.module, state["model"], path)
            self.average.n_averaged.fill_(state["iteration"])
        restore_optimizer(self.optimizer, state["optimizer"], path)
        self.iteration, self.seconds = state["iteration"], state["seconds"]
        self.best = state.get("best", {})
        self.broken.restore(state.get("broken", {}))
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

    def save(self, images: TrainingImages, *, finished: bool = False, best: bool = False) -> None:
        """Write the checkpoint, by the main process, with every process's random state and broken files.

        ``model`` is what predicts: the average if there is one, whose weights in training are ``trained`` then.
        """
        states = self.process.gather(self.process.random_state())
        for stamps in self.process.gather(self.broken.stamps):
            self.broken.restore(stamps)
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
                "broken": self.broken.stamps,
                "images": images.digest,
                "finished": finished,
            }
            if self.average is not None:
                state["trained"] = self.model.state_dict()
            save_checkpoint(self.out, state, keep=self.config.keep_checkpoints, best=best)

    @property
    def predictor(self) -> MaskRCNN:
        """The network that predicts: the moving average of the weights if there is one."""
        return self.model if self.average is None else cast(MaskRCNN, self.average.module)

    def run(self, images: TrainingImages, log: MetricsLog | None) -> None:
        """Train to the end of the schedule.

        Args:
            images: the training images.
            log: where the main process's numbers go.
        """
        config = self.config
        module = self._module()
        bar = tqdm(
            total=config.iterations, initial=self.iteration, desc="train", unit="step",
            disable=None if self.process.is_main else True,
        )  # fmt: skip
        if self._validation_is_missing(log):
            self._validate(images, log)
        before = ready = time.perf_counter()
        with loader_advice("train.workers", config.workers, "the same command goes on from the checkpoint"):
            for samples in self._batches(images):
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
                self._pause(images, log)
                ready = time.perf_counter()
        bar.close()
        self.save(images, finished=True)

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

    def _pause(self, images: TrainingImages, log: MetricsLog | None) -> None:
        """Write a checkpoint and validate when it is time; the checkpoint first, so that no validation costs it."""
        validated = self.validation is not None and self.iteration % self.config.validate_every == 0
        if validated or self.iteration % self.config.checkpoint_every == 0:
            self.save(images)
        if validated:
            self._validate(images, log)

    def _validation_is_missing(self, log: MetricsLog | None) -> bool:
        """Whether an earlier start ended between a checkpoint and its validation; the same in every process."""
        if self.validation is None or self.iteration == 0 or self.iteration % self.config.validate_every:
            return False
        return self.process.share(log is not None and not log.has_validation(self.iteration))

    def _validate(self, images: TrainingImages, log: MetricsLog | None) -> None:
        """Score what predicts; the best so far is kept, unless other data sets were scored then."""
        assert self.validation is not None
        with memory_advice(self.config, self.out, "a validation"):
            scores, broken = self.validation.score(self.predictor)
        comparable = self.best.keys() == {"iteration", *scores}
        if not comparable or scores["AP"] > self.best["AP"]:
            self.best = {"iteration": self.iteration, **scores}
            self.save(images, best=True)
        if log is not None:
            log.add_validation(self.iteration, scores)
            say(f"iteration {self.iteration}: {self.validation.scores_text(scores)}")
        self.broken.add(broken, "left out of validation")

    def _batches(self, images: TrainingImages) -> Iterator[list[Sample]]:
        """This process's share of every step's samples; broken images are told, and stop the run if they are many."""
        config, process = self.config, self.process
        sizes = tuple(images.counts.values())
        draws = Draws(sizes, data_set_shares(config, sizes), config.flip, config.seed, images.groups, config.batch_size)
        positions = PositionSampler(
            range(self.iteration, config.iterations), config.batch_size, process.rank, process.world_size
        )
        loader = DataLoader(
            JointDataset(images.frames, draws), batch_sampler=positions, num_workers=config.workers,
            collate_fn=list, pin_memory=process.device.type == "cuda", persistent_workers=config.workers > 0,
            generator=torch.Generator(),  # its seed must not be drawn from the state that a checkpoint restores
        )  # fmt: skip
        for batch in loader:
            for sample in batch:
                if isinstance(sample, InputError):
                    raise sample
                self.broken.add(sample.broken, "left out, another image in its place")
            yield batch

    def _step(self, module: nn.Module, samples: Sequence[Sample], done: float) -> dict[str, float]:
        """One optimizer step; returns the losses."""
        set_rate(self.optimizer, learning_rate(self.config, self.iteration, done))
        size = -(-len(samples) // self.config.accumulate)
        parts = [samples[first : first + size] for first in range(0, len(samples), size)]
        with memory_advice(self.config, self.out, f"{size} images at a time", size), self._drawn_size():
            self.optimizer.zero_grad()
            losses = self._backward(module, parts)
            self._clip(samples)
            self.optimizer.step()
            if self.average is not None:
                self.average.update_parameters(self.model)
        return losses

    @contextmanager
    def _drawn_size(self) -> Iterator[None]:
        """Let the images have the shorter side that is drawn for the step; outside of it they have the model's own."""
        transform, own = self.model.transform, self.recipe.model.min_size
        transform.min_size = step_shorter_side(self.config, self.iteration) or own
        try:
            yield
        finally:
            transform.min_size = own

    def _backward(self, module: nn.Module, parts: Sequence[Sequence[Sample]]) -> dict[str, float]:
        """Add up the gradients of a step's samples, part by part, each by its share of them.

        The processes exchange gradients after the last part.

        Returns:
            The losses of the step: the mean over its parts, weighted likewise.
        """
        count = sum(map(len, parts))
        sums: dict[str, float] = {}
        for part in parts:
            share = len(part) / count
            with _exchange(module, last=part is parts[-1]):
                losses = self._losses(module, part)
                values = {name: loss.item() for name, loss in losses.items()}
                require_finite(values, part, self.iteration, self.out, self.process.rank)
                (torch.stack(list(losses.values())).sum() * share).backward()  # type: ignore[no-untyped-call]
            sums = {name: sums.get(name, 0.0) + share * value for name, value in values.items()}
        return sums

    def _losses(self, module: nn.Module, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """The losses of some samples by name, float32; the layers compute in the recipe's precision."""
        half = self.config.precision == "bfloat16"
        with torch.autocast(self.process.device.type, torch.bfloat16, enabled=half):
            losses: dict[str, Tensor] = module([s.image for s in samples], [s.target for s in samples])
        return losses

    def _clip(self, samples: Sequence[Sample]) -> None:
        """Shorten the gradient to the recipe's limit; one that is not finite stops the run before it spoils weights."""
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        require_finite({"gradient": norm.item()}, samples, self.iteration, self.out, self.process.rank)
        nn.utils.clip_grads_with_norm_(parameters, self.config.clip_norm or math.inf, norm)

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


def _load(model: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    try:
        require_fit(model.state_dict(), weights, path)
    except InputError as error:
        found, expected = error.problem.found, error.problem.expected
        fix = "Go on from an earlier checkpoint under that name, or start over with --overwrite."
        raise InputError(path, found=found, expected=expected, fix=fix) from error
    require_finite_weights(weights, path)
    model.load_state_dict(weights)


def _weights_file(path: Path) -> Path:
    """The checkpoint of a run's folder, or the file itself."""
    file = path / CHECKPOINT if path.is_dir() else path
    if not file.is_file():
        raise InputError(
            file, found="no such file", expected="the weights to begin with (train.init)",
            fix="Name them with -o train.init=PATH; -o train.init= begins with random ones.",
        )  # fmt: skip
    return file


def _exchange(module: nn.Module, *, last: bool) -> AbstractContextManager[None]:
    """Where the gradients of a part are not the last ones of a step, the processes keep them to themselves."""
    if isinstance(module, DistributedDataParallel) and not last:
        return cast(AbstractContextManager[None], module.no_sync())
    return nullcontext()
