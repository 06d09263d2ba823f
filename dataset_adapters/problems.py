"""What can be wrong with a user's files, and how it is told: one shape for every report and every refusal."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path


class Severity(StrEnum):
    """How much a problem costs: an error is rejected or silently scores 0, a warning only looks wrong."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of one file.

    Attributes:
        severity: error or warning.
        code: short stable name of the kind of fault, e.g. ``mask-size``; reports are grouped by it.
        file: the file, or the member of an archive, that is at fault.
        found: what is there.
        expected: what should be there.
        fix: what the user can do about it.
        line: 1-based line number in a text file, or None.
    """

    severity: Severity
    code: str
    file: str
    found: str
    expected: str
    fix: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: found {self.found}, expected {self.expected}. {self.fix}"

    def to_json(self) -> dict[str, str | int | None]:
        """The problem as plain JSON values."""
        return {**asdict(self), "severity": str(self.severity)}


class InputError(Exception):
    """Input that a command cannot work with. Shown as one paragraph without a traceback; exit status 2.

    Args:
        file: the file or folder at fault.
        found: what is there.
        expected: what should be there.
        fix: what the user can do about it, a sentence.
        line: 1-based line number in a text file, or None.
    """

    def __init__(self, file: str | Path, *, found: str, expected: str, fix: str, line: int | None = None) -> None:
        self.problem = Problem(Severity.ERROR, "input", str(file), found, expected, fix, line)
        super().__init__(str(self.problem))

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the parts when a worker process raises it."""
        problem = self.problem
        return _rebuild, (problem.file, problem.found, problem.expected, problem.fix, problem.line)


def first_of(found: str, count: int) -> str:
    """What was found, with how often; a report of the first fault must not hide the others."""
    return found if count == 1 else f"{found}, the first of {count}"


def _rebuild(file: str, found: str, expected: str, fix: str, line: int | None) -> InputError:
    return InputError(file, found=found, expected=expected, fix=fix, line=line)
