"""The lists of a COCO file that say what its ids mean, and the frames that the file's names stand for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dataset_adapters.base import Frame
from dataset_adapters.problems import InputError

ImageId = int | str
"""COCO numbers its images; others name them."""
Id = TypeVar("Id", int, ImageId)


@dataclass(frozen=True)
class CocoLists:
    """What the ids of a COCO file mean.

    Attributes:
        images: id -> frame, or the file's own name where there is no such frame.
        categories: id -> name of the class.
    """

    images: Mapping[ImageId, str]
    categories: Mapping[int, str]

    @classmethod
    def of(cls, path: Path, lists: Any, finder: FrameFinder) -> CocoLists:
        """The lists that stand in a file.

        Args:
            path: the file, for errors.
            lists: its JSON: an object with ``images``, ``categories``, both or none.
            finder: the frames.

        Raises:
            InputError: an entry lacks its id or name, or an id is none.
        """
        try:
            images = [(image_id(i["id"]), finder.by_name(str(i["file_name"]))) for i in lists.get("images", ())]
            categories = [(whole_number(c["id"]), str(c["name"])) for c in lists.get("categories", ())]
            return cls(_unambiguous("image", images), _unambiguous("category", categories))
        except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(
                path, found=f"a list of images or categories that does not read ({type(error).__name__}: {error})",
                expected="images with file_name and a number or text as id, categories with name and a number as id, "
                "each id once",
                fix="Mend the list, or name the annotation file that the ids refer to.",
            ) from error  # fmt: skip

    def updated(self, other: CocoLists) -> CocoLists:
        """These lists, with another's where it has its own."""
        return CocoLists(other.images or self.images, other.categories or self.categories)


def image_id(value: Any) -> ImageId:
    """An image's id: text stays text, for ``000000_10`` is not 10.

    Raises:
        TypeError, ValueError, OverflowError: it is neither text nor a whole number.
    """
    return value if isinstance(value, str) else whole_number(value)


def whole_number(value: Any) -> int:
    """A number as it is meant, be it written 1 or 1.0.

    Raises:
        TypeError, ValueError, OverflowError: it is none.
    """
    number = int(value)
    if isinstance(value, float) and value != number:
        raise ValueError(f"the id {value}, which is no whole number")
    return number


def _unambiguous(kind: str, named: Iterable[tuple[Id, str]]) -> dict[Id, str]:
    """id -> name; ValueError where an id has two names."""
    names: dict[Id, str] = {}
    for number, name in named:
        if names.setdefault(number, name) != name:
            raise ValueError(f"the {kind} id {number!r} for {names[number]!r} and for {name!r}")
    return names


class FrameFinder:
    """Frames by what people call them: frame name, or photo path from any folder on, with or without extension."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.frames = {frame.name for frame in frames}
        owners: dict[str, set[str]] = defaultdict(set)
        for frame in frames:
            for name in {*_tails(frame.image.as_posix()), frame.name}:
                owners[name].add(frame.name)
        self._by_name = {name: next(iter(owner)) for name, owner in owners.items() if len(owner) == 1}
        self._by_number = {int(name): name for name in self.frames if name.isdecimal()}

    def by_name(self, name: str) -> str:
        """The frame, or the name itself if there is no such frame."""
        if name in self.frames:
            return name
        return next((self._by_name[tail] for tail in _tails(name) if tail in self._by_name), name)

    def by_number(self, number: int) -> str | None:
        """The frame whose whole name is this number, as in COCO."""
        return self._by_number.get(number)


def _tails(path: str) -> list[str]:
    """``a/b/c.png`` -> itself, ``b/c.png``, ``c.png`` and the same without extension, longest first."""
    parts = path.split("/")[-3:]
    tails = ["/".join(parts[i:]) for i in range(len(parts))]
    return [name for tail in tails for name in (tail, tail.rpartition(".")[0]) if name]
