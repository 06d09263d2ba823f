"""The numbers that a run writes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dataset_adapters.problems import InputError
from robsub.config import load_recipe
from robsub.train import train
from tests.training.runs import SETTINGS


def test_tensorboard_is_asked_for_where_it_is_not_installed(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="pip install tensorboard"):
        train(load_recipe("demo", (*SETTINGS, "train.tensorboard=true")), world, tmp_path)
