"""A detector that needs no training, and data that a test may damage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
import torch

from dataset_adapters.labels import JOINT_CLASSES
from robsub.config import load_recipe, recipe_to_dict
from robsub.model.mask_rcnn import build_model
from robsub.recipe import InferenceConfig
from robsub.torch_files import FORMAT


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """More threads than free cores slow small networks down."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's network with random weights, which finds something everywhere."""
    torch.manual_seed(0)
    recipe = load_recipe("demo")
    recipe = replace(recipe, inference=InferenceConfig(score_threshold=0.0, detections_per_image=5))
    model = build_model(recipe.model, recipe.inference, 1 + len(JOINT_CLASSES))
    path = tmp_path_factory.mktemp("run") / "checkpoint.pt"
    state = {"recipe": recipe_to_dict(recipe), "classes": list(JOINT_CLASSES), "model": model.state_dict()}
    torch.save({"format": FORMAT, **state}, path)
    return path


@pytest.fixture
def kitti(world: Path, tmp_path: Path) -> Path:
    """A data root with a copy of KITTI."""
    copytree(world / "kitti", tmp_path / "data/kitti")
    return tmp_path / "data"
