"""Fixtures for all tests: the shared real and official data, where they lie beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photos and official fixtures; tests that need it are skipped on a user's machine."""
    if not (SHARED / "fixtures").is_dir():
        pytest.skip("the folder ../shared with real data and official numbers is not here")
    return SHARED
