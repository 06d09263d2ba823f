"""The paper's learning rates at the paper's iterations."""

from __future__ import annotations

import pytest

from robsub.recipe import TrainConfig
from robsub.training.schedule import learning_rate, progress, steps_in_all

PAPER = TrainConfig()


@pytest.mark.parametrize(
    ("iteration", "rate"),
    [
        (0, 0.02 / 3),
        (250, 0.02 * 2 / 3),
        (500, 0.02),
        (55_999, 0.02),
        (56_000, 0.01),
        (75_999, 0.01),
        (76_000, 1e-3),
        (116_000, 1e-4),
        (135_999, 1e-4),
    ],
)
def test_paper(iteration: int, rate: float) -> None:
    assert learning_rate(PAPER, iteration, progress(PAPER, iteration, 0)) == pytest.approx(rate, rel=1e-12)


def test_cosine_falls_from_the_rate_to_nothing() -> None:
    config = TrainConfig(schedule="cosine", learning_rate=1.0, warmup_iterations=0, iterations=10)
    rates = [learning_rate(config, i, progress(config, i, 0)) for i in range(11)]
    assert rates[0] == 1
    assert rates[5] == pytest.approx(0.5)
    assert rates[10] == 0
    assert rates == sorted(rates, reverse=True)


def test_a_time_budget_ends_the_run_early_and_never_late() -> None:
    config = TrainConfig(iterations=100, time_budget_s=10)
    assert progress(config, 10, 5) == 0.5
    assert progress(config, 90, 5) == 0.9
    assert progress(config, 10, 11) == 1
    assert progress(TrainConfig(iterations=100), 10, 1e9) == 0.1


def test_steps_in_all_follows_the_pace() -> None:
    config = TrainConfig(iterations=100, time_budget_s=10)
    assert steps_in_all(config, 10, 5) == 20
    assert steps_in_all(config, 10, 0.1) == 100
    assert steps_in_all(config, 0, 0) == 0
