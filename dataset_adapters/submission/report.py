"""What verification says of a submission: the checks with their outcome, the faults counted and grouped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from dataset_adapters.problems import Problem, Severity
from dataset_adapters.submission.faults import FAULTS, Check, Finding, plain

EXAMPLES = 20
"""Problems of one code that are kept; the rest is counted."""


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


SIGNS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.SKIPPED: "⊘"}


class FaultLog:
    """Collects findings in bounded memory: all are counted, the first of each code are kept.

    Args:
        strict: take warnings for errors.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.counts: Counter[str] = Counter()
        self.skipped: dict[Check, str] = {}
        self._examples: dict[str, list[tuple[str, Finding]]] = {}

    def add(self, file: str | Path, finding: Finding) -> None:
        """Take one finding."""
        self.counts[finding.code] += 1
        kept = self._examples.setdefault(finding.code, [])
        if len(kept) < EXAMPLES:
            kept.append((str(file), finding))

    def extend(self, file: str | Path, findings: Iterable[Finding]) -> None:
        """Take all findings of one file."""
        for finding in findings:
            self.add(file, finding)

    def skip(self, reason: str, *checks: Check) -> None:
        """Note that checks cannot be made."""
        self.skipped |= dict.fromkeys(checks, reason)

    def rename(self, code: str, better: str) -> None:
        """Call all findings of one code by another, once the whole archive shows what they mean."""
        if moved := self.counts.pop(code, 0):
            self.counts[better] += moved
            kept = self._examples.pop(code)
            self._examples[better] = [(f, replace(x, code=better)) for f, x in kept] + self._examples.get(better, [])

    def drop(self, *codes: str) -> None:
        """Forget findings that only follow from one that says more."""
        for code in codes:
            self.counts.pop(code, None)
            self._examples.pop(code, None)

    def problems(self) -> tuple[Problem, ...]:
        """The kept findings, grouped by code in the catalogue's order."""
        kept = ((file, finding) for code in FAULTS for file, finding in self._examples.get(code, ()))
        return tuple(replace(x.problem(file), severity=self.severity(x.code)) for file, x in kept)

    def severity(self, code: str) -> Severity:
        """What a fault is worth here."""
        return Severity.ERROR if self.strict else FAULTS[code].severity


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: its outcome, how many errors and warnings it found, and why it was skipped."""

    check: Check
    outcome: Outcome
    errors: int
    warnings: int
    reason: str | None

    def __str__(self) -> str:
        counted = [_count(n, word) for n, word in ((self.errors, "error"), (self.warnings, "warning")) if n]
        remark = ", ".join((*counted, *((self.reason,) if self.reason else ())))
        return f"{self.check:2} {SIGNS[self.outcome]} {self.check.title}" + (f" ({remark})" if remark else "")


@dataclass(frozen=True)
class VerifyReport:
    """Everything that is wrong with one submission.

    Attributes:
        path: the archive.
        frames: frames that the benchmark expects; those with a list file where nobody knows.
        predictions: lines of all list files.
        files: readable files in the archive.
        checks: all checks in order.
        counts: code -> how often it was found.
        problems: the first problems of each code, at most ``EXAMPLES``, in the catalogue's order.
    """

    path: Path
    frames: int
    predictions: int
    files: int
    checks: tuple[CheckResult, ...]
    counts: Mapping[str, int]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> int:
        """How many faults the server would reject or silently score 0."""
        return sum(check.errors for check in self.checks)

    @property
    def warnings(self) -> int:
        """How many faults only look wrong."""
        return sum(check.warnings for check in self.checks)

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return self.errors == 0

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "path": plain(str(self.path)),
            "ok": self.ok,
            "frames": self.frames,
            "predictions": self.predictions,
            "files": self.files,
            "errors": self.errors,
            "warnings": self.warnings,
            "checks": [_check_json(check) for check in self.checks],
            "counts": dict(self.counts),
            "problems": [problem.to_json() for problem in self.problems],
        }

    def text(self) -> str:
        """The report as a terminal shows it: the checks, then the problems by code with their fix."""
        head = (
            f"{plain(str(self.path))}: {self.frames:,} frames, {self.predictions:,} predictions, {self.files:,} files"
        )
        verdict = "No error found" if self.ok else _count(self.errors, "error")
        groups = [self._group(code, count) for code, count in self.counts.items()]
        return "\n".join([head, *map(str, self.checks), *groups, f"{verdict}, {_count(self.warnings, 'warning')}."])

    def _group(self, code: str, count: int) -> str:
        shown = [problem for problem in self.problems if problem.code == code]
        lines = [f"\n{shown[0].severity} {code}, {_count(count, 'time')}: {FAULTS[code].fix}"]
        lines += [f"  {_place(p)}: found {p.found}, expected {p.expected}" for p in shown]
        if count > len(shown):
            lines.append(f"  and {count - len(shown):,} more")
        return "\n".join(lines)


def make_report(path: Path, log: FaultLog, *, frames: int, predictions: int, files: int) -> VerifyReport:
    """Close a log."""
    counts = {code: log.counts[code] for code in FAULTS if log.counts[code]}
    checks = tuple(_check_result(check, counts, log) for check in Check)
    return VerifyReport(path, frames, predictions, files, checks, counts, log.problems())


def _check_result(check: Check, counts: Mapping[str, int], log: FaultLog) -> CheckResult:
    sums = Counter[Severity]()
    for code, count in counts.items():
        if FAULTS[code].check is check:
            sums[log.severity(code)] += count
    skipped = log.skipped.get(check)
    errors, warnings = sums[Severity.ERROR], sums[Severity.WARNING]
    outcome = Outcome.FAILED if errors else Outcome.SKIPPED if skipped else Outcome.PASSED
    return CheckResult(check, outcome, errors, warnings, skipped)


def _check_json(result: CheckResult) -> dict[str, Any]:
    return {
        "number": int(result.check),
        "title": result.check.title,
        "outcome": str(result.outcome),
        "errors": result.errors,
        "warnings": result.warnings,
        "reason": result.reason,
    }


def _place(problem: Problem) -> str:
    return problem.file if problem.line is None else f"{problem.file}:{problem.line}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
