"""What goes wrong in a step: told with what to do about it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dataset_adapters.problems import InputError
from robsub.config import load_recipe
from robsub.model.mask_rcnn import MaskRCNN
from robsub.recipe import Recipe
from robsub.train import train
from tests.training.runs import SETTINGS


def test_a_loss_that_is_not_finite_stops_and_keeps_the_images(world: Path, tmp_path: Path) -> None:
    recipe = load_recipe(
        "demo", (*SETTINGS, "train.learning_rate=1e30", "train.clip_norm=0", "train.warmup_iterations=0")
    )
    with pytest.raises(InputError, match=r"a loss of (nan|inf).*train\.learning_rate.*The images were"):
        train(recipe, world, tmp_path)
    kept = torch.load(tmp_path / "not-finite/batch.pt", weights_only=True)
    for sample in kept["batch"]:
        with Image.open(tmp_path / "not-finite" / f"{sample['name'].replace('/', '-')}.png") as image:
            assert torch.equal(torch.from_numpy(np.array(image)).permute(2, 0, 1), sample["image"])
        assert sample["target"].keys() == {"ids", "values", "boxes", "labels"}


def test_broken_images_are_told_and_replaced_up_to_a_limit(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "datasets"
    shutil.copytree(world / "kitti", root / "kitti")
    broken = sorted((root / "kitti/training/image_2").iterdir())[:2]
    for path in broken:
        path.write_bytes(path.read_bytes()[:200])
    options = (*SETTINGS, 'train.datasets=["kitti"]')
    run = train(load_recipe("demo", options), root, tmp_path / "run")
    assert run.broken == tuple(map(str, broken))
    told = capsys.readouterr().err
    assert all(told.count(f"in its place: {path}") == 1 for path in broken)
    with pytest.raises(InputError, match=r"00000[01]_10"):
        train(load_recipe("demo", (*options, "train.max_broken=1")), root, tmp_path / "strict")


@pytest.mark.parametrize(
    "words", ["CUDA out of memory. Tried to allocate 2 GiB", "DefaultCPUAllocator: can't allocate memory"]
)
def test_out_of_memory_says_what_to_lower(
    words: str, world: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losses(*_: object) -> None:
        raise RuntimeError(words)

    monkeypatch.setattr(MaskRCNN, "losses", losses)
    with pytest.raises(InputError, match=r"memory for 2 images.*train\.accumulate=2"):
        train(recipe, world, tmp_path)
