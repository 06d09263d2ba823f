"""Which sample is drawn when: a pure function of the seed and the position, so a resumed run goes on exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.problems import InputError
from robsub.recipe import TrainConfig

Indices = NDArray[np.int64]
ORDER, PASS, SUBSTITUTE, SIDE = range(4)
"""What a generator is for, the last part of its seed; ORDER's is left out."""


def data_set_shares(config: TrainConfig, sizes: Sequence[int]) -> tuple[float, ...]:
    """How often each data set is drawn.

    Args:
        config: names the kind of sampling.
        sizes: images of each data set, in the order of ``config.datasets``.

    Returns:
        Each data set's share of the draws, adding up to 1; one without an image gets none.

    Raises:
        InputError: no data set with a weight has an image.
    """
    counts = np.asarray(sizes, dtype=np.float64)
    raw = {
        "size": counts,
        "equal": (counts > 0).astype(np.float64),
        "temperature": np.where(counts > 0, counts, 1) ** (1 / config.temperature) * (counts > 0),
        "weights": np.asarray(config.weights or counts) * (counts > 0),
    }[config.sampling]
    if not raw.any():
        raise InputError(
            "train.weights", found="0 for every data set that is here", expected="a weight above 0 for one of them",
            fix="Set it with -o train.weights=...",
        )  # fmt: skip
    return tuple(float(share) for share in raw / raw.sum())


@dataclass(frozen=True)
class Draws:
    """An endless order over several data sets, in epochs of as many draws as there are samples.

    Attributes:
        sizes: number of samples of each data set; samples are numbered through all of them.
        shares: share of each data set in every epoch. Its samples take turns: none is drawn for the n-th time before
            every other was drawn n - 1 times. With shares proportional to the sizes each comes once per epoch.
        flip: probability of a horizontal flip.
        seed: the run's seed.
        groups: a small number for every sample; steps hold samples of one group, but for the few left over. Empty for
            no groups.
        step: samples of a step.
    """

    sizes: tuple[int, ...]
    shares: tuple[float, ...]
    flip: float
    seed: int
    groups: tuple[int, ...] = ()
    step: int = 1

    @property
    def epoch_length(self) -> int:
        """Draws of an epoch."""
        return sum(self.sizes)

    def at(self, position: int) -> tuple[int, bool]:
        """(number of the sample, whether it is flipped) of the position-th draw of the run."""
        epoch, index = divmod(position, self.epoch_length)
        order, flips = _epoch(self, epoch)
        return int(order[index]), bool(flips[index])

    def substitute(self, position: int, attempt: int) -> int:
        """Number of another sample of the same data set, for the attempt-th time that what was drawn is broken."""
        ends = np.cumsum(self.sizes)
        own = int(np.searchsorted(ends, self.at(position)[0], side="right"))
        random = np.random.default_rng((self.seed, position, attempt, SUBSTITUTE))
        return int(random.integers(ends[own] - self.sizes[own], ends[own]))


@lru_cache(maxsize=4)
def _epoch(draws: Draws, epoch: int) -> tuple[Indices, NDArray[np.bool_]]:
    """Samples and flips of one epoch."""
    random = np.random.default_rng((draws.seed, epoch))
    order = random.permutation(_members(draws, epoch))
    flips = random.random(len(order)) < draws.flip
    if draws.groups:
        order = _grouped(order, np.asarray(draws.groups)[order], draws.step, -epoch * len(order) % draws.step, random)
    return order, flips


def _members(draws: Draws, epoch: int) -> Indices:
    """The samples that an epoch draws, each as often as it comes in it, in ascending order."""
    firsts = np.cumsum((0, *draws.sizes))
    before, after = (_turns(draws, n) for n in (epoch, epoch + 1))
    parts = [
        firsts[d] + np.array([_turn(draws, d, k) for k in range(before[d], after[d])], dtype=np.int64)
        for d in range(len(draws.sizes))
    ]
    return np.sort(np.concatenate(parts))


def _turns(draws: Draws, epochs: int) -> list[int]:
    """How often each data set has been drawn after some epochs.

    The j-th draw of a data set, from 0 on, has its place at (j + 1/2) / share, and the draws are taken in the order of
    their places, so that no count falls from one epoch to the next. All but the last few are counted at once.
    """
    shares, count = np.asarray(draws.shares), draws.epoch_length * epochs
    distance = np.divide(1, shares, out=np.full(len(shares), np.inf), where=shares > 0)
    turns = np.floor(shares * max(0, count - len(shares))).astype(np.int64)
    for _ in range(count - int(turns.sum())):
        turns[np.argmin((turns + 0.5) * distance)] += 1
    return [int(n) for n in turns]


def _turn(draws: Draws, data_set: int, turn: int) -> int:
    """Which of a data set's samples has its turn at the turn-th draw of it."""
    number, place = divmod(turn, draws.sizes[data_set])
    return int(_pass(draws.seed, data_set, number, draws.sizes[data_set])[place])


@lru_cache(maxsize=16)
def _pass(seed: int, data_set: int, number: int, size: int) -> Indices:
    """The order in which one data set's samples take their turns for the number-th time."""
    return np.random.default_rng((seed, data_set, number, PASS)).permutation(size)


def _grouped(order: Indices, groups: Indices, step: int, head: int, random: np.random.Generator) -> Indices:
    """Reorder an epoch so that its whole steps hold one group each.

    Args:
        order: the epoch's samples.
        groups: the group of each of them.
        step: samples of a step.
        head: samples at the epoch's beginning that belong to a step begun in the epoch before.
        random: decides the order of the steps.

    Returns:
        The same samples. What is left over of the groups fills the head, the tail, and as few mixed steps as can be.
    """
    whole = max(0, (len(order) - head) // step)
    steps: list[Indices] = []
    rest: list[Indices] = []
    for group in np.unique(groups):
        members = order[groups == group]
        pure = len(members) // step * step
        steps += np.split(members[:pure], pure // step) if pure else []
        rest.append(members[pure:])
    steps = [steps[i] for i in random.permutation(len(steps))]
    left = random.permutation(np.concatenate([*rest, *steps[whole:]]))
    head = min(head, len(left))
    mixed = whole - len(steps[:whole])
    steps = [*steps[:whole], *left[head : head + mixed * step].reshape(mixed, step)]
    steps = [steps[i] for i in random.permutation(len(steps))]
    return np.concatenate([left[:head], *steps, left[head + mixed * step :]])


@dataclass(frozen=True)
class PositionSampler:
    """Batches of draw positions for one process; a DataLoader's ``batch_sampler``.

    Iteration i takes ``batch_size`` positions from ``i * batch_size`` on, of which rank r of w takes every w-th.
    """

    iterations: range
    batch_size: int
    rank: int = 0
    world_size: int = 1

    def __iter__(self) -> Iterator[list[int]]:
        for iteration in self.iterations:
            first = iteration * self.batch_size
            yield list(range(first + self.rank, first + self.batch_size, self.world_size))

    def __len__(self) -> int:
        return len(self.iterations)


def step_shorter_side(config: TrainConfig, iteration: int) -> int | None:
    """The shorter side that a step's images get, in every process; None for the model's own."""
    if not config.shorter_sides:
        return None
    return int(np.random.default_rng((config.seed, iteration, SIDE)).choice(config.shorter_sides))
