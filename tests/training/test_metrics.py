"""The numbers that a run writes: exact, cut to where the run goes on, and the same in TensorBoard's files."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dataset_adapters.problems import InputError
from robsub.config import load_recipe
from robsub.train import train
from robsub.training.metrics import MetricsLog
from tests.training.runs import SETTINGS, lines


def test_numbers_are_written_to_the_last_bit(tmp_path: Path) -> None:
    third = 0.1 + 0.2
    with MetricsLog(tmp_path, 0, tensorboard=False) as log:
        log.add(1, {"loss": third})
    assert lines(tmp_path / "metrics.jsonl") == [{"iteration": 1, "loss": third}]
    with MetricsLog(tmp_path, 1, tensorboard=False) as log:
        log.add(2, {"loss": 1.0})
    assert lines(tmp_path / "metrics.jsonl")[0]["loss"] == third


def test_what_an_earlier_start_wrote_beyond_its_checkpoint_is_cut(tmp_path: Path) -> None:
    with MetricsLog(tmp_path, 0, tensorboard=False) as log:
        for iteration in (1, 2, 3):
            log.add(iteration, {"loss": 1.0})
            log.add_validation(iteration, {"AP": 0.5, "AP_kitti": 0.5})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"iteration": 4, "lo')
    log = MetricsLog(tmp_path, 2, tensorboard=False)
    for name in ("metrics.jsonl", "validation.jsonl"):
        assert [line["iteration"] for line in lines(tmp_path / name)] == [1, 2]
    assert log.has_validation(2)
    assert not log.has_validation(3)


class Board(list[tuple[str, float, int]]):
    """TensorBoard's writer, as far as it is used."""

    def __init__(self, folder: str, purge_step: int) -> None:
        self.folder, self.purge_step, self.closed = folder, purge_step, False
        boards.append(self)

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.append((name, value, step))

    def close(self) -> None:
        self.closed = True


boards: list[Board] = []


def test_tensorboard_gets_the_same_numbers(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Board))
    boards.clear()
    train(load_recipe("demo", (*SETTINGS, "train.tensorboard=true", "train.iterations=2")), world, tmp_path)
    (board,) = boards
    assert (board.folder, board.purge_step, board.closed) == (str(tmp_path / "tensorboard"), 1, True)
    told = {(name, step): value for name, value, step in board}
    for line in lines(tmp_path / "metrics.jsonl"):
        iteration = line.pop("iteration")
        assert all(told.pop((f"metrics/{name}", iteration)) == value for name, value in line.items())
    assert not told


def test_tensorboards_own_writer_takes_them(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    with MetricsLog(tmp_path, 0, tensorboard=True) as log:
        log.add(1, {"loss": 0.5})
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_tensorboard_is_asked_for_where_it_is_not_installed(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setattr("robsub.train.training_images", lambda *_: pytest.fail("images were read before"))
    with pytest.raises(InputError, match="pip install tensorboard"):
        train(load_recipe("demo", (*SETTINGS, "train.tensorboard=true")), world, tmp_path)
