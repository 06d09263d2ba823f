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


def test_rates_change_at_their_iterations_whatever_the_length() -> None:
    for length in range(50, 1050):
        config = TrainConfig(iterations=length, steps=(7, 29, 49), warmup_iterations=0)
        rates = {i: learning_rate(config, i, progress(config, i, 0)) for i in (6, 7, 28, 29, 48, 49)}
        assert rates == {6: 0.02, 7: 0.01, 28: 0.01, 29: 1e-3, 48: 1e-3, 49: 1e-4}, length


def test_a_time_budget_lets_steps_come_earlier() -> None:
    config = TrainConfig(iterations=100, steps=(50,), step_rates=(0.01,), warmup_iterations=0, time_budget_s=10)
    assert learning_rate(config, 10, progress(config, 10, 5)) == 0.01
    assert learning_rate(config, 10, progress(config, 10, 4)) == 0.02


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
