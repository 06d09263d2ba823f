"""The files that a run leaves out because they are broken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from dataset_adapters.problems import InputError
from robsub.training.say import say


class BrokenFiles:
    """Counts broken files over all starts of a run, tells each once, and stops the run if they are many.

    Attributes:
        stamps: file -> when it was last written, so that a mended one counts no more.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.stamps: dict[str, int] = {}

    def add(self, errors: Iterable[InputError], what: str) -> None:
        """Count the files at fault.

        Args:
            errors: what is wrong with them.
            what: what becomes of such a file.

        Raises:
            InputError: more files are broken than the run takes.
        """
        for error in errors:
            file = error.problem.file
            if file not in self.stamps:
                self.stamps[file] = _stamp(file)
                say(f"{what}: {error}")
        if len(self.stamps) > self.limit:
            raise InputError(
                "train.max_broken", found=f"{len(self.stamps)} broken files, {', '.join(sorted(self.stamps))}",
                expected=f"at most train.max_broken = {self.limit}",
                fix="Get them again ('robsub datasets' lists all that are broken), or raise train.max_broken; the run "
                "goes on from its checkpoint.",
            )  # fmt: skip

    def restore(self, stamps: Mapping[str, int]) -> None:
        """Take over what an earlier start, or another process, has found, but for files that were written since."""
        self.stamps |= {file: stamp for file, stamp in stamps.items() if _stamp(file) == stamp}


def _stamp(file: str) -> int:
    path = Path(file)
    return path.stat().st_mtime_ns if path.exists() else 0
