"""Validation while training: the val splits predicted by all processes and scored by robsub's own evaluators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean

from tqdm import tqdm

from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.problems import InputError
from evaluators.class_names import ClassNames
from evaluators.matching import ImageMatches, match_image
from evaluators.summary import summarise
from robsub.evaluate import part_of, protocol_of
from robsub.model.mask_rcnn import MaskRCNN
from robsub.photos import read_photo
from robsub.predict import Detector
from robsub.recipe import Recipe
from robsub.training.distributed import Process

SPLIT: Split = "val"


class Validation:
    """Scores a model on the val split of every data set that it is trained on.

    Args:
        recipe: says how many images.
        adapters: the data sets.
        process: this process's place among the run's.

    Raises:
        InputError: the recipe trains on the val splits, or one of them is not there.
    """

    def __init__(self, recipe: Recipe, adapters: Iterable[DatasetAdapter], process: Process) -> None:
        if recipe.train.split != "train":
            raise InputError(
                "train.validate_every", found=f"train.split = {recipe.train.split!r}, which holds the val images",
                expected="a validation on images that are not trained on",
                fix="Choose -o train.split=train, or -o train.validate_every=0.",
            )  # fmt: skip
        self.recipe, self.process = recipe, process
        self.frames = {adapter: _evenly(adapter.frames(SPLIT), recipe.train.validate_images) for adapter in adapters}

    def text(self) -> str:
        """What is validated on."""
        each = ", ".join(f"{adapter.name} {len(frames)}" for adapter, frames in self.frames.items())
        return f"validates every {self.recipe.train.validate_every} iterations on images of {each}"

    def scores_text(self, scores: Mapping[str, float]) -> str:
        """What ``score`` has given, and what the AP is the mean of: without an object a data set has none."""
        scored, wanted = len(scores.keys() - {"AP"}), len(self.recipe.train.datasets)
        each = "".join(f", {name} {ap:.3f}" for name, ap in scores.items() if name != "AP")
        return f"AP {scores['AP']:.3f}, the mean of {scored} of the recipe's {wanted} data sets{each}"

    def score(self, model: MaskRCNN) -> tuple[dict[str, float], list[InputError]]:
        """Score a model; in every process.

        Returns:
            ``AP_<data set>`` of each that has one, and ``AP``, their mean, 0 without any; and what is wrong with the
            frames that this process had to leave out.
        """
        training = model.training
        detector = Detector(model.eval(), self.recipe.inference, JOINT_CLASSES)
        matches, broken = {}, []
        for adapter in self.frames:
            results = list(self._match(detector, adapter))
            broken += [result for result in results if isinstance(result, InputError)]
            matches[adapter.name] = [result for result in results if not isinstance(result, InputError)]
        model.train(training)
        parts = self.process.gather(matches)
        found = {a.name: _average_precision(a, [m for part in parts for m in part[a.name]]) for a in self.frames}
        scores = {f"AP_{name}": ap for name, ap in found.items() if ap is not None}
        return {"AP": fmean(scores.values()) if scores else 0.0, **scores}, broken

    def _match(self, detector: Detector, adapter: DatasetAdapter) -> Iterator[ImageMatches | InputError]:
        """This process's share of one data set's frames, predicted and matched, or what is wrong with them."""
        classes = detector.indices(tuple(adapter.class_map.values()))
        own = self.frames[adapter][self.process.rank :: self.process.world_size]
        quiet = None if self.process.is_main else True
        for frame in tqdm(own, f"validate {adapter.name}", unit="image", leave=False, disable=quiet):
            try:
                image, truth = read_photo(frame.image), adapter.ground_truth(frame)
            except InputError as error:
                yield error
                continue
            (found,) = detector.model.detect([image], classes)
            predictions = list(detector.predictions(found, truth.size))
            names = ClassNames.of(adapter)
            yield match_image(protocol_of(adapter), names.labels, names.truth(truth), names.predictions(predictions))


def _evenly(frames: list[Frame], limit: int) -> list[Frame]:
    """At most ``limit`` frames, spread over all of them; 0 takes all."""
    return part_of(frames, (1, -(-len(frames) // limit))) if limit else frames


def _average_precision(adapter: DatasetAdapter, matches: list[ImageMatches]) -> float | None:
    """The data set's AP by its own protocol; None where no image has an object, or none is left."""
    if not matches:
        return None
    labels, count = ClassNames.of(adapter).labels, len(matches)
    result = summarise(
        protocol_of(adapter), labels, matches, benchmark=adapter.name, split=SPLIT, images_expected=count
    )
    return result.metrics["AP"]
