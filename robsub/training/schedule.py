"""The learning rate as a function of progress, so that one schedule serves step counts and time budgets alike."""

from __future__ import annotations

import math

from robsub.recipe import TrainConfig


def progress(config: TrainConfig, iteration: int, seconds: float) -> float:
    """Share of the run that is over, 0 to 1: by iterations, or by the time budget if that is further."""
    by_time = seconds / config.time_budget_s if config.time_budget_s > 0 else 0.0
    return min(1.0, max(iteration / config.iterations, by_time))


def steps_in_all(config: TrainConfig, iteration: int, seconds: float) -> int:
    """How many steps the run will have taken at its end, going on at this pace."""
    return max(iteration, round(iteration / max(progress(config, iteration, seconds), 1e-9)))


def learning_rate(config: TrainConfig, iteration: float, done: float) -> float:
    """The rate of one step.

    Args:
        config: the recipe's training part.
        iteration: steps taken so far; the linear warm-up counts these.
        done: share of the run that is over, 0 to 1; the decay follows this, and the steps where it is further.

    Returns:
        The paper's piecewise constant rate (section 3: 0.02, 0.01 from 56K, 1e-3 from 76K, 1e-4 from 116K), or half a
        cosine, times the warm-up's factor.
    """
    if config.schedule == "cosine":
        rate = config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
    else:
        reached = max(iteration, done * config.iterations)  # a share times the whole may fall short by its rounding
        passed = sum(reached >= step for step in config.steps)
        rate = (config.learning_rate, *config.step_rates)[passed]
    if iteration < config.warmup_iterations:
        rate *= config.warmup_factor + (1 - config.warmup_factor) * iteration / config.warmup_iterations
    return rate
