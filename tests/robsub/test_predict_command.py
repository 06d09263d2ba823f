"""``robsub predict`` as a user types it: options that do not go together, and what the network does not know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
import torch
from click.testing import CliRunner

from cli import main
from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.registry import get_adapter
from robsub.command_line import tell_use
from robsub.model.mask_rcnn import MaskRCNN
from robsub.predictions import MANIFEST
from robsub.training.checkpoint import load_checkpoint

pytestmark = pytest.mark.usefixtures("one_thread")
ROADS = ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")


def predict(data: Path, checkpoint: Path, *options: object, status: int = 0) -> str:
    arguments = ["predict", "--dataset", "kitti", "--data-root", data, "--checkpoint", checkpoint, *options]
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def renamed(checkpoint: Path, path: Path, names: dict[str, str]) -> Path:
    """The same network, some of whose classes have other names."""
    state = load_checkpoint(checkpoint)
    torch.save({**state, "classes": [names.get(name, name) for name in JOINT_CLASSES]}, path)
    return path


def test_a_network_that_knows_no_class_is_refused(kitti: Path, checkpoint: Path, tmp_path: Path) -> None:
    zoo = renamed(checkpoint, tmp_path / "zoo.pt", {name: f"{name} of toys" for name in ROADS})
    told = predict(kitti, zoo, "--out", tmp_path / "store", status=2)
    assert "found a network of the classes person of toys" in told
    assert "expected any of kitti's: person" in told
    assert not (tmp_path / "store").exists()
    photo = get_adapter("kitti", kitti).frames("test")[0].name
    assert "any of kitti's" in predict(kitti, zoo, "--attention", photo, "--out", tmp_path / "looks", status=2)


def test_what_is_next_takes_the_predictions_from_where_they_are(kitti: Path, checkpoint: Path, tmp_path: Path) -> None:
    place = ("--out", tmp_path / "my store")
    told = f"--predictions '{tmp_path}/my store' --data-root {kitti}"
    assert f"Next: robsub package --benchmark kitti {told}" in predict(kitti, checkpoint, *place)
    other = predict(kitti, checkpoint, "--split", "val", "--out", tmp_path / "val")
    assert f"Next: robsub evaluate --dataset kitti --split val --predictions {tmp_path}/val" in other


@pytest.mark.parametrize(
    ("dataset", "split", "told"),
    [
        ("kitti", "val", "evaluate --dataset kitti --split val"),
        ("kitti", "test", "package --benchmark kitti"),
        ("coco", "test", "convert --to coco predictions/coco-test"),
    ],
)
def test_what_is_next_exists(dataset: str, split: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with click.Context(main):
        tell_use(dataset, split, None)
    assert capsys.readouterr().out == f"Next: robsub {told}\n"


def test_classes_that_it_does_not_know_are_told(kitti: Path, checkpoint: Path, tmp_path: Path) -> None:
    some = renamed(checkpoint, tmp_path / "some.pt", {"rider": "horseman", "bus": "coach"})
    told = predict(kitti, some, "--out", tmp_path / "store")
    assert "never predicted, because the network does not know them: rider, bus" in told
    assert json.loads((tmp_path / "store" / MANIFEST).read_text())["missing_classes"] == ["rider", "bus"]
    told = predict(kitti, checkpoint, "--out", tmp_path / "whole")
    assert "never predicted" not in told
    assert json.loads((tmp_path / "whole" / MANIFEST).read_text())["missing_classes"] == []


@pytest.mark.parametrize(
    "option",
    ["--flip", "--sizes=96", "--amp", "--skip-broken", "--overwrite", "--batch-size=2", "--workers=1"],
)
def test_attention_refuses_options_that_it_would_not_heed(
    kitti: Path, checkpoint: Path, tmp_path: Path, option: str
) -> None:
    told = predict(kitti, checkpoint, "--attention", "any", "--out", tmp_path / "looks", option, status=2)
    assert f"{option.partition('=')[0]} means nothing beside --attention" in told


def test_attention_goes_where_it_is_told(kitti: Path, checkpoint: Path, tmp_path: Path) -> None:
    photo = get_adapter("kitti", kitti).frames("test")[0].name
    told = predict(kitti, checkpoint, "--attention", photo, "--out", tmp_path / "looks")
    assert told == str(tmp_path / "looks" / f"{photo}.png")
    assert {path.name for path in (tmp_path / "looks").iterdir()} == {f"{photo}.png", f"{photo}.json"}


@pytest.mark.parametrize("sizes", ["0", "-5", "640,0"])
def test_sizes_have_pixels(kitti: Path, checkpoint: Path, sizes: str) -> None:
    assert "a side without a pixel" in predict(kitti, checkpoint, f"--sizes={sizes}", status=2)


@pytest.mark.parametrize(
    "words", ["CUDA out of memory. Tried to allocate", "DefaultCPUAllocator: can't allocate memory"]
)
def test_too_little_memory_says_what_to_lower(
    kitti: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    def greedy(*_: Any) -> None:
        raise RuntimeError(words)

    monkeypatch.setattr(MaskRCNN, "detect", greedy)
    told = predict(kitti, checkpoint, "--out", tmp_path / "store", "--batch-size", "2", status=2)
    assert "found not enough memory for 2 images at a time" in told
    assert "Lower --batch-size or --sizes" in told
