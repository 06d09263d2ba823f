"""Validation while training: the val splits predicted by all processes and scored by robsub's own evaluators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.problems import InputError
from robsub.evaluate import evaluate, part_of
from robsub.model.mask_rcnn import MaskRCNN
from robsub.photos import read_photo
from robsub.predict import Detector, remove_store
from robsub.predictions import PredictionWriter, open_store
from robsub.recipe import Recipe
from robsub.training.distributed import Process

FOLDER = "validation"
SPLIT: Split = "val"


class Validation:
    """Scores a model on the val split of every data set that it is trained on.

    Args:
        recipe: says how many images.
        adapters: the data sets.
        run: the run's folder; predictions go below it.
        process: this process's place among the run's.

    Raises:
        InputError: the recipe trains on the val splits, or one of them is not there.
    """

    def __init__(self, recipe: Recipe, adapters: Iterable[DatasetAdapter], run: Path, process: Process) -> None:
        if recipe.train.split != "train":
            raise InputError(
                "train.validate_every", found=f"train.split = {recipe.train.split!r}, which holds the val images",
                expected="a validation on images that are not trained on",
                fix="Choose -o train.split=train, or -o train.validate_every=0.",
            )  # fmt: skip
        self.recipe, self.run, self.process = recipe, run, process
        limit = recipe.train.validate_images
        self.frames: dict[DatasetAdapter, list[Frame]] = {}
        self.parts: dict[DatasetAdapter, int] = {}
        for adapter in adapters:
            frames = adapter.frames(SPLIT)
            self.parts[adapter] = -(-len(frames) // limit) if limit else 1
            self.frames[adapter] = part_of(frames, (1, self.parts[adapter]))

    def score(self, model: MaskRCNN, iteration: int) -> dict[str, float]:
        """``AP``, the mean over the data sets, and ``AP_<data set>`` of each that has one; in every process."""
        if self.process.is_main:
            for adapter in self.frames:
                remove_store(self._store(adapter))
                with self._open(adapter, iteration):
                    pass
        self.process.wait()
        training = model.training
        detector = Detector(model.eval(), self.recipe.inference, JOINT_CLASSES)
        for adapter in self.frames:
            self._predict(detector, adapter, iteration)
        model.train(training)
        self.process.wait()
        own = list(self.frames)[self.process.rank :: self.process.world_size]
        found = [score for scores in self.process.gather(self._scores(own)) for score in scores]
        scores = {f"AP_{name}": score for name, score in found}
        return {"AP": fmean(scores.values()) if scores else 0.0, **scores}

    def _store(self, adapter: DatasetAdapter) -> Path:
        return self.run / FOLDER / f"{adapter.name}-{SPLIT}"

    def _open(self, adapter: DatasetAdapter, iteration: int) -> PredictionWriter:
        manifest = {
            "dataset": adapter.name, "split": SPLIT, "frames_expected": len(self.frames[adapter]),
            "checkpoint": f"iteration {iteration} of a training", "settings": {},
        }  # fmt: skip
        return PredictionWriter(self._store(adapter), f"rank-{self.process.rank:05d}", manifest)

    def _predict(self, detector: Detector, adapter: DatasetAdapter, iteration: int) -> None:
        """This process's share of one data set."""
        classes = detector.indices(tuple(adapter.class_map.values()))
        with self._open(adapter, iteration) as writer:
            for frame in self.frames[adapter][self.process.rank :: self.process.world_size]:
                image = read_photo(frame.image)
                (found,) = detector.model.detect([image], classes)
                size = (image.shape[1], image.shape[2])
                writer.add(frame.name, size, detector.predictions(found, size))

    def _scores(self, adapters: Sequence[DatasetAdapter]) -> list[tuple[str, float]]:
        results = []
        for adapter in adapters:
            store = open_store(self._store(adapter), adapter.name)
            ap = evaluate(adapter, SPLIT, store, part=(1, self.parts[adapter]), workers=1).metrics["AP"]
            results += [(adapter.name, ap)] if ap is not None else []
        return results
