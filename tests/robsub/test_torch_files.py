"""Checkpoints and weights that are damaged, forged or of something else: one paragraph each, and nothing runs."""

from __future__ import annotations

import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dataset_adapters.problems import InputError
from robsub.model.weights_file import read_weights
from robsub.recipe import ModelConfig
from robsub.torch_files import FORMAT
from robsub.training.checkpoint import load_checkpoint

STATE = {"format": FORMAT, "recipe": {}, "classes": ["car"], "model": {"rpn.head.conv.0.0.bias": torch.zeros(256)}}


def read_initial(path: Path) -> object:
    return read_weights(path, ModelConfig())


both = pytest.mark.parametrize("read", [load_checkpoint, read_initial], ids=["predict", "train.init"])
Read = Callable[[Path], object]


def refusal(read: Read, path: Path) -> str:
    with pytest.raises(InputError) as error:
        read(path)
    assert str(path) in str(error.value)
    return str(error.value)


@both
@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe": None}, "'recipe' is NoneType"), ({"recipe": 3}, "'recipe' is int"),
        ({"classes": "car"}, "'classes' is str"), ({"classes": [1]}, "'classes' is list"),
        ({"model": {"a": 1}}, "'model' is dict"), ({"model": torch.zeros(3)}, "'model' is Tensor"),
        ({"model": {"a": torch.zeros(3, dtype=torch.int64)}}, "'model' is dict"),
        ({"model": {"a": torch.eye(3).to_sparse()}}, "'model' is dict"),
    ],
)  # fmt: skip
def test_a_part_of_another_kind_is_named(read: Read, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    torch.save(STATE, tmp_path / "whole.pt")
    assert read(tmp_path / "whole.pt")
    torch.save(STATE | change, tmp_path / "forged.pt")
    assert words in refusal(read, tmp_path / "forged.pt")
    (name,) = change
    torch.save({key: value for key, value in STATE.items() if key != name}, tmp_path / "less.pt")
    assert f"{name!r} is missing" in refusal(read, tmp_path / "less.pt")


@both
@pytest.mark.parametrize("content", [[1, 2], torch.zeros(3), 5, None])
def test_what_is_no_dictionary_is_named(read: Read, tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "other.pt")
    assert f"found a saved {type(content).__name__}, expected" in refusal(read, tmp_path / "other.pt")


@both
def test_a_wrong_bit_is_found(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "flipped.pt"
    torch.save(STATE | {"model": {"a": torch.zeros(64, 64)}}, path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "is damaged" in refusal(read, path)


class Call:
    """A pickle of it calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.parts = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts


@both
@pytest.mark.parametrize(
    ("function", "name"), [(os.system, f"{os.system.__module__}.system"), (eval, "eval"), (Path, "pathlib.")]
)
def test_a_call_is_named_and_not_advised(read: Read, tmp_path: Path, function: Any, name: str) -> None:
    trap = tmp_path / "sprung"
    torch.save(STATE | {"x": Call(function, f"touch {trap}")}, tmp_path / "evil.pt")
    told = refusal(read, tmp_path / "evil.pt")
    assert f"it wants to call {name}" in told
    assert "weights_only" not in told
    assert not trap.exists()


@both
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_no_damage_to_the_pickle_escapes(read: Read, tmp_path: Path) -> None:
    """Bytes of it at random, with CRCs that fit: either it still reads, or it is refused."""
    torch.save(STATE, tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    pickled = next(name for name in records if name.endswith("data.pkl"))
    draw = random.Random(0)
    refused = 0
    for _ in range(300):
        data = bytearray(records[pickled])
        for _ in range(draw.randint(1, 3)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        with zipfile.ZipFile(tmp_path / "fuzzed.pt", "w") as archive:
            for name, content in (records | {pickled: bytes(data)}).items():
                archive.writestr(name, content)
        try:
            read(tmp_path / "fuzzed.pt")
        except InputError:
            refused += 1
    assert 100 < refused < 300


def test_weights_of_others_are_told_how_to_be_used(tmp_path: Path) -> None:
    (tmp_path / "model_final.pkl").write_bytes(b"")
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "resnet.pth")
    for name, found, command in (
        ("model_final.pkl", "Detectron's weights", "robsub train --recipe detectron -o train.init="),
        ("resnet.pth", "weights without robsub's recipe", "robsub train -o train.init="),
    ):
        told = refusal(load_checkpoint, tmp_path / name)
        assert f"found {found}" in told
        assert f"{command}{tmp_path / name}" in told
