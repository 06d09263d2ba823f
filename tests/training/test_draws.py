"""The order of samples: once per epoch, the same for any start and any number of processes."""

from __future__ import annotations

from collections import Counter

from robsub.training.draws import Draws, PositionSampler


def test_every_sample_once_per_epoch_in_another_order() -> None:
    draws = Draws((5, 3, 4), "size", 0.5, seed=1)
    epochs = [[draws.at(12 * epoch + i)[0] for i in range(12)] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_equal_sampling_draws_every_data_set_equally_often() -> None:
    draws = Draws((50, 3, 10), "equal", 0.5, seed=1)
    drawn = Counter(draws.at(i)[0] for i in range(draws.epoch_length))
    assert sum(drawn[i] for i in range(50)) == sum(drawn[i] for i in range(50, 53)) == 50
    assert {drawn[i] for i in range(53, 63)} == {5}
    assert len(drawn) == 63


def test_flips_have_their_share_and_belong_to_the_position() -> None:
    draws = Draws((1000,), "size", 0.3, seed=0)
    flips = [draws.at(i)[1] for i in range(1000)]
    assert 240 < sum(flips) < 360
    assert flips == [Draws((1000,), "size", 0.3, seed=0).at(i)[1] for i in range(1000)]
    assert not any(Draws((1000,), "size", 0.0, seed=0).at(i)[1] for i in range(1000))


def test_processes_and_starts_share_the_same_positions() -> None:
    whole = list(PositionSampler(range(6), 4))
    assert [position for batch in whole for position in batch] == list(range(24))
    assert list(PositionSampler(range(4, 6), 4)) == whole[4:]
    halves = [list(PositionSampler(range(6), 4, rank, 2)) for rank in range(2)]
    assert [sorted(a + b) for a, b in zip(*halves, strict=True)] == whole
