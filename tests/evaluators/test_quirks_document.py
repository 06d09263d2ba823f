"""docs/quirks.md names a test for every quirk; the test has to be there."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = re.compile(r"\btest_\w+")


def test_every_named_test_exists() -> None:
    named = set(NAME.findall((HERE.parents[1] / "docs" / "quirks.md").read_text(encoding="utf-8")))
    defined = {
        match
        for path in HERE.parent.rglob("test_*.py")
        for match in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)
    }
    assert len(named) > 20
    assert named <= defined
