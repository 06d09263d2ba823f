"""What the tests of verification share: a small submission, and the faults that were found alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dataset_adapters.labels import ROAD_LABELS, LabelTable
from dataset_adapters.problems import Severity
from dataset_adapters.submission.checks import VerifyReport, verify_submission
from dataset_adapters.submission.faults import FAULTS
from dataset_adapters.submission.layout import SubmissionLayout
from dataset_adapters.submission.report import Outcome

from .submissions import (
    CITYSCAPES,
    ROAD_FRAMES,
    SIZE,
    object_mask,
)

FRAME = ROAD_FRAMES[0]
LIST = f"{FRAME}_pred.txt"
MASK = f"masks/{FRAME}_000.png"
LINE = f"{MASK} 24 0.91\n".encode()
FRAMES = dict.fromkeys(ROAD_FRAMES, SIZE)
PIXELS = object_mask(0)
MADE: set[str] = set()
"""Faults that a test of this process has made, and found alone."""


def verify(
    path: Path,
    layout: SubmissionLayout = CITYSCAPES,
    labels: LabelTable = ROAD_LABELS,
    frames=FRAMES,
    expected: int | None = None,
    **options,
) -> VerifyReport:
    return verify_submission(path, layout, labels, frames, expected, **options)


def assert_alone(report: VerifyReport, code: str) -> None:
    """The report tells this fault and no other, and fails if and only if it is an error."""
    assert set(report.counts) == {code}, report.text()
    MADE.add(code)
    assert report.ok == (FAULTS[code].severity is Severity.WARNING)
    failed = [check.check for check in report.checks if check.outcome is Outcome.FAILED]
    assert failed == ([] if report.ok else [FAULTS[code].check])
    assert code in report.text()


def require_all_of(module: str, request: pytest.FixtureRequest) -> None:
    """Skip where only some tests of a module run: not all faults were made then."""
    own = {name for name, value in vars(sys.modules[module]).items() if name.startswith("test_") and callable(value)}
    if not own <= {item.originalname for item in request.session.items if isinstance(item, pytest.Function)}:
        pytest.skip("not all tests of this file run")
