"""The training images: which are on disk, which have an object, which are upright. Works without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from dataset_adapters.annotations.cache import sources_stamp
from dataset_adapters.base import DatasetAdapter, Frame
from dataset_adapters.ground_truth import Segment
from dataset_adapters.images import image_size
from dataset_adapters.options import Options
from dataset_adapters.problems import InputError
from dataset_adapters.processes import in_order
from dataset_adapters.registry import get_adapter
from robsub.files import read_json, write_json
from robsub.recipe import TrainConfig
from robsub.training.say import say

INDEX = "images.json"
"""What a run knows of its images, so that a second start does not read them all again."""

AdapterFrame = tuple[DatasetAdapter, Frame]


class Facts(NamedTuple):
    """What the order of an image depends on: whether it is wider than high, whether it has an object."""

    lying: bool
    objects: bool


@dataclass(frozen=True)
class TrainingImages:
    """The images of a run.

    Attributes:
        frames: every image with its data set, one data set after the other.
        counts: images of each data set of the recipe, in its order; 0 for one that is not here.
        empty: images left out because they have no object.
        groups: 1 for a lying image, 0 for an upright one; empty if they are not told apart.
    """

    frames: tuple[AdapterFrame, ...]
    counts: Mapping[str, int]
    empty: int = 0
    groups: tuple[int, ...] = ()

    @property
    def digest(self) -> str:
        """Fingerprint of the images' names in their order; a resumed run goes on exactly if it is the same."""
        names = "\0".join(f"{adapter.name}/{frame.name}" for adapter, frame in self.frames)
        return hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()

    def text(self) -> str:
        """How many there are, by data set."""
        each = ", ".join(f"{name} {count or 'not here'}" for name, count in self.counts.items())
        left_out = f", {self.empty} without an object left out" if self.empty else ""
        return f"{len(self.frames)} images ({each}){left_out}"


def annotated_frames(config: TrainConfig, data_root: Path, options: Options | None = None) -> list[AdapterFrame]:
    """All annotated frames of the recipe's data sets.

    Raises:
        InputError: a data set is not there, or all are not if the recipe allows some to be missing.
    """
    adapters = [get_adapter(name, data_root, options) for name in config.datasets]
    here = [adapter for adapter in adapters if adapter.root.is_dir()]
    if not here:
        raise InputError(
            data_root, found="none of the data sets", expected=f"one or more of {', '.join(config.datasets)}",
            fix="Put the data there, or name another folder with --data-root; 'robsub demo' makes a small one.",
        )  # fmt: skip
    if len(here) < len(adapters) and not config.allow_missing:
        missing = [adapter.name for adapter in adapters if adapter not in here]
        raise InputError(
            data_root, found=f"no {', no '.join(missing)}", expected=f"all of {', '.join(config.datasets)}",
            fix="Put the data there (docs/data.md), or train on the others with -o train.allow_missing=true.",
        )  # fmt: skip
    return [(adapter, frame) for adapter in here for frame in adapter.frames(config.split)]


def training_images(config: TrainConfig, frames: Sequence[AdapterFrame], run: Path) -> TrainingImages:
    """Leave out and group images as the recipe asks; what had to be read for it is kept in the run's folder."""
    images = TrainingImages(tuple(frames), count_images(config, frames))
    if config.keep_empty and not config.group_by_aspect:
        return images
    facts = _known_facts(images, run / INDEX, objects=not config.keep_empty)
    kept = [(af, fact) for af, fact in zip(frames, facts, strict=True) if fact.objects or config.keep_empty]
    if not kept:
        raise InputError(
            run, found="no object in any image", expected="images with objects of the joint classes",
            fix="Look at 'robsub datasets'; train on images without objects too with -o train.keep_empty=true.",
        )  # fmt: skip
    left = tuple(af for af, _ in kept)
    groups = tuple(int(fact.lying) for _, fact in kept) if config.group_by_aspect else ()
    return TrainingImages(left, count_images(config, left), len(frames) - len(left), groups)


def count_images(config: TrainConfig, frames: Sequence[AdapterFrame]) -> dict[str, int]:
    """Images of each data set of the recipe, in its order; 0 for one that is not here."""
    names = [adapter.name for adapter, _ in frames]
    return {name: names.count(name) for name in config.datasets}


def _known_facts(images: TrainingImages, path: Path, *, objects: bool) -> list[Facts]:
    """The facts of every image, from the run's index if it is of the same images and no file has changed since."""
    key = _key(images, objects=objects)
    index = read_json(path, "the images of a run") if path.is_file() else {}
    if index.get("images") != key:
        facts = _read_facts(images.frames, objects=objects)
        index = {"images": key, **{name: "".join("01"[f[i]] for f in facts) for i, name in enumerate(Facts._fields)}}
        write_json(path, index)
    return [Facts(a == "1", b == "1") for a, b in zip(*(index[name] for name in Facts._fields), strict=True)]


def _key(images: TrainingImages, *, objects: bool) -> str:
    """Fingerprint of the images, and of the files that the facts are read from."""
    files: dict[DatasetAdapter, list[Path]] = {}
    for adapter, frame in images.frames:
        annotated = objects and frame.ground_truth is not None
        files.setdefault(adapter, []).extend(adapter.ground_truth_files(frame) if annotated else [frame.image])
    stamps = [sources_stamp(adapter.reader, paths)[0] for adapter, paths in files.items()]
    return " ".join([images.digest, "objects" if objects else "sizes", *stamps])


def _read_facts(frames: Sequence[AdapterFrame], *, objects: bool) -> list[Facts]:
    facts: list[Facts] = []
    what = "annotations" if objects else "sizes"
    say(f"reads the {what} of {len(frames)} images, once for this run")
    with tqdm(total=len(frames), desc=f"read {what}", unit="image", disable=None) as bar:
        for adapter in dict.fromkeys(adapter for adapter, _ in frames):
            own = [frame for a, frame in frames if a is adapter]
            read = partial(full_facts if objects else size_facts, adapter)
            for fact in in_order(read, own, None if objects else 1):
                facts.append(fact)
                bar.update()
    return facts


def size_facts(adapter: DatasetAdapter, frame: Frame) -> Facts:
    """From the photo's header alone; a broken one is found out when it is drawn."""
    try:
        height, width = image_size(frame.image)
    except InputError:
        return Facts(lying=False, objects=True)
    return Facts(lying=width >= height, objects=True)


def full_facts(adapter: DatasetAdapter, frame: Frame) -> Facts:
    """From the ground truth; a broken one is found out when it is drawn."""
    try:
        truth = adapter.ground_truth(frame)
    except InputError:
        return size_facts(adapter, frame)
    objects = any(is_object(segment, adapter.class_map) for segment in truth.segments)
    return Facts(lying=truth.size[1] >= truth.size[0], objects=objects)


def is_object(segment: Segment, class_map: Mapping[str, str]) -> bool:
    """Whether training takes a segment for an object: one of the joint space's classes, by itself, with a pixel."""
    return not segment.is_group and segment.label.name in class_map and segment.pixels > 0
