"""The curve and its area, on cases whose official numbers are known."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.curves import precision_recall


def ap(scores: list[float], hits: list[bool], ground_truths: int) -> float:
    return precision_recall(np.array(scores), np.array(hits, dtype=bool), ground_truths).average_precision


def test_trapezoid_rule_and_no_envelope() -> None:
    assert ap([0.9, 0.8, 0.7], [True, False, True], 2) == pytest.approx(0.7917, abs=5e-5)
    assert ap([0.9, 0.95], [True, False], 2) == pytest.approx(0.125)


def test_tied_scores_make_one_point() -> None:
    curve = precision_recall(np.array([0.9, 0.9]), np.array([True, False]), 2)
    assert curve.average_precision == pytest.approx(0.375)
    assert curve.thresholds.tolist() == [0.9]
    assert curve.precision.tolist() == [0.5, 1.0]
    assert curve.recall.tolist() == [0.5, 0.0]


def test_scores_that_nearly_tie_are_two_points() -> None:
    assert ap([0.5, np.nextafter(0.5, 1)], [True, False], 1) == pytest.approx(0.25)
    assert ap([0.5, 0.5], [True, False], 1) == pytest.approx(0.75)


def test_no_counted_prediction_gives_zero() -> None:
    assert ap([], [], 3) == 0.0


def test_perfect_predictions_give_one() -> None:
    assert ap([0.3, 0.1, 0.2], [True] * 3, 3) == pytest.approx(1.0)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=30), st.randoms())
def test_order_of_predictions_leaves_no_trace(points: list[tuple[int, bool]], random: Random) -> None:
    shuffled = list(points)
    random.shuffle(shuffled)
    one, other = (ap([s / 10 for s, _ in p], [h for _, h in p], 40) for p in (points, shuffled))
    assert one == other
    assert 0 <= one <= 1
