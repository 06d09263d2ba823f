"""Fixtures for all tests: the shared real and official data, and a small made world."""

from __future__ import annotations

import os
from pathlib import Path

# One thread a process, before anything imports torch: the tests run in as many processes as there are cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from robsub.demo.world import WorldScale, make_world

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
SCALE = WorldScale(cityscapes=(3, 2, 2), kitti=(10, 2), wilddash=(10, 2), scannet=(3, 2, 2), ade20k=(2, 1))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photos and official fixtures; tests that need it are skipped on a user's machine."""
    if not (SHARED / "fixtures").is_dir():
        pytest.skip("the folder ../shared with real data and official numbers is not here")
    return SHARED


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a few made frames of all five data sets. Read only: copy it before changing a file."""
    root = tmp_path_factory.mktemp("world")
    make_world(root, scale=SCALE, progress=False)
    return root
