"""Finding files below a data set's folder, and saying what is wrong where they are not."""

from __future__ import annotations

import errno
import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from dataset_adapters.problems import InputError

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")

CIRCLE, DANGLING = "a link that runs in a circle", "a link that leads nowhere"


def find(folder: Path, pattern: str, *, any_case: bool = False) -> Iterator[Path]:
    """Paths below a folder that match a pattern like ``leftImg8bit/val/*/*_leftImg8bit.png``.

    The depth is the pattern's own, so a link that leads back up is not followed for ever.

    Args:
        folder: where to start; nothing is found below a folder that is not there.
        pattern: shell patterns joined by ``/``.
        any_case: pass over upper and lower case, which the benchmarks' own code does not.

    Raises:
        InputError: a folder on the way is a link that leads nowhere or runs in a circle, or may not be read.
    """
    head, _, rest = pattern.partition("/")
    for path in _children(folder, head, any_case):
        if rest:
            yield from find(path, rest, any_case=any_case)
        else:
            yield path


def _children(folder: Path, name: str, any_case: bool) -> Iterator[Path]:
    if not any_case and not any(sign in name for sign in "*?["):
        yield folder / name
        return
    matches = _matcher(name, any_case)
    yield from (folder / entry for entry in _names(folder) if matches.fullmatch(entry))


@lru_cache
def _matcher(name: str, any_case: bool) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(name), re.IGNORECASE if any_case else re.NOFLAG)


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries)
    except OSError as error:
        if link := next((path for path in (folder, *folder.parents) if path.is_symlink() and not path.exists()), None):
            found, fix = CIRCLE if error.errno == errno.ELOOP else DANGLING, "Replace the link by the folder."
            raise InputError(link, found=found, expected="a folder", fix=fix) from error
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return []
        found = f"a folder that cannot be read ({error})"
        raise InputError(folder, found=found, expected="a folder", fix="Mend its permissions.") from error


def existing(folder: Path, pattern: str, *, any_case: bool = False) -> Iterator[Path]:
    """``find``, without names that nothing has; a link that leads nowhere is there, and is told where it is opened."""
    return (path for path in find(folder, pattern, any_case=any_case) if os.path.lexists(path))


def in_other_case(path: Path) -> Path | None:
    """A file beside this one whose name differs only in upper and lower case."""
    wanted = path.name.casefold()
    near = (name for name in _names(path.parent) if name != path.name and name.casefold() == wanted)
    return next((path.parent / name for name in near), None)


def misplaced(root: Path, known_by: Sequence[str]) -> tuple[str, str] | None:
    """Why a data set's folder seems empty: (what was found, how to mend it), or None if nothing explains it.

    Args:
        root: the folder that should hold the data set.
        known_by: names of files or folders, one of which stands directly in a data set's folder.
    """
    if root.is_symlink() and not root.exists():
        return "a link that leads nowhere or runs in a circle", "Replace the link by the folder."
    if root.is_file():
        return "a file where a folder is expected", f"Extract it, so that {root}/{known_by[0]} is there."
    for archive in _archives(root):
        return f"an archive that is not extracted, {archive}", f"Extract it into {root}."
    if any((root / name).exists() for name in known_by):
        return None
    for name in (root, *(root / name for name in known_by)):
        if other := in_other_case(name):
            return f"{other}, whose name is written in another case", f"Rename it to {name.name}."
    for folder, advice in _elsewhere(root):
        if any((folder / name).exists() for name in known_by):
            return f"the data in another folder, {folder}", advice
    return None


def _archives(root: Path) -> Iterator[Path]:
    beside = [root.with_name(root.name + suffix) for suffix in ARCHIVES]
    yield from (path for path in beside if path.is_file() and not root.is_dir())
    yield from (root / name for name in _names(root) if name.lower().endswith(ARCHIVES))


def _elsewhere(root: Path) -> Iterator[tuple[Path, str]]:
    """Folders that may hold the data set instead of its own, and how to mend it if one does."""
    yield root.parent, f"Move them down into {root}, or name the folder above with --data-root."
    for pattern in ("*", "*/*"):
        for folder in _folders(root, pattern):
            yield folder, f"The data is a folder too deep: move what is in it up to {root}."
    if not root.is_dir():
        for folder in _folders(root.parent, f"*/{root.name}"):
            yield folder, f"Name the folder above it with --data-root: {folder.parent}."
        for folder in _folders(root.parent, f"{root.name}*[0-9]"):  # kitti_2015
            yield folder, f"Rename it to {root.name}."


def _folders(above: Path, pattern: str) -> Iterator[Path]:
    try:
        yield from (path for path in find(above, pattern, any_case=True) if path.is_dir())
    except InputError:
        return  # what cannot be looked into is told by the data set that it belongs to
