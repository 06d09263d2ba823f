"""Archives read in place: a submission as a zip or a directory, never unpacked and never trusted.

Every bound is checked before what it bounds is read, so that no archive can take memory or time without end.
"""

from __future__ import annotations

import os
import posixpath
import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dataset_adapters.problems import InputError
from dataset_adapters.submission.faults import Finding

MAX_MEMBERS = 500_000
"""Most files of an archive; 100 masks for each of Cityscapes' 1525 test frames make 154,025."""
MAX_DIRECTORY_BYTES = 46 * MAX_MEMBERS
"""Largest table of contents of a zip. A member takes 46 bytes of it and its name, whatever number the zip claims."""
MAX_MEMBER_BYTES = 64 << 20
"""Largest file of an archive; a 1024 x 2048 mask is 2 MB before compression."""
MAX_LIST_BYTES = 1 << 20
"""Largest list file; a line has some 60 bytes."""
MAX_TOTAL_BYTES = 64 << 30
"""Most bytes that all files of an archive may unpack to."""

FORMATS = {
    b"\x1f\x8b": "a gzip or tgz file",
    b"Rar!": "a rar file",
    b"7z\xbc\xaf": "a 7z file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"PK": "a zip file without its end, cut off in transfer",
}
"""First bytes of what people take for a zip."""

BAD_DATA = (zipfile.BadZipFile, zlib.error, OSError, ValueError, RuntimeError, NotImplementedError, EOFError)
"""What the standard library raises on broken archives."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A member that is not read.

    Attributes:
        code: its fault, ``member-...``.
        name: the member.
        found: what is wrong with it.
    """

    code: str
    name: str
    found: str


class Archive(ABC):
    """Read access to the files of one archive. Picklable; every process opens its own handle at its first read.

    Args:
        path: the zip file or directory.
        largest: most bytes of a file, MAX_MEMBER_BYTES if not given.

    Attributes:
        path: the zip file or directory.
        refusals: members that are not read, with the reason. A doubled member is refused and the last one is read.
    """

    def __init__(self, path: Path, largest: int | None = None) -> None:
        self.path = path
        self._largest = largest or MAX_MEMBER_BYTES
        self.refusals: list[Refusal] = []
        self._sizes: dict[str, int] = {}
        self._list()

    @abstractmethod
    def _list(self) -> None:
        """Fill the sizes and the refusals."""

    @abstractmethod
    def _read(self, name: str) -> bytes:
        """At most the listed size of a member."""

    def names(self) -> list[str]:
        """Paths of all readable files below the root, with ``/``, sorted."""
        return sorted(self._sizes)

    def __contains__(self, name: str) -> bool:
        return name in self._sizes

    def refuses(self, name: str) -> bool:
        """Whether a path leads to or below a member that is not read: then its absence is no fault of its own."""
        parts = name.split("/")
        return any("/".join(parts[:count]) in self._refused for count in range(1, len(parts) + 1))

    @cached_property
    def _refused(self) -> frozenset[str]:
        return frozenset(posixpath.normpath(r.name.replace("\\", "/")) for r in self.refusals)

    def require_readable(self) -> None:
        """Insist that every member is read.

        Raises:
            InputError: one is not; names the first.
        """
        for refusal in self.refusals:
            raise Finding(refusal.code, refusal.found).error(f"{self.path}/{refusal.name}")

    def size(self, name: str) -> int:
        """A file's size in bytes, unpacked, as the archive declares it."""
        return self._sizes[name]

    def read(self, name: str) -> bytes:
        """A file's bytes, never more than ``size`` told.

        Raises:
            InputError: there is no such file, or it is damaged.
        """
        if name not in self._sizes:
            raise InputError(
                f"{self.path}/{name}", found="no such file", expected="a file of the archive", fix="Add it."
            )
        try:
            return self._read(name)
        except BAD_DATA as error:
            raise InputError(
                f"{self.path}/{name}", found=f"damaged data ({error})", expected="a file that reads to its end",
                fix="Write the archive again.",
            ) from error  # fmt: skip

    @abstractmethod
    def close(self) -> None:
        """Give the file handle back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _admit(self, name: str, size: int, fault: tuple[str, str] | None) -> str | None:
        """List a member under its plain name, which is returned, or refuse it."""
        plain = posixpath.normpath(name)
        fault = _name_fault(name, plain) or fault
        if fault is None and size > (MAX_LIST_BYTES if plain.lower().endswith(".txt") else self._largest):
            fault = "member-huge", f"{size:,} bytes"
        if fault is not None:
            self.refusals.append(Refusal(fault[0], name, fault[1]))
            return None
        if plain in self._sizes:
            self.refusals.append(Refusal("member-double", name, "the same name more than once"))
        self._sizes[plain] = size
        return plain


class DirectoryArchive(Archive):
    """A submission that was not packed yet."""

    def _list(self) -> None:
        with _listing(self.path):
            for place, (entry, name) in enumerate(_walk(self.path)):
                if place >= MAX_MEMBERS:
                    raise _too_big(self.path, f"more than {MAX_MEMBERS:,} files")
                status = entry.stat(follow_symlinks=False)
                self._admit(name, status.st_size, _mode_fault(status.st_mode))

    def _read(self, name: str) -> bytes:
        with (self.path / name).open("rb") as file:
            return file.read(self._sizes[name])

    def close(self) -> None:
        """A directory holds no handle."""


class ZipArchive(Archive):
    """A submission as the servers take it."""

    def __init__(self, path: Path, largest: int | None = None) -> None:
        self._handle: zipfile.ZipFile | None = None
        self._owner = 0
        self._members: dict[str, str] = {}
        super().__init__(path, largest)

    def _list(self) -> None:
        with _listing(self.path):
            _bound_directory(self.path)
            members = [member for member in self._open().infolist() if not member.filename.endswith("/")]
        packed, unpacked = (sum(getattr(m, key) for m in members) for key in ("compress_size", "file_size"))
        if packed > self.path.stat().st_size:
            raise _too_big(self.path, "members that share their bytes, as in a zip bomb")
        if unpacked > MAX_TOTAL_BYTES:
            raise _too_big(self.path, f"{unpacked:,} bytes when unpacked")
        for member in members:
            plain = self._admit(member.filename, member.file_size, _member_fault(member))
            if plain is not None:
                self._members[plain] = member.filename

    def _read(self, name: str) -> bytes:
        with self._open().open(self._members[name]) as file:
            return file.read(self._sizes[name])

    def _open(self) -> zipfile.ZipFile:
        # A forked process shares its parent's file position: it needs a handle of its own.
        if self._handle is None or self._owner != os.getpid():
            self._handle, self._owner = zipfile.ZipFile(self.path), os.getpid()
        return self._handle

    def close(self) -> None:
        if self._handle is not None and self._owner == os.getpid():
            self._handle.close()
        self._handle = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handle": None}


def open_archive(path: Path, largest: int | None = None) -> Archive:
    """Open a submission.

    Args:
        path: a zip file or a directory.
        largest: most bytes of a file that is no list, MAX_MEMBER_BYTES if not given.

    Raises:
        InputError: there is nothing, no zip (tgz and rar under another name are told), or one beyond every bound.
    """
    if path.is_dir():
        return DirectoryArchive(path, largest)
    if not path.is_file():
        raise InputError(
            path, found="no such file", expected="a zip file or a folder", fix="Check the path for a typing error."
        )
    return ZipArchive(path, largest)


def _walk(root: Path) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Every entry below a directory that is not itself a directory, with its path from the root."""
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                name = posixpath.join(folder, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(name)
                else:
                    yield entry, name


def _bound_directory(path: Path) -> None:
    """Refuse a zip whose table of contents is too large, before zipfile loads all of it."""
    with path.open("rb") as file:
        # The very function that ZipFile asks: another reading of the same bytes could be led elsewhere.
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    if end is None:
        raise _no_zip(path)
    members, size = end[4], end[5]
    if members > MAX_MEMBERS or size > MAX_DIRECTORY_BYTES:
        raise _too_big(path, f"{members:,} members in a table of {size:,} bytes")


@contextmanager
def _listing(path: Path) -> Iterator[None]:
    try:
        yield
    except BAD_DATA as error:
        raise InputError(
            path, found=f"an archive that cannot be listed ({error})", expected="a whole zip file or a readable folder",
            fix="Write or copy it again, and check its permissions.",
        ) from error  # fmt: skip


def _no_zip(path: Path) -> InputError:
    with path.open("rb") as file:
        head = file.read(512)
    found = next((name for magic, name in FORMATS.items() if head.startswith(magic)), "a file of another kind")
    if head[257:262] == b"ustar":
        found = "a tar file"
    return InputError(
        path, found=found if head else "an empty file", expected="a zip file",
        fix="Pack the folder again as zip; renaming a file does not change its format.",
    )  # fmt: skip


def _too_big(path: Path, found: str) -> InputError:
    return InputError(
        path, found=found, expected=f"at most {MAX_MEMBERS:,} files and {MAX_TOTAL_BYTES >> 30} GiB, each stored once",
        fix="Pack only the list files and the masks.",
    )  # fmt: skip


def _name_fault(name: str, plain: str) -> tuple[str, str] | None:
    if "\\" in name:
        return "member-backslash", "a backslash in its name"
    if posixpath.isabs(name) or name[1:2] == ":":
        return "member-escape", "an absolute path"
    if plain.split("/")[0] in ("..", "."):
        return "member-escape", "a path that is none below the root"
    return None


def _member_fault(member: zipfile.ZipInfo) -> tuple[str, str] | None:
    if member.flag_bits & 0x1:
        return "member-encrypted", "encrypted data"
    # zipfile bounds what it inflates, but not what it unpacks by bzip2 or LZMA.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "member-compression", f"compression method {member.compress_type}"
    return _mode_fault(member.external_attr >> 16)


def _mode_fault(mode: int) -> tuple[str, str] | None:
    if stat.S_ISLNK(mode):
        return "member-link", "a symbolic link"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "member-special", "a device, pipe or socket"
    return None
