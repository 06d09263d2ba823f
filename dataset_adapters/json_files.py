"""Reading JSON files, with errors that name the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import orjson

from dataset_adapters.problems import InputError

T = TypeVar("T")

UNFIT = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What goes wrong where JSON is read and taken apart: no file, no text, a part that is missing or of another kind, a
number too large, nesting without end."""

KEPT = 4
"""Indices in memory at a time: those of COCO's two splits, of WildDash 2, and one more."""


def parse_json(text: bytes) -> Any:
    """What ``json.loads`` makes of it, three times as fast, but that whole numbers beyond 64 bits become floats.

    Raises:
        ValueError, RecursionError: as ``json.loads``, which judges all that orjson refuses, NaN among it.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


@contextmanager
def open_json(path: Path, *, what: str, expected: str, fix: str, encoding: str = "utf-8") -> Iterator[Any]:
    """A file's JSON; every failure while it is taken apart in the ``with`` block becomes an InputError.

    Args:
        path: the file.
        what: what it should be, e.g. ``camera``.
        expected, fix: as of ``InputError``.
        encoding: of its text.
    """
    try:
        yield json.loads(path.read_text(encoding=encoding))
    except UNFIT as error:
        reason = (error.strerror or "").lower() if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        raise InputError(path, found=f"no {what} ({reason})", expected=expected, fix=fix) from error


def read_once(path: Path, parse: Callable[[Path], T]) -> T:
    """``parse(path)``, kept for as long as the file stays the same."""
    try:
        stat = path.stat()
    except OSError:
        return parse(path)  # which says what is wrong
    kept: T = _parsed(path, parse, stat.st_size, stat.st_mtime_ns)
    return kept


@lru_cache(maxsize=KEPT)
def _parsed(path: Path, parse: Callable[[Path], Any], size: int, mtime_ns: int) -> Any:
    return parse(path)
