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
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from dataset_adapters import rle
from dataset_adapters.ground_truth import Prediction
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
    shard: str
    line: int
    offset: int


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
        self.manifest: dict[str, Any] = read_json(path / MANIFEST, "the manifest of a prediction store")
        self._index, self._cut = _index(path)

    def frames(self) -> Collection[str]:
        """The frames that the store has a line for."""
        return self._index.keys()

    def digest(self) -> str:
        """SHA-256 over all shards, hexadecimal."""
        digests = [f"{shard.name} {file_digest(shard)}\n" for shard in sorted(self.path.glob("*.jsonl"))]
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    def predictions(self, frame: str, size: tuple[int, int]) -> list[Prediction] | None:
        """One frame's predictions in the order they were written, None if the store has no line for it.

        Raises:
            InputError: the line is damaged, or its masks have another size than the frame.
        """
        if frame not in self._index:
            return None
        place, record = self._index[frame], self._record(frame)
        try:
            found = (int(record["size"][0]), int(record["size"][1]))
            predictions = [_from_json(item) for item in record["instances"]]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise self._damaged(place, error) from error
        self._require_size(frame, {found, *((p.rle["size"][0], p.rle["size"][1]) for p in predictions)}, size)
        if broken := broken_masks([p.rle["counts"] for p in predictions], size[0] * size[1]):
            what = first_of(f"the mask of instance {broken[0]} does not fill {size[1]} x {size[0]} pixels", len(broken))
            raise self._damaged(place, ValueError(what))
        self._require_finite(place, predictions)
        return predictions

    def count(self, frame: str) -> int:
        """How many predictions the frame's line holds."""
        return len(self._record(frame).get("instances", ()))

    def notes(self) -> list[str]:
        """The lines that a killed program left unfinished; they are no part of the store."""
        return [f"{place.shard}:{place.line} is cut off; its image has no predictions in it." for place in self._cut]

    def _record(self, frame: str) -> Any:
        place = self._index[frame]
        with (self.path / place.shard).open("rb") as file:
            file.seek(place.offset)
            line = file.readline()
        try:
            return json.loads(line)
        except ValueError as error:
            raise self._damaged(place, error) from error

    def _damaged(self, place: _Place, error: Exception) -> InputError:
        return InputError(
            self.path / place.shard, line=place.line, found=f"no record of an image ({type(error).__name__}: {error})",
            expected="a line of the prediction store", fix=REPAIR,
        )  # fmt: skip

    def _require_size(self, frame: str, found: set[tuple[int, int]], size: tuple[int, int]) -> None:
        place = self._index[frame]
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
    """Delete a prediction store, and nothing that is not one.

    Raises:
        InputError: the folder holds something else.
    """
    if not path.exists():
        return
    foreign = [p.name for p in path.iterdir() if p.name != MANIFEST and p.suffix not in (".jsonl", ".tmp")]
    if foreign or not (path / MANIFEST).is_file():
        raise InputError(
            path, found=f"a folder with {foreign[0] if foreign else 'no manifest.json'}", expected="a prediction store",
            fix="Robsub deletes nothing else; choose another folder with --out.",
        )  # fmt: skip
    shutil.rmtree(path)


class PredictionWriter:
    """Append images to one shard of a store; a context manager.

    Args:
        path: the store's directory, made if it is missing.
        shard: the shard's name, one for every process that writes.
        manifest: what the store is of; ``dataset``, ``split`` and ``checkpoint`` must agree with a store already there.

    Raises:
        InputError: the directory holds predictions of another data set, split or checkpoint.
    """

    IDENTITY = ("dataset", "split", "checkpoint", "settings")

    def __init__(self, path: Path, shard: str, manifest: Mapping[str, Any]) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.manifest = dict(manifest)
        if (path / MANIFEST).is_file():
            self._require_same(read_json(path / MANIFEST, "the manifest of a prediction store"))
        else:
            write_json(path / MANIFEST, self.manifest)
        self.done = set(_index(path)[0])
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


def _index(path: Path) -> tuple[dict[str, _Place], list[_Place]]:
    """frame -> the line it stands on, of several the last one, over all shards; and the unfinished lines."""
    whole, cut = {}, []
    for shard in sorted(path.glob("*.jsonl")):
        for place, line in _lines(shard):
            if line.endswith(b"\n"):
                whole[_image_name(path, place, line)] = place
            else:
                cut.append(place)
    return whole, cut


def _lines(shard: Path) -> Iterator[tuple[_Place, bytes]]:
    offset = 0
    with shard.open("rb") as file:
        for number, line in enumerate(file, start=1):
            yield _Place(shard.name, number, offset), line
            offset += len(line)


def _image_name(path: Path, place: _Place, line: bytes) -> str:
    name = IMAGE_NAME.search(line)
    if name is None:
        raise InputError(
            path / place.shard, line=place.line, found="a line without an image name",
            expected='{"image": "...", ...}', fix=REPAIR,
        )  # fmt: skip
    return str(json.loads(name[1]))


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
    mask = item["segmentation"]
    size = [int(mask["size"][0]), int(mask["size"][1])]
    return Prediction(
        label=str(item["category"]),
        score=float(item["score"]),
        box=(x, y, x + width, y + height),
        rle=rle.Rle(size=size, counts=str(mask["counts"]).encode("ascii")),
    )
