"""One tiny world for all tests of the made data."""

from __future__ import annotations

from pathlib import Path

import pytest

from robsub.demo.world import WorldScale, make_world

TINY = WorldScale(cityscapes=(14, 6, 2), kitti=(20, 2), wilddash=(40, 3), scannet=(18, 6, 2), ade20k=(6, 2))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data root of a world of some hundred frames, seed 0."""
    root = tmp_path_factory.mktemp("world")
    make_world(root, scale=TINY, progress=False)
    return root
