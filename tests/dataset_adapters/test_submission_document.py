"""The document of the checks lists what the code can find, check by check."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dataset_adapters.problems import Severity
from dataset_adapters.submission.faults import FAULTS, Check

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "submissions.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("check", Check)
def test_every_code_stands_beside_its_check(check: Check) -> None:
    row = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| {int(check)} |"))
    assert check.title in row
    listed = {code: mark == "ʷ" for code, mark in re.findall(r"`([a-z0-9-]+)`(ʷ?)", row)}
    assert listed == {c: f.severity is Severity.WARNING for c, f in FAULTS.items() if f.check is check}
