"""The matches of an evaluation as a file: for resuming it, for merging parts of several machines, for comparing two.

JSON lines: a head that says what was matched, then one image a line. Lines are appended and flushed one by one, so a
killed run loses at most the image it was at; an unfinished last line is cut off when the run goes on. Arrays are base64
of their little-endian bytes, so that scores come back to the last bit.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dataset_adapters.labels import Label, LabelTable
from dataset_adapters.problems import InputError
from evaluators.assignment import Outcome
from evaluators.census import Census
from evaluators.matching import ImageMatches
from evaluators.protocol import PROTOCOLS, Protocol, corrected
from robsub.files import explain

FORMAT = 2
ARRAYS: dict[str, DTypeLike] = {
    "classes": "<i2", "scores": "<f8", "outcomes": "i1", "ground_truths": "<i4", "errors": "i1", "targets": "<i2",
    "objects": "<i2", "found": "?",
}  # fmt: skip
"""Array of ``ImageMatches`` -> how its numbers are stored."""
BEGINNING = b'{"robsub_matches": '
"""How a head begins."""


@dataclass(frozen=True)
class MatchesHead:
    """What the matches of a file are of.

    Attributes:
        benchmark, split: data set and its part.
        protocol: name of the protocol.
        rules: digest of the protocol's rules.
        classes: the evaluated classes, in the order of the class indices.
        images_expected: images that the split should have.
        ground_truth: digest of the split's frames and the content of their annotations, and the choices by which
            they are read.
        predictions: digest of the predictions.
        frame_sets: frame -> the named sets it belongs to.
        provenance: versions and digests, for the result.
        notes: what a reader has to know of the predictions' files.
    """

    benchmark: str
    split: str
    protocol: str
    rules: str
    classes: tuple[str, ...]
    images_expected: int
    ground_truth: str
    predictions: str
    frame_sets: Mapping[str, tuple[str, ...]]
    provenance: Mapping[str, str]
    notes: tuple[str, ...] = ()

    COMMON = ("benchmark", "split", "protocol", "rules", "classes", "images_expected", "ground_truth", "frame_sets")
    """What the parts of one evaluation share."""

    def difference(self, other: MatchesHead, names: tuple[str, ...]) -> str | None:
        """The first of the named facts in which two heads differ, in words; None if they agree."""
        for name in names:
            if getattr(self, name) != getattr(other, name):
                return f"{name} {_short(getattr(self, name))} and {_short(getattr(other, name))}"
        return None

    def rule_book(self) -> Protocol:
        """The protocol that the head names.

        Raises:
            ValueError: it is unknown, or its rules have changed since.
        """
        known = {p.name: p for protocol in PROTOCOLS.values() for p in (protocol, corrected(protocol))}
        if self.protocol not in known or known[self.protocol].digest() != self.rules:
            raise ValueError(f"matches by rules of {self.protocol} that this version does not have")
        return known[self.protocol]

    def labels(self) -> LabelTable:
        """The evaluated classes as a table; their native ids are not kept."""
        return LabelTable(tuple(Label(i, name, True, evaluated=True) for i, name in enumerate(self.classes)))

    def to_json(self) -> dict[str, Any]:
        """The head's line."""
        return {"robsub_matches": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MatchesHead:
        """Read the head's line; KeyError, TypeError or ValueError if it is none."""
        if data["robsub_matches"] != FORMAT:
            raise ValueError(f"format {data['robsub_matches']}")
        values = {field.name: data[field.name] for field in fields(cls)}
        values["classes"] = tuple(map(str, data["classes"]))
        values["frame_sets"] = {name: tuple(sets) for name, sets in data["frame_sets"].items()}
        values["notes"] = tuple(map(str, data["notes"]))
        return cls(**values)


class MatchesWriter:
    """Append to a matches file and take over what it holds; a context manager.

    Args:
        path: the file, made if it is missing.
        head: what is matched; a file that is there must be of the same.

    Raises:
        InputError: the file is of other matches, of another program, or damaged elsewhere than in its last line. It is
            left as it was.
    """

    def __init__(self, path: Path, head: MatchesHead) -> None:
        self.done: dict[str, ImageMatches] = {}
        """The images that the file holds, by frame."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and not _is_unbegun(path):
            there, images = read_matches(path)
            if difference := there.difference(head, (*MatchesHead.COMMON, "predictions")):
                raise InputError(
                    path, found=f"matches of {difference}", expected="one and the same",
                    fix="Name another file with --matches, or delete this one and evaluate again.",
                )  # fmt: skip
            self.done = {image.frame: image for image in images}
            _cut_unfinished(path)
            self._file = path.open("ab")
        else:
            self._file = path.open("wb")
            self._write(head.to_json())

    def add(self, image: ImageMatches) -> None:
        """Write one image's line."""
        self._write(_to_json(image))

    def _write(self, record: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(record, allow_nan=False).encode("ascii") + b"\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def read_matches(path: Path) -> tuple[MatchesHead, list[ImageMatches]]:
    """Read a matches file; an unfinished last line is passed over.

    Raises:
        InputError: it is missing, no such file, or damaged; names the line.
    """
    number = 1
    try:
        with path.open("rb") as file:
            head = MatchesHead.from_json(json.loads(file.readline()))
            protocol = head.rule_book()
            images = []
            for line in file:
                number += 1
                if line.endswith(b"\n"):
                    images.append(_from_json(json.loads(line), protocol, len(head.classes)))
    except OSError as error:
        raise explain(error) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            path, line=number, found=f"no matches ({type(error).__name__}: {error})",
            expected="what 'robsub evaluate --matches FILE' writes", fix="Name such a file, or a new one.",
        ) from error  # fmt: skip
    return head, images


def _is_unbegun(path: Path) -> bool:
    """Whether nothing stands in it but what a killed run left of a head."""
    with path.open("rb") as file:
        begun = file.readline()
    return not begun.endswith(b"\n") and (begun.startswith(BEGINNING) or BEGINNING.startswith(begun))


def _cut_unfinished(path: Path) -> None:
    """Drop what a killed run left of its last line."""
    with path.open("rb") as file:
        whole = sum(len(line) for line in file if line.endswith(b"\n"))
    os.truncate(path, whole)


def _to_json(image: ImageMatches) -> dict[str, Any]:
    arrays = {name: _encoded(getattr(image, name), kind) for name, kind in ARRAYS.items()}
    rest = {"has_distances": image.has_distances, "census": asdict(image.census), "missing": image.missing}
    return {"frame": image.frame, **arrays, **rest}


def _from_json(data: Mapping[str, Any], protocol: Protocol, classes: int) -> ImageMatches:
    arrays = {name: np.frombuffer(base64.b64decode(data[name], validate=True), kind) for name, kind in ARRAYS.items()}
    modes, overlaps, count = len(protocol.modes), len(protocol.all_overlaps), arrays["scores"].size
    arrays["outcomes"] = arrays["outcomes"].reshape(modes, overlaps, count)
    arrays["ground_truths"] = arrays["ground_truths"].reshape(modes, classes).astype(np.int64)
    sizes = {arrays[name].size for name in ("classes", "errors", "targets")} | {count}
    sound = len(sizes) == 1 and arrays["found"].size == arrays["objects"].size and np.isfinite(arrays["scores"]).all()
    ranges = (("classes", 0, classes), ("objects", 0, classes), ("targets", -1, arrays["objects"].size),
              ("outcomes", 0, len(Outcome)))  # fmt: skip
    if not sound or any(_outside(arrays[name], low, high) for name, low, high in ranges):
        raise ValueError("arrays that do not belong together")
    census = Census(**data["census"])
    has_distances = None if data["has_distances"] is None else bool(data["has_distances"])
    return ImageMatches(
        frame=str(data["frame"]), **arrays, has_distances=has_distances, census=census, missing=bool(data["missing"])
    )


def _encoded(values: NDArray[Any], kind: DTypeLike) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode("ascii")


def _outside(values: NDArray[Any], low: int, high: int) -> bool:
    return bool(values.size) and bool(values.min() < low or values.max() >= high)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
