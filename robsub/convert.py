"""Convert: other programs' predictions into a store, and a store into COCO results or a ROB devkit folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

import numpy as np
from tqdm import tqdm

from dataset_adapters import rle
from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.images import image_size
from dataset_adapters.labels import LabelTable
from dataset_adapters.problems import InputError
from dataset_adapters.submission.writer import FramePacker, PackedFrame
from evaluators.census import Census
from evaluators.class_names import ClassNames
from robsub.coco_writer import CocoIds, write_detections
from robsub.devkit import devkit_folder, devkit_labels, devkit_layout, make_room, open_devkit, write_folder
from robsub.evaluate import Kind, list_beside, open_predictions, split_notes
from robsub.files import atomic_path, write_json
from robsub.predictions import MANIFEST, PredictionSource, PredictionStore, PredictionWriter, remove_store
from robsub.provenance import predictions_digest

Target = Literal["store", "coco", "devkit"]


@dataclass(frozen=True)
class Conversion:
    """What was written, and what found no home in the target.

    Attributes:
        path: the store, file or folder.
        images: images written.
        images_expected: images of the split on this disk.
        predictions: objects written.
        homeless: class -> objects left out because the target has no such class.
        empty: objects left out because their mask has no pixel, where the target takes no such mask.
        unknown_images: images of the source that the split does not have.
        notes: what a reader has to know of the source's files and of its predictions.
    """

    path: Path
    images: int
    images_expected: int
    predictions: int
    homeless: Mapping[str, int]
    empty: int
    unknown_images: tuple[str, ...]
    notes: tuple[str, ...]

    def text(self) -> str:
        """A paragraph for the terminal; the target comes last."""
        lines = [
            f"Left out: {n} objects of {name!r}, a class that the target lacks." for name, n in self.homeless.items()
        ]
        if self.empty:
            lines.append(f"Left out: {self.empty} objects without a pixel.")
        if self.unknown_images:
            first = self.unknown_images[0]
            lines.append(f"Left out: {len(self.unknown_images)} images that the split does not have, first {first}.")
        if missing := self.images_expected - self.images:
            lines.append(f"{missing} of {self.images_expected} images have no predictions in the source.")
        lines += [f"Note: {note}" for note in self.notes]
        return "\n".join([*lines, f"{self.path}: {self.images} images, {self.predictions} objects"])


def split_of(path: Path, dataset: str | None, split: str | None) -> tuple[str, Split]:
    """The data set and split of predictions: what the user says, else what a store's manifest says, else val.

    Raises:
        InputError: nobody says which data set.
    """
    with _named_source():
        manifest = PredictionStore(path).manifest if (path / MANIFEST).is_file() else {}
    name = dataset or manifest.get("dataset")
    if name is None:
        raise InputError(
            path, found="predictions that do not say their data set", expected="a prediction store, or --dataset",
            fix="Name it with --dataset.",
        )  # fmt: skip
    return str(name), cast(Split, split or manifest.get("split") or "val")


def open_source(
    adapter: DatasetAdapter,
    split: Split,
    path: Path,
    kind: Kind | Literal["devkit"] = "auto",
    annotations: Path | None = None,
    target: Target = "store",
) -> PredictionSource:
    """The predictions to convert.

    Args:
        adapter, split: what they are predictions of.
        path: where they are.
        kind: their form.
        annotations: the annotation file of the source's ids, or of the target's where that is ``coco``.
        target: the form that they are to have.

    Raises:
        InputError: as of ``open_predictions``.
    """
    if kind == "devkit":
        return open_devkit(adapter, path)
    try:
        with _named_source():
            return open_predictions(path, adapter, split, annotations if target != "coco" else None, kind)
    except InputError as error:
        problem = error.problem
        if annotations is None or target != "coco" or "--annotations" not in problem.fix:
            raise
        raise InputError(
            problem.file, found=problem.found, expected=problem.expected,
            fix="Here --annotations says the ids of the outcome: convert to a store first, with the annotations of "
            "these ids, and then that store to COCO results.",
        ) from error  # fmt: skip


@contextmanager
def _named_source() -> Iterator[None]:
    """Where other commands have ``--predictions``, this one has SOURCE."""
    try:
        yield
    except InputError as error:
        p = error.problem
        fix = p.fix.replace("with --predictions", "as SOURCE")
        raise InputError(p.file, found=p.found, expected=p.expected, fix=fix, line=p.line) from error


def convert(
    adapter: DatasetAdapter,
    split: Split,
    source: PredictionSource,
    target: Target,
    out: Path,
    *,
    annotations: Path | None = None,
    method: str = "robsub",
    overwrite: bool = False,
) -> Conversion:
    """Write a source's predictions of a split in another form.

    Args:
        adapter: the data set.
        split: its split.
        source: a store, COCO results or a native submission (``robsub.evaluate.open_predictions``).
        target: ``store``, a prediction store; ``coco``, COCO results, with ``<out>.images.json`` for the ids;
            ``devkit``, the ROB 2018 devkit's folder of results.
        out: the store, the JSON file, or the devkit's root.
        annotations: for ``coco``, an annotation file whose image and category ids are to be used.
        method: for ``devkit``, the name of the method.
        overwrite: delete the store, or the devkit's files of this data set, that are there; COCO results are always
            written anew.

    Raises:
        InputError: no image is of the split, a score is outside [0, 1], predictions cannot be read, or the target
            cannot take them or holds others.
    """
    frames = adapter.frames(split)
    reading = _Reading(source, _homes(adapter, target), ClassNames.of(adapter), takes_empty=target != "devkit")
    there = set(source.frames())
    known = [frame for frame in frames if frame.name in there]
    if not known:
        raise _nothing_known(adapter, split, frames, sorted(there))
    place = devkit_folder(out, method) if target == "devkit" else out
    _require_elsewhere(source, place)
    predictions = reading.all(tqdm(known, f"convert {adapter.name}", unit="image", disable=None))
    if target == "store":
        if overwrite:
            remove_store(out)
        _write_store(adapter, split, source, out, predictions)
    elif target == "coco":
        ids = CocoIds.listed(annotations, frames) if annotations else CocoIds.numbered(adapter, split, frames)
        _write_coco(out, ids, known, predictions)
    else:
        packed = _packed(adapter, predictions)
        make_room(adapter, place, overwrite=overwrite)
        write_folder(place, packed)
    return Conversion(
        path=out,
        images=len(known),
        images_expected=len(frames),
        predictions=reading.predictions,
        homeless=dict(sorted(reading.homeless.items())),
        empty=reading.empty,
        unknown_images=tuple(sorted(there - {frame.name for frame in frames})),
        notes=(*source.notes(), *split_notes(split, source), *reading.notes()),
    )


def _require_elsewhere(source: PredictionSource, place: Path) -> None:
    """The source is read while the target is written."""
    path = getattr(source, "path", None)
    if isinstance(path, Path) and path.resolve() == place.resolve():
        raise InputError(
            place, found="the source itself", expected="another place for the target", fix="Name one with --out."
        )


def _nothing_known(adapter: DatasetAdapter, split: Split, frames: Sequence[Frame], names: Sequence[str]) -> InputError:
    others = f", but of {len(names)} others, first {names[0]}" if names else ""
    return InputError(
        f"predictions of {adapter.name} {split}", found=f"none of the split's {len(frames)} images{others}",
        expected=f"images of {split}, such as {frames[0].name}",
        fix="Check --dataset and --split; --annotations names the list that the ids of COCO results refer to.",
    )  # fmt: skip


@dataclass(frozen=True)
class _Homes:
    """The classes of a target, and the names that some have there."""

    labels: LabelTable
    renamed: Mapping[str, str]

    def of(self, name: str) -> str | None:
        """The class under its name in the target, None where it has no home."""
        there = name if name in self.labels.by_name else self.renamed.get(name, name)
        return there if there in self.labels.by_name else None


def _homes(adapter: DatasetAdapter, target: Target) -> _Homes:
    if target == "devkit":
        table = devkit_labels(adapter)
        return _Homes(LabelTable(table.evaluated), adapter.class_map)
    names = ClassNames.of(adapter)
    return _Homes(names.labels, names.of_predictions)


Read = Iterator[tuple[Frame, tuple[int, int], list[Prediction]]]


@dataclass
class _Reading:
    """Reads a source frame by frame and counts what it hands on and what it cannot."""

    source: PredictionSource
    homes: _Homes
    names: ClassNames
    takes_empty: bool
    predictions: int = 0
    empty: int = 0
    homeless: Counter[str] = field(default_factory=Counter)
    _censuses: list[Census] = field(default_factory=list)

    def all(self, frames: Sequence[Frame] | tqdm[Frame]) -> Read:
        """Every frame, its size and its predictions under the target's names."""
        for frame in frames:
            size = image_size(frame.image)
            found = self.source.predictions(frame.name, size) or []
            _require_confidences(frame.name, found)
            homes = [(self.homes.of(p.label), p) for p in found]
            self.homeless.update(p.label for home, p in homes if home is None)
            housed = [_under(home, p) for home, p in homes if home is not None]
            kept = [p for p in housed if self.takes_empty or rle.area(p.rle)]
            self.predictions += len(kept)
            self.empty += len(housed) - len(kept)
            self._count(found, size)
            yield frame, size, kept

    def notes(self) -> list[str]:
        """What an evaluation of the source would note of its predictions."""
        return Census.total(self._censuses).notes(self.names.labels)

    def _count(self, found: Sequence[Prediction], size: tuple[int, int]) -> None:
        classes = {label.name for label in self.names.labels.evaluated}
        own = self.names.predictions(found)
        areas = np.array([rle.area(p.rle) for p in own if p.label in classes], dtype=np.int64)
        self._censuses.append(Census.of(own, classes, areas[areas > 0], size[0] * size[1]))


def _under(name: str, prediction: Prediction) -> Prediction:
    return (
        prediction if name == prediction.label else Prediction(name, prediction.score, prediction.box, prediction.rle)
    )


def _require_confidences(frame: str, predictions: Sequence[Prediction]) -> None:
    for p in predictions:
        if not 0 <= p.score <= 1:
            raise InputError(
                f"predictions of {frame}", found=f"a {p.label} of score {p.score}", expected="scores from 0 to 1",
                fix="Map the scores into that range; AP only asks for their order.",
            )  # fmt: skip


def _write_store(adapter: DatasetAdapter, split: Split, source: PredictionSource, out: Path, predictions: Read) -> None:
    settings = {"converted_sha256": predictions_digest(source)}
    manifest = {"dataset": adapter.name, "split": split, "checkpoint": "", "settings": settings}
    with PredictionWriter(out, "converted", manifest) as writer:
        for frame, size, found in predictions:
            if frame.name not in writer.done:
                writer.add(frame.name, size, found)


def _write_coco(out: Path, ids: CocoIds, frames: Sequence[Frame], predictions: Read) -> None:
    """Results, then the list of their ids; never results beside the list of others."""
    listed = list_beside(out)
    with atomic_path(out) as temporary:
        with temporary.open("w", encoding="utf-8") as file:
            write_detections(file, (ids.detection(frame.name, p) for frame, _, found in predictions for p in found))
        if temporary == out:  # a pipe has nothing beside it
            return
        listed.unlink(missing_ok=True)
    write_json(listed, ids.to_json(frames))


def _packed(adapter: DatasetAdapter, predictions: Read) -> Iterator[PackedFrame]:
    packer = FramePacker(devkit_layout(adapter), devkit_labels(adapter))
    return (packer.pack(frame.name, found) for frame, _, found in predictions)
