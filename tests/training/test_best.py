"""best.pt is what the run says of it, whenever it was killed and wherever it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from robsub.training.best import agreeing_best
from robsub.training.checkpoint import BEST, CHECKPOINT, load_checkpoint
from tests.training.runs import save

SECOND = {"iteration": 2, "AP": 0.3, "AP_kitti": 0.3}
FOURTH = {"iteration": 4, "AP": 0.5, "AP_kitti": 0.5}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Six iterations, of which the fourth was the best."""
    save(tmp_path, 2, is_best=True, best=SECOND)
    save(tmp_path, 4, is_best=True, best=FOURTH)
    save(tmp_path, 6, best=FOURTH)
    return tmp_path


def agree(run: Path) -> dict[str, float]:
    return agreeing_best(run, load_checkpoint(run))


def test_what_agrees_is_left_alone_without_a_word(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run / BEST).stat()
    assert agree(run) == FOURTH
    assert (run / BEST).stat() == before
    assert capsys.readouterr().err == ""


def test_a_best_that_a_kill_has_left_behind_is_caught_up(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for left in ("checkpoint-0000002.pt", None):
        (run / BEST).unlink()
        if left:
            (run / left).rename(run / BEST)
        assert agree(run) == FOURTH
        assert load_checkpoint(run / BEST)["iteration"] == 4
        assert "iteration 4, the best of the run as it goes on" in capsys.readouterr().err


def test_the_best_of_what_was_gone_back_from_is_replaced(run: Path) -> None:
    (run / "checkpoint-0000002.pt").rename(run / CHECKPOINT)
    assert agree(run) == SECOND
    assert load_checkpoint(run / BEST)["iteration"] == 2


def test_a_best_that_is_not_kept_is_forgotten(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / BEST).write_bytes(b"damaged")
    (run / "checkpoint-0000004.pt").unlink()
    assert agree(run) == {}
    assert not (run / BEST).exists()
    told = capsys.readouterr().err
    assert "best.pt is best-before.pt now" in told and (run / "best-before.pt").is_file()
    assert "of iteration 4, is not kept any more" in told


def test_before_the_first_validation_there_is_no_best(run: Path) -> None:
    save(run, 1)
    assert agree(run) == {}
    assert not (run / BEST).exists()
    assert agree(run) == {}
