"""The layout of a submission as COCO results: one JSON file, alone in a zip or bare."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from dataset_adapters.problems import InputError

MAX_RESULTS_BYTES = 1 << 29
"""Largest results that are read out of a zip; a test set of 30 objects an image has some 20 MB."""
BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)
"""What ``zipfile`` raises on a file that is damaged, encrypted, or packed in a way that it does not know."""


@dataclass(frozen=True, slots=True)
class CocoSubmission:
    """Where a server that takes COCO results wants them.

    Attributes:
        member: path of the JSON file in the zip.
    """

    member: str

    def is_in(self, path: Path) -> bool:
        """Whether the file is a zip that has the results at its root."""
        try:
            with zipfile.ZipFile(path) as archive:
                return self.member in archive.namelist()
        except (OSError, *BAD_ZIP):
            return False

    def read(self, path: Path) -> bytes:
        """The results in a zip, or a bare file's.

        Raises:
            InputError: the zip does not open, has no results, or more than MAX_RESULTS_BYTES of them.
        """
        if not zipfile.is_zipfile(path):
            return path.read_bytes()
        try:
            with zipfile.ZipFile(path) as archive, archive.open(self.member) as file:
                data = file.read(MAX_RESULTS_BYTES + 1)
        except (KeyError, *BAD_ZIP) as error:
            raise self._refusal(path, f"no {self.member} that reads ({error})") from error
        if len(data) > MAX_RESULTS_BYTES:
            raise self._refusal(path, f"more than {MAX_RESULTS_BYTES >> 20} MiB in {self.member}")
        return data

    def _refusal(self, path: Path, found: str) -> InputError:
        return InputError(
            path, found=found, expected=f"a zip with {self.member} at its root, or the bare JSON file",
            fix="Pack the results again.",
        )  # fmt: skip
