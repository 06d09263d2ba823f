"""The order of samples: once per epoch, the same for any start and any number of processes."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_adapters.problems import InputError
from robsub.recipe import TrainConfig
from robsub.training.draws import Draws, PositionSampler, _epoch, _turns, data_set_shares, step_shorter_side

SIZE = TrainConfig()


def draws_of(sizes: tuple[int, ...], flip: float = 0.5, seed: int = 0, config: TrainConfig = SIZE) -> Draws:
    return Draws(sizes, data_set_shares(config, sizes), flip, seed)


def test_every_sample_once_per_epoch_in_another_order() -> None:
    draws = draws_of((5, 3, 4), seed=1)
    epochs = [[draws.at(12 * epoch + i)[0] for i in range(12)] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


@pytest.mark.parametrize(
    ("config", "shares"),
    [
        (TrainConfig(sampling="size"), (0.64, 0.32, 0.04)),
        (TrainConfig(sampling="equal"), (1 / 3, 1 / 3, 1 / 3)),
        (TrainConfig(sampling="temperature", temperature=2.0), (8 / 15.657, 5.657 / 15.657, 2 / 15.657)),
        (TrainConfig(sampling="temperature", temperature=float("inf")), (1 / 3, 1 / 3, 1 / 3)),
        (TrainConfig(sampling="weights", weights=(1.0, 0.0, 3.0)), (0.25, 0.0, 0.75)),
    ],
)
def test_data_sets_get_their_shares_and_their_samples_take_turns(
    config: TrainConfig, shares: tuple[float, ...]
) -> None:
    sizes = (64, 32, 4)
    draws = draws_of(sizes, config=config)
    assert draws.shares == pytest.approx(shares, abs=1e-4)
    epochs = 7
    drawn = Counter(draws.at(i)[0] for i in range(epochs * 100))
    first = 0
    for size, share in zip(sizes, shares, strict=True):
        turns = [drawn[i] for i in range(first, first + size)]
        assert abs(sum(turns) - epochs * 100 * share) <= 1
        assert max(turns) - min(turns) <= 1
        first += size


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    rarity=st.lists(st.floats(0, 4), min_size=5, max_size=5),
)
def test_no_draw_is_lost_however_unequal_the_weights(sizes: list[int], rarity: list[float]) -> None:
    weights = tuple(10**-x for x in rarity[: len(sizes)])
    draws = draws_of(tuple(sizes), config=TrainConfig(sampling="weights", weights=weights))
    length, epochs = draws.epoch_length, 8
    drawn = [0] * length
    for epoch in range(epochs):
        samples, _ = _epoch(draws, epoch)
        assert len(samples) == length
        for sample in samples:
            drawn[sample] += 1
    first = 0
    for size, share in zip(sizes, draws.shares, strict=True):
        turns = drawn[first : first + size]
        assert max(turns) - min(turns) <= 1
        assert abs(sum(turns) - share * length * epochs) <= 1 + len(sizes) / 2
        first += size


def test_many_epochs_of_many_images_are_counted_at_once() -> None:
    sizes = (3475, 200, 70, 24_902, 27_574)
    draws = draws_of(sizes, config=TrainConfig(sampling="weights", weights=(1, 1, 1, 1, 1e-5)))
    counts = [_turns(draws, epoch) for epoch in range(1000)]
    assert [sum(count) for count in counts] == [epoch * sum(sizes) for epoch in range(1000)]
    assert all(a <= b for one, other in itertools.pairwise(counts) for a, b in zip(one, other, strict=True))
    assert _turns(draws_of(sizes), 999) == [size * 999 for size in sizes]


def test_a_data_set_that_is_not_here_is_never_drawn() -> None:
    for config in (TrainConfig(), TrainConfig(sampling="equal"), TrainConfig(sampling="temperature")):
        draws = draws_of((5, 0, 3), config=config)
        assert draws.shares[1] == 0
        assert {draws.at(i)[0] for i in range(80)} == set(range(8))


def test_weights_for_none_of_the_data_sets_that_are_here_are_refused() -> None:
    with pytest.raises(InputError, match="0 for every data set that is here"):
        data_set_shares(TrainConfig(sampling="weights", weights=(0, 1)), (5, 0))


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    step=st.integers(1, 9),
    upright=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_steps_hold_one_group_but_for_what_is_left_over(sizes: list[int], step: int, upright: float, seed: int) -> None:
    count = sum(sizes)
    groups = tuple(int(x) for x in np.random.default_rng(seed).random(count) < upright)
    plain = draws_of(tuple(sizes), seed=seed)
    draws = Draws(plain.sizes, plain.shares, 0.5, seed, groups, step)
    epochs = 3
    order = [draws.at(i)[0] for i in range(epochs * count)]
    for epoch in range(epochs):
        assert sorted(order[epoch * count : (epoch + 1) * count]) == list(range(count))
    steps = [order[i : i + step] for i in range(0, len(order) - step + 1, step)]
    mixed = sum(len({groups[sample] for sample in one}) > 1 for one in steps)
    assert mixed <= 3 * epochs  # the step across an epoch's end, and what is left over of two groups


def test_a_substitute_is_of_the_same_data_set_and_belongs_to_the_position() -> None:
    draws = draws_of((5, 0, 3))
    for position in range(16):
        own = draws.at(position)[0] < 5
        substitutes = [draws.substitute(position, attempt) for attempt in range(20)]
        assert all((s < 5) == own for s in substitutes)
        assert len(set(substitutes)) > 1
        assert substitutes == [draws_of((5, 0, 3)).substitute(position, attempt) for attempt in range(20)]


def test_flips_have_their_share_and_belong_to_the_position() -> None:
    draws = draws_of((1000,), 0.3)
    flips = [draws.at(i)[1] for i in range(1000)]
    assert 240 < sum(flips) < 360
    assert flips == [draws_of((1000,), 0.3).at(i)[1] for i in range(1000)]
    assert not any(draws_of((1000,), 0.0).at(i)[1] for i in range(1000))


def test_processes_and_starts_share_the_same_positions() -> None:
    whole = list(PositionSampler(range(6), 4))
    assert [position for batch in whole for position in batch] == list(range(24))
    assert list(PositionSampler(range(4, 6), 4)) == whole[4:]
    halves = [list(PositionSampler(range(6), 4, rank, 2)) for rank in range(2)]
    assert [sorted(a + b) for a, b in zip(*halves, strict=True)] == whole


def test_every_process_draws_the_same_shorter_side() -> None:
    config = TrainConfig(shorter_sides=(640, 800))
    sides = [step_shorter_side(config, i) for i in range(100)]
    assert set(sides) == {640, 800}
    assert 20 < sides.count(640) < 80
    assert sides == [step_shorter_side(config, i) for i in range(100)]
    assert step_shorter_side(TrainConfig(), 0) is None
