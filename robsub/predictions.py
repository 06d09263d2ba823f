"""The prediction store: what ``predict`` fills and every later command reads.

A directory with ``manifest.json`` and ``*.jsonl`` shards, one line an image, also for an image without detections::

    {"image": "000000_10", "size": [375, 1242], "instances": [{"category": "car", "score": 0.98,
     "bbox": [x, y, width, height], "segmentation": {"size": [375, 1242], "counts": "..."}}]}

Lines are appended and flushed one by one, so a killed run loses at most the image it was at; an unfinished last line is
cut off when the store is opened again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from dataset_adapters import rle
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.json_files import UNFIT, parse_json
from dataset_adapters.problems import InputError, first_of
from dataset_adapters.run_lengths import broken_masks
from robsub.files import explain, file_digest, read_json, write_json

MANIFEST = "manifest.json"
REPAIR = "Delete that line and run the command that made the store again: it adds what is missing."
IMAGE_NAME = re.compile(rb'"image"\s*:\s*("(?:[^"\\]|\\.)*")')


class PredictionSource(Protocol):
    """Anything that knows predictions by frame: a store, a native submission, COCO results. Must be picklable."""

    def frames(self) -> Collection[str]:
        """The frames that it has predictions for, empty ones included."""
        ...

    def predictions(self, frame: str, size: tuple[int, int]) -> list[Prediction] | None:
        """One frame's predictions, None if it is not there; ``size`` is the frame's (height, width)."""
        ...

    def count(self, frame: str) -> int:
        """How many predictions a frame has, whatever its size."""
        ...

    def notes(self) -> list[str]:
        """What a reader of the numbers has to know of these files, with counts; empty when nothing is strange."""
        ...


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a line stands: in which shard, as which line of it, and its bytes there."""

    shard: str
    line: int
    offset: int
    length: int


@dataclass(slots=True)
class _Index:
    """Where everything stands in the shards.

    Attributes:
        places: frame -> the line it stands on, of several the last one.
        overridden: frame -> how many earlier lines of it there are, for frames that have any.
        cut: the unfinished lines.
    """

    places: dict[str, _Place] = field(default_factory=dict)
    overridden: dict[str, int] = field(default_factory=dict)
    cut: list[_Place] = field(default_factory=list)


class PredictionStore:
    """Read access to a store.

    Args:
        path: its directory.

    Raises:
        InputError: there is no store, or a shard cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / MANIFEST).is_file():
            raise InputError(
                path, found="no manifest.json" if path.is_dir() else "no such folder", expected="a prediction store",
                fix="Make one with 'robsub predict', or name another with --predictions.",
            )  # fmt: skip
        self.manifest = _read_manifest(path)
        self._index = _index(path)

    def frames(self) -> Collection[str]:
        """The frames that the store has a line for."""
        return self._index.places.keys()

    def digest(self) -> str:
        """SHA-256 over all shards, hexadecimal."""
        digests = [f"{shard.name} {file_digest(shard)}\n" for shard in sorted(self.path.glob("*.jsonl"))]
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    def predictions(self, frame: str, size: tuple[int, int]) -> list[Prediction] | None:
        """One frame's predictions in the order they were written, None if the store has no line for it.

        Raises:
            InputError: the line is damaged, or its masks have another size than the frame.
        """
        if frame not in self._index.places:
            return None
        place = self._index.places[frame]
        with self._record(place) as record:
            if record["image"] != frame:
                raise ValueError(f"two images, {frame!r} and {record['image']!r}")
            found = _whole_size(record["size"])
            predictions = [_from_json(item) for item in _instances(record)]
        self._require_size(frame, {found, *((p.rle["size"][0], p.rle["size"][1]) for p in predictions)}, size)
        if broken := broken_masks([p.rle["counts"] for p in predictions], size[0] * size[1]):
            what = first_of(f"the mask of instance {broken[0]} does not fill {size[1]} x {size[0]} pixels", len(broken))
            raise self._damaged(place, ValueError(what))
        self._require_finite(place, predictions)
        return predictions

    def count(self, frame: str) -> int:
        """How many predictions the frame's line holds."""
        with self._record(self._index.places[frame]) as record:
            return len(_instances(record))

    def covers(self, split: str) -> bool:
        """Whether its predictions are of the split, by its manifest; one that names no split may be of any."""
        made_for = self.manifest.get("split") or split
        return made_for == split or (made_for == "trainval" and split in ("train", "val"))

    def notes(self) -> list[str]:
        """The lines that are no part of the store: overridden ones, and those that a killed program left unfinished."""
        cut = [
            f"{place.shard}:{place.line} is cut off; its image has no predictions in it." for place in self._index.cut
        ]
        if not (overridden := self._index.overridden):
            return cut
        images = f"{len(overridden)} images, first {min(overridden)}"
        return [
            f"{sum(overridden.values())} lines count nothing, for a later line is of the same image: {images}.",
            *cut,
        ]

    @contextmanager
    def _record(self, place: _Place) -> Iterator[Any]:
        """A line's JSON; every failure while it is taken apart in the ``with`` block names the line."""
        with (self.path / place.shard).open("rb") as file:
            file.seek(place.offset)
            line = file.read(place.length)
        try:
            yield parse_json(line)
        except UNFIT as error:
            raise self._damaged(place, error) from error

    def _damaged(self, place: _Place, error: Exception) -> InputError:
        return InputError(
            self.path / place.shard, line=place.line, found=f"no record of an image ({type(error).__name__}: {error})",
            expected="a line of the prediction store", fix=REPAIR,
        )  # fmt: skip

    def _require_size(self, frame: str, found: set[tuple[int, int]], size: tuple[int, int]) -> None:
        place = self._index.places[frame]
        for height, width in sorted(found - {size}):
            raise InputError(
                self.path / place.shard, line=place.line, found=f"{frame} with {width} x {height} pixels",
                expected=f"{size[1]} x {size[0]}, the size of its image",
                fix="These predictions were made on other images; predict this data set again.",
            )  # fmt: skip

    def _require_finite(self, place: _Place, predictions: Sequence[Prediction]) -> None:
        bad = [(i, p.score) for i, p in enumerate(predictions) if not math.isfinite(p.score)]
        if bad:
            found = first_of("the score {1} of instance {0}".format(*bad[0]), len(bad))
            raise InputError(
                self.path / place.shard, line=place.line, found=found, expected="finite scores",
                fix="Look for a division by zero in the detector's scores.",
            )  # fmt: skip


def open_store(path: Path, dataset: str) -> PredictionStore:
    """The store of a data set.

    Raises:
        InputError: there is no store, or it is of another data set.
    """
    store = PredictionStore(path)
    if store.manifest.get("dataset") != dataset:
        raise InputError(
            path / MANIFEST, found=f"predictions of {store.manifest.get('dataset')}",
            expected=f"predictions of {dataset}", fix="Name the right store with --predictions.",
        )  # fmt: skip
    return store


def remove_store(path: Path) -> None:
    """Delete a prediction store or an empty folder, and nothing else; the manifest goes last, so that what a killed
    command leaves is a store still.

    Raises:
        InputError: the folder holds something else.
    """
    files = sorted(path.iterdir(), key=lambda p: p.name == MANIFEST) if path.exists() else []
    foreign = [p.name for p in files if p.name != MANIFEST and p.suffix not in (".jsonl", ".tmp")]
    if foreign or (files and files[-1].name != MANIFEST):
        raise InputError(
            path, found=f"a folder with {foreign[0] if foreign else 'no manifest.json'}", expected="a prediction store",
            fix="Robsub deletes nothing else; choose another folder with --out.",
        )  # fmt: skip
    for file in files:
        file.unlink()


class PredictionWriter:
    """Append images to one shard of a store; a context manager.

    Args:
        path: the store's directory, made if it is missing.
        shard: the shard's name, one for every process that writes.
        manifest: what the store is of; ``dataset``, ``split`` and ``checkpoint`` must agree with a store already there.

    Raises:
        InputError: the directory holds predictions of another data set, split or checkpoint, or of nobody knows which.
    """

    IDENTITY = ("dataset", "split", "checkpoint", "settings")

    def __init__(self, path: Path, shard: str, manifest: Mapping[str, Any]) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.manifest = dict(manifest)
        if (path / MANIFEST).is_file():
            self._require_same(_read_manifest(path))
        elif shards := sorted(path.glob("*.jsonl")):
            raise InputError(
                path, found=f"{shards[0].name} without a manifest.json", expected="a whole store, or an empty folder",
                fix="Nobody knows what these lines are of; choose another folder with --out, or delete them.",
            )  # fmt: skip
        else:
            write_json(path / MANIFEST, self.manifest)
        self.done = set(_index(path).places)
        """The frames that are already there."""
        _cut_unfinished(path / f"{shard}.jsonl")
        self._file = (path / f"{shard}.jsonl").open("ab", buffering=0)  # a line is on its way when add returns

    def add(self, frame: str, size: tuple[int, int], predictions: Iterable[Prediction]) -> None:
        """Write one image's line; ``size`` is (height, width).

        Raises:
            InputError: the disk is full.
        """
        record = {"image": frame, "size": list(size), "instances": [_to_json(p) for p in predictions]}
        line = memoryview(json.dumps(record, allow_nan=False).encode() + b"\n")
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            raise explain(error, self.path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _require_same(self, there: Mapping[str, Any]) -> None:
        for key in self.IDENTITY:
            if there.get(key) != self.manifest.get(key):
                raise InputError(
                    self.path / MANIFEST, found=f"predictions with {key} = {there.get(key)}",
                    expected=f"{key} = {self.manifest.get(key)}, or an empty folder",
                    fix="Choose another folder with --out, or start over with --overwrite.",
                )  # fmt: skip


def _read_manifest(path: Path) -> dict[str, Any]:
    manifest = read_json(path / MANIFEST, "the manifest of a prediction store")
    if isinstance(manifest, dict) and all(isinstance(manifest.get(key), str | None) for key in ("dataset", "split")):
        return manifest
    raise InputError(
        path / MANIFEST, found="JSON of another kind", expected="the manifest of a prediction store",
        fix="Name another store with --predictions, or make this one again.",
    )  # fmt: skip


def _index(path: Path) -> _Index:
    """Over all shards."""
    index = _Index()
    for shard in sorted(path.glob("*.jsonl")):
        for place, line in _lines(shard):
            if not line.endswith(b"\n"):
                index.cut.append(place)
                continue
            name = _image_name(path, place, line)
            if name in index.places:
                index.overridden[name] = index.overridden.get(name, 0) + 1
            index.places[name] = place
    return index


def _lines(shard: Path) -> Iterator[tuple[_Place, bytes]]:
    offset = 0
    with shard.open("rb") as file:
        for number, line in enumerate(file, start=1):
            yield _Place(shard.name, number, offset, len(line)), line
            offset += len(line)


def _image_name(path: Path, place: _Place, line: bytes) -> str:
    name = IMAGE_NAME.search(line)
    try:
        if name is not None:
            text = str(json.loads(name[1]))
            text.encode("utf-8", "surrogateescape")
            return text
    except ValueError:  # an escape that JSON lacks, bytes that are no UTF-8, or half of a surrogate pair
        pass
    raise InputError(
        path / place.shard, line=place.line, found="a line without an image name",
        expected='{"image": "...", ...}', fix=REPAIR,
    )  # fmt: skip


def _cut_unfinished(shard: Path) -> None:
    """Drop what a killed writer left of its last line."""
    if shard.is_file():
        whole = sum(len(line) for line in shard.open("rb") if line.endswith(b"\n"))
        if whole < shard.stat().st_size:
            os.truncate(shard, whole)


def _to_json(prediction: Prediction) -> dict[str, Any]:
    x1, y1, x2, y2 = prediction.box
    mask = prediction.rle
    return {
        "category": prediction.label,
        "score": prediction.score,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "segmentation": {"size": list(mask["size"]), "counts": mask["counts"].decode("ascii")},
    }


def _from_json(item: Mapping[str, Any]) -> Prediction:
    x, y, width, height = map(float, item["bbox"])
    if not math.isfinite(x + y + width + height):
        raise ValueError(f"bbox {item['bbox']}: finite numbers are wanted")
    if type(item["score"]) not in (float, int):
        raise TypeError(f"the score {item['score']!r}: a number is wanted")
    mask = item["segmentation"]
    return Prediction(
        label=str(item["category"]),
        score=float(item["score"]),
        box=(x, y, x + width, y + height),
        rle=rle.Rle(size=list(_whole_size(mask["size"])), counts=str(mask["counts"]).encode("ascii")),
    )


def _instances(record: Mapping[str, Any]) -> list[Any]:
    if not isinstance(record["instances"], list):
        raise TypeError(f"instances of type {type(record['instances']).__name__}: a list is wanted")
    return record["instances"]


def _whole_size(size: Sequence[Any]) -> tuple[int, int]:
    height, width = int(size[0]), int(size[1])
    if [height, width] != size:
        raise ValueError(f"the size {size}: two whole numbers are wanted")
    return height, width
