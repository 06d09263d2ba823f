"""A long JSON list taken element by element, each with where it stands in its file, and nothing but JSON around it."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from typing import Any

BLANKS = re.compile(r"[ \t\n\r]*")
COMMA = re.compile(r"[ \t\n\r]*(,?)[ \t\n\r]*")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
DECODER = json.JSONDecoder()

Element = tuple[Any, int, int]
"""A value, and the bytes from ... to ... that hold it."""


def as_text(data: bytes) -> str:
    """A file with one character a byte, so that positions in the text are those in the file.

    Raises:
        ValueError: it begins with a byte order mark, which JSON must not.
    """
    if data.startswith(BYTE_ORDER_MARK):
        raise ValueError("a byte order mark before the JSON: save it as UTF-8 without BOM")
    return data.decode("latin-1")


def is_object(text: str) -> bool:
    """Whether the file begins as an object does."""
    return text.startswith("{", _skip(text, 0))


def only_list(text: str) -> Iterator[Element]:
    """The elements of a list that is the whole file.

    Raises:
        ValueError: it is none; the elements before the place are given first.
    """
    _require_end(text, (yield from elements(text, _skip(text, 0))))


def elements(text: str, position: int) -> Generator[Element, None, int]:
    """The elements of the list at ``position``; returns where the text goes on after it.

    Raises:
        ValueError: there is no list, or one that is no JSON; the elements before the place are given first.
    """
    if text[position : position + 1] != "[":
        raise ValueError("the detections are no list")
    plain = text.isascii()
    position = _skip(text, position + 1)
    more = text[position : position + 1] != "]"
    while more:
        item, end = DECODER.raw_decode(text, position)
        yield item if plain else json.loads(text[position:end].encode("latin-1")), position, end
        position, more = _next(text, end)
    return _after(text, position, "]", "',' or ']'")


def members(text: str) -> dict[str, tuple[int, int]]:
    """Where the values of an object that is the whole file begin and end.

    Raises:
        ValueError: it is none, or a name stands in it twice.
    """
    found: dict[str, tuple[int, int]] = {}
    position = _after(text, _skip(text, 0), "{", "'{'")
    more = text[position : position + 1] != "}"
    while more:
        name, end = DECODER.raw_decode(text, position)
        begin = _after(text, _skip(text, end), ":", "':'")
        _, end = DECODER.raw_decode(text, begin)
        if name in found:
            raise ValueError(f"{name!r} twice")
        found[name] = begin, end
        position, more = _next(text, end)
    _require_end(text, _after(text, position, "}", "',' or '}'"))
    return found


def _skip(text: str, position: int) -> int:
    match = BLANKS.match(text, position)
    assert match is not None  # the pattern matches nothing too
    return match.end()


def _next(text: str, position: int) -> tuple[int, bool]:
    """What comes after a value: where, and whether a comma says that it is another value."""
    match = COMMA.match(text, position)
    assert match is not None  # the pattern matches nothing too
    return match.end(), bool(match[1])


def _after(text: str, position: int, character: str, wanted: str) -> int:
    """Where the text goes on after a character that must be there."""
    if text[position : position + 1] != character:
        there = repr(text[position]) if position < len(text) else "the end"
        raise ValueError(f"{there} at byte {position:,} where {wanted} belongs")
    return _skip(text, position + 1)


def _require_end(text: str, position: int) -> None:
    if position < len(text):
        raise ValueError(f"more after the end of the JSON, from byte {position:,} on")
