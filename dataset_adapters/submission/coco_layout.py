"""The layout of a submission as COCO results: one JSON file, alone in a zip or bare."""

from __future__ import annotations

import posixpath
import zipfile
from dataclasses import dataclass
from pathlib import Path

from dataset_adapters.problems import InputError
from dataset_adapters.submission.archive import Archive, open_archive
from dataset_adapters.submission.faults import Finding

MAX_RESULTS_BYTES = 1 << 29
"""Largest results that are read out of a zip; a test set of 30 objects an image has some 20 MB."""


@dataclass(frozen=True, slots=True)
class CocoSubmission:
    """Where a server that takes COCO results wants them.

    Attributes:
        member: path of the JSON file in the zip.
    """

    member: str

    def is_in(self, path: Path) -> bool:
        """Whether the file is a zip that has the results at its root, or in a folder and no list files."""
        if not path.is_file():
            return False
        try:
            with self.open(path) as archive:
                names = [*archive.names(), *(refusal.name for refusal in archive.refusals)]
        except InputError:
            return False
        has_lists = any(name.lower().endswith(".txt") for name in names)
        return self.member in names or (not has_lists and any(map(self.is_results, names)))

    def is_results(self, name: str) -> bool:
        """Whether a file in a zip is called as the results are, in whatever folder."""
        return posixpath.basename(name) == self.member

    def open(self, path: Path) -> Archive:
        """The zip of the results.

        Raises:
            InputError: it does not open.
        """
        return open_archive(path, MAX_RESULTS_BYTES)

    def place_in(self, archive: Archive) -> str | None:
        """Where the results are in a zip, which may be a folder; None if they are nowhere or not to be read."""
        if self.member in archive:
            return self.member
        return next(filter(self.is_results, archive.names()), None)

    def misplaced(self, place: str) -> Finding:
        """The fault of results in a folder."""
        found = f"the results inside the folder {posixpath.dirname(place)!r}"
        return Finding("root-folder", found, expected=f"{self.member} at the root of the archive")

    def read(self, path: Path) -> bytes:
        """The results in a zip, or a bare file's.

        Raises:
            InputError: the zip does not open, has members that are not read, or no results at its root.
        """
        if not zipfile.is_zipfile(path):
            return path.read_bytes()
        with self.open(path) as archive:
            archive.require_readable()
            place = self.place_in(archive)
            if place is None:
                raise InputError(
                    path, found=f"no {self.member}", expected=f"a zip with {self.member} at its root, or the bare file",
                    fix="Pack the results again.",
                )  # fmt: skip
            if place != self.member:
                raise self.misplaced(place).error(path)
            return archive.read(place)
