"""Writing files so that nothing half-written is ever taken for whole, and telling why a write failed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dataset_adapters.problems import InputError

ADVICE = {
    errno.ENOSPC: ("room for it", "Free some space and run the same command again; what was finished is kept."),
    errno.EDQUOT: ("room for it", "Free some of your quota and run the same command again; what was finished is kept."),
    errno.EACCES: ("permission", "Change the permissions, or choose another place with the command's options."),
    errno.EROFS: ("a disk that can be written", "Choose another place with the command's options."),
    errno.ENOENT: ("a file of that name", "Check the path for a typing error."),
}
"""What was expected instead of an operating-system error, and what to do about it."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; what was written there takes the final name only if all went well.

    The temporary name is always the same, so that a killed command's rest is overwritten by the next one.

    Raises:
        InputError: the disk is full, or the folder cannot be written.
    """
    if is_stream(path):  # is written to, not replaced
        with naming(path):
            yield path
        return
    final = Path(os.path.realpath(path))  # a link stays one
    temporary = final.with_name(f".{final.name}.tmp")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(final)
    except OSError as error:
        raise explain(error, path) from error
    finally:
        with suppress(OSError):  # a second failure must not hide the first
            temporary.unlink()


def is_stream(path: Path) -> bool:
    """Whether it is a pipe or a terminal."""
    return path.exists() and not (path.is_file() or path.is_dir())


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an operating-system error inside be told as one of ``path``."""
    try:
        yield
    except OSError as error:
        raise explain(error, path) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, UTF-8; what is no text in a file's name is written as ``\\udc..``."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, value: object) -> None:
    """Write readable JSON atomically; NaN is refused, keys keep their order."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path, expected: str) -> Any:
    """Read a JSON file.

    Raises:
        InputError: it is missing or not JSON; ``expected`` says what it should be.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise explain(error) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            path, found=f"no JSON ({error})", expected=expected, fix="The file is damaged or of another kind."
        ) from error


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def explain(error: OSError, path: Path | None = None) -> InputError:
    """An operating-system error as the paragraph that a user reads; ``path`` is at fault if it does not say."""
    expected, fix = ADVICE.get(error.errno or 0, ("a file that can be used", "Check the disk and the path."))
    file = path or error.filename or "a file"
    return InputError(file, found=(error.strerror or str(error)).lower(), expected=expected, fix=fix)
