"""The matches of an evaluation as a file: for resuming it, for merging parts of several machines, for comparing two.

JSON lines: a head that says what was matched, then one image a line. Lines are appended and flushed one by one, so a
killed run loses at most the image it was at; an unfinished last line is cut off when the run goes on. Arrays are base64
of their little-endian bytes, so that scores come back to the last bit.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dataset_adapters.json_files import UNFIT
from dataset_adapters.labels import Label, LabelTable
from dataset_adapters.problems import InputError
from evaluators.assignment import Outcome
from evaluators.census import Census
from evaluators.matching import ImageMatches
from evaluators.protocol import PROTOCOLS, Protocol, corrected
from robsub.files import naming
from robsub.lock import lock

FORMAT = 3
ARRAYS: dict[str, DTypeLike] = {
    "classes": "<i2", "scores": "<f8", "outcomes": "i1", "ground_truths": "<i4", "errors": "i1", "targets": "<i2",
    "objects": "<i2", "found": "?",
}  # fmt: skip
"""Array of ``ImageMatches`` -> how its numbers are stored."""
BEGINNING = b'{"robsub_matches": '
"""How a head begins."""
SHOWN = 40
"""Characters of a value that an error shows."""


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
    """What the parts of one evaluation share, and two that are compared."""

    def difference(self, other: MatchesHead, names: tuple[str, ...]) -> str | None:
        """The first of the named facts in which two heads differ, in words; None if they agree."""
        for name in names:
            if getattr(self, name) != getattr(other, name):
                return f"{name} {_apart(str(getattr(self, name)), str(getattr(other, name)))}"
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
        """Read the head's line; one of ``UNFIT`` if it is none."""
        if data["robsub_matches"] != FORMAT:
            raise ValueError(f"format {data['robsub_matches']}")
        return cls(**{name: read(data[name]) for name, read in _HEAD.items()})


class MatchesWriter:
    """Append to a matches file and take over what it holds; a context manager.

    Args:
        path: the file, made if it is missing.
        head: what is matched; a file that is there must be of the same.

    Raises:
        InputError: the file is of other matches, of another program, damaged elsewhere than in its last line, or
            another process writes to it. It is left as it was.
    """

    def __init__(self, path: Path, head: MatchesHead) -> None:
        self.done: dict[str, ImageMatches] = {}
        """The images that the file holds, by frame."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            with naming(path):
                lock(self._file, lambda: _held(path))
                self._take_over(path, head)
        except BaseException:
            self._file.close()
            raise

    def _take_over(self, path: Path, head: MatchesHead) -> None:
        if _is_unbegun(self._file):
            self._file.truncate(0)
            self._write(head.to_json())
            return
        there, images = _read(self._file, path)
        if difference := there.difference(head, (*MatchesHead.COMMON, "predictions")):
            raise InputError(
                path, found=f"matches of {difference}", expected="one and the same",
                fix="Name another file with --matches, or delete this one and evaluate again.",
            )  # fmt: skip
        self.done = {image.frame: image for image in images}
        _cut_unfinished(self._file)

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
        InputError: it is missing, no such file, damaged, or holds an image twice; names the line.
    """
    with naming(path), path.open("rb") as file:
        return _read(file, path)


def _read(file: BinaryIO, path: Path) -> tuple[MatchesHead, list[ImageMatches]]:
    number, images = 1, dict[str, ImageMatches]()
    file.seek(0)
    try:
        head = MatchesHead.from_json(json.loads(file.readline()))
        protocol = head.rule_book()
        for line in file:
            number += 1
            if line.endswith(b"\n"):
                image = _from_json(json.loads(line), protocol, len(head.classes))
                if image.frame in images:
                    raise ValueError(f"image {image.frame} is there twice")
                images[image.frame] = image
    except UNFIT as error:
        raise InputError(
            path, line=number, found=f"no matches ({type(error).__name__}: {error})",
            expected="what 'robsub evaluate --matches FILE' writes", fix="Name such a file, or a new one.",
        ) from error  # fmt: skip
    return head, list(images.values())


def _held(path: Path) -> InputError:
    return InputError(
        path, found="another evaluation that writes to it", expected="a file of this evaluation alone",
        fix="Wait for it, stop it, or name another file with --matches.",
    )  # fmt: skip


def _is_unbegun(file: BinaryIO) -> bool:
    """Whether nothing stands in it but what a killed run left of a head."""
    file.seek(0)
    begun = file.readline()
    return not begun.endswith(b"\n") and (begun.startswith(BEGINNING) or BEGINNING.startswith(begun))


def _cut_unfinished(file: BinaryIO) -> None:
    """Drop what a killed run left of its last line."""
    file.seek(0)
    file.truncate(sum(len(line) for line in file if line.endswith(b"\n")))


def _to_json(image: ImageMatches) -> dict[str, Any]:
    arrays = {name: _encoded(getattr(image, name), kind) for name, kind in ARRAYS.items()}
    rest = {"has_distances": image.has_distances, "census": asdict(image.census), "missing": image.missing,
            "number": image.number}  # fmt: skip
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
    has_distances = None if data["has_distances"] is None else bool(data["has_distances"])
    return ImageMatches(
        frame=_text(data["frame"]), **arrays, has_distances=has_distances, census=_census(data["census"]),
        missing=bool(data["missing"]), number=_count(data["number"]),
    )  # fmt: skip


def _census(data: Mapping[str, Any]) -> Census:
    counts = {name: _count(data[name]) for name in ("evaluated", "empty", "large", "above_one")}
    return Census(**counts, others={name: _count(count) for name, count in data["others"].items()})


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{_short(repr(value))} where a text is wanted")
    return value


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError(f"{_short(repr(values))} where a list is wanted")
    return tuple(map(_text, values))


def _count(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise TypeError(f"{_short(repr(value))} where a count is wanted")
    return value


_HEAD: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("benchmark", "split", "protocol", "rules", "ground_truth", "predictions"), _text),
    "classes": _texts, "notes": _texts, "images_expected": _count,
    "frame_sets": lambda data: {name: _texts(sets) for name, sets in data.items()},
    "provenance": lambda data: {name: _text(value) for name, value in data.items()},
}  # fmt: skip
"""Part of a head -> what reads it from JSON."""


def _encoded(values: NDArray[Any], kind: DTypeLike) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode("ascii")


def _outside(values: NDArray[Any], low: int, high: int) -> bool:
    return bool(values.size) and bool(values.min() < low or values.max() >= high)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _apart(one: str, other: str) -> str:
    """Both texts; long ones from the word on in which they begin to differ."""
    if max(len(one), len(other)) <= SHOWN:
        return f"{one} and {other}"
    pairs = enumerate(zip(one, other, strict=False))
    common = next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
    begin = max(one.rfind(" ", 0, common) + 1, common - SHOWN // 2)
    dots = "..." if begin else ""
    return f"{dots}{_short(one[begin:])} and {dots}{_short(other[begin:])}"
