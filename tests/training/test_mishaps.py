"""What goes wrong in a step: told with what to do about it, and the checkpoint is good to go on from."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import get_worker_info

from dataset_adapters.problems import InputError
from robsub.config import load_recipe
from robsub.model.mask_rcnn import MaskRCNN
from robsub.recipe import Recipe
from robsub.train import train
from robsub.training import joint_dataset
from robsub.training.checkpoint import load_checkpoint
from robsub.training.joint_dataset import Sample
from robsub.training.mishaps import require_finite
from tests.training.runs import SETTINGS, losses


@pytest.fixture
def begun(whole: Path, tmp_path: Path) -> Path:
    """A run that has ended after its fourth step, and the checkpoint of the second."""
    run = tmp_path / "begun"
    run.mkdir()
    for name in ("metrics.jsonl", "checkpoint-0000002.pt", "checkpoint-0000004.pt"):
        shutil.copy(whole / name, run)
    shutil.copy(whole / "checkpoint-0000004.pt", run / "checkpoint.pt")
    return run


def test_a_loss_that_is_not_finite_stops_and_keeps_the_images(world: Path, tmp_path: Path) -> None:
    recipe = load_recipe(
        "demo", (*SETTINGS, "train.learning_rate=1e30", "train.clip_norm=0", "train.warmup_iterations=0")
    )
    with pytest.raises(InputError, match=r"loss_mask = nan.* at iteration 1, .*train\.learning_rate.*The images were"):
        train(recipe, world, tmp_path)
    kept = torch.load(tmp_path / "not-finite/batch-rank-0.pt", weights_only=True)
    for sample in kept["batch"]:
        with Image.open(tmp_path / "not-finite" / f"{sample['name'].replace('/', '-')}.png") as image:
            assert torch.equal(torch.from_numpy(np.array(image)).permute(2, 0, 1), sample["image"])
        assert sample["target"].keys() == {"ids", "values", "boxes", "labels"}


def test_every_process_keeps_its_own_images(tmp_path: Path) -> None:
    sample = Sample("kitti/a", torch.zeros(3, 4, 4, dtype=torch.uint8), {})
    for rank in (0, 1):
        with pytest.raises(InputError, match="gradient = inf at iteration 7"):
            require_finite({"loss": 1.0, "gradient": float("inf")}, [sample], 7, tmp_path, rank)
    assert {"batch-rank-0.pt", "batch-rank-1.pt"} < {path.name for path in (tmp_path / "not-finite").iterdir()}


def test_a_gradient_that_is_not_finite_spoils_no_weight(
    begun: Path, whole: Path, world: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MaskRCNN, "losses", without_a_slope(MaskRCNN.losses))
        with pytest.raises(InputError, match="gradient = nan at iteration 4") as error:
            train(recipe, world, begun)
    assert load_checkpoint(begun)["iteration"] == 4
    assert f"mv {begun}/checkpoint-0000002.pt {begun}/checkpoint.pt" in str(error.value)
    (begun / "checkpoint-0000002.pt").rename(begun / "checkpoint.pt")
    train(recipe, world, begun)
    assert losses(begun) == losses(whole)


def without_a_slope(plain: Any) -> Any:
    """The same losses, whose gradient is not a number."""

    def losses(self: MaskRCNN, *args: object) -> dict[str, Tensor]:
        weight = next(self.parameters())
        nothing = (weight - weight.detach()).abs().sqrt().sum()
        return {name: loss + nothing for name, loss in plain(self, *args).items()}

    return losses


CPU, CUDA = "DefaultCPUAllocator: can't allocate memory", "CUDA out of memory. Tried to allocate 2 GiB"


@pytest.mark.parametrize(
    ("kind", "name", "words", "doing"),
    [
        (MaskRCNN, "losses", CUDA, r"2 images at a time.*train\.accumulate=2"),
        (torch.optim.AdamW, "step", CPU, "2 images at a time"),
        (MaskRCNN, "detect", CUDA, "a validation"),
        (MaskRCNN, "to", CUDA, "the network"),
    ],
)
def test_out_of_memory_says_what_to_lower(
    kind: type, name: str, words: str, doing: str, begun: Path, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(words)

    recipe = load_recipe("demo", (*SETTINGS, "train.validate_every=5", "train.validate_images=1"))
    monkeypatch.setattr(kind, name, fail)
    with pytest.raises(InputError, match=f"not enough memory for {doing}.*The checkpoint is kept"):
        train(recipe, world, begun)
    with pytest.raises(InputError) as error:
        train(load_recipe("demo", (*SETTINGS, "train.validate_every=1")), world, begun / "new")
    assert ("The checkpoint is kept" in str(error.value)) == (name == "detect")  # validation comes after one


def test_what_out_of_memory_advises_can_be_followed(
    begun: Path, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lower = ("train.accumulate=2", "train.precision=bfloat16", "model.max_size=200", "model.min_size=64")
    lower += ("model.roi_batch=8", "train.channels_last=true")
    assert train(load_recipe("demo", (*SETTINGS, *lower)), world, begun).iteration == 6
    told = capsys.readouterr().err
    assert "train.accumulate = 2 instead of 1" in told
    assert "model.max_size = 200 instead of 288" in told
    assert "not those of an undisturbed run" in told


def test_a_killed_loader_is_told(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> None:
        if get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(joint_dataset, "load_sample", killed)
    with pytest.raises(InputError, match=r"loading process that was killed.*Lower train\.workers"):
        train(load_recipe("demo", (*SETTINGS, "train.workers=1")), world, tmp_path)


@pytest.fixture
def kitti(world: Path, tmp_path: Path) -> Path:
    """A data root with KITTI alone, whose first two photos to train on are broken."""
    root = tmp_path / "datasets"
    shutil.copytree(world / "kitti", root / "kitti")
    for path in photos(root):
        path.write_bytes(path.read_bytes()[:200])
    return root


def photos(root: Path) -> list[Path]:
    return sorted((root / "kitti/training/image_2").iterdir())[:2]


KITTI = (*SETTINGS, 'train.datasets=["kitti"]')


def test_broken_images_are_told_and_replaced_up_to_a_limit(
    kitti: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(load_recipe("demo", KITTI), kitti, tmp_path / "run")
    broken = photos(kitti)
    assert run.broken == tuple(map(str, broken))
    told = capsys.readouterr().err
    assert all(told.count(f"in its place: {path}") == 1 for path in broken)
    with pytest.raises(InputError, match=r"2 broken files, .*00_10.*01_10.*, expected at most train\.max_broken = 1"):
        train(load_recipe("demo", (*KITTI, "train.max_broken=1")), kitti, tmp_path / "strict")


def test_broken_images_are_counted_over_all_starts_until_they_are_mended(
    kitti: Path, world: Path, tmp_path: Path
) -> None:
    more = ("train.schedule=steps", "train.steps=[]", "train.step_rates=[]")
    train(load_recipe("demo", (*KITTI, *more)), kitti, tmp_path / "run")
    longer = load_recipe("demo", (*KITTI, *more, "train.iterations=8", "train.max_broken=1"))
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    with pytest.raises(InputError, match="2 broken files"):
        train(longer, kitti, tmp_path / "run")
    shutil.copy(photos(world)[0], photos(kitti)[0])
    run = train(longer, kitti, tmp_path / "copy")
    assert (run.iteration, run.broken) == (8, (str(photos(kitti)[1]),))
