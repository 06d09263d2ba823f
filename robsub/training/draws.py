"""Which sample is drawn when: a pure function of the seed and the position, so a resumed run goes on exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Draws:
    """An endless order over several data sets.

    Attributes:
        sizes: number of samples of each data set; samples are numbered through all of them.
        sampling: ``size`` visits every sample once per epoch; ``equal`` draws every data set equally often, the small
            ones several times per epoch.
        flip: probability of a horizontal flip.
        seed: the run's seed.
    """

    sizes: tuple[int, ...]
    sampling: Literal["size", "equal"]
    flip: float
    seed: int

    @property
    def epoch_length(self) -> int:
        """Draws until every sample has had its turn."""
        return sum(self.sizes) if self.sampling == "size" else max(self.sizes) * len(self.sizes)

    def at(self, position: int) -> tuple[int, bool]:
        """(number of the sample, whether it is flipped) of the position-th draw of the run."""
        epoch, index = divmod(position, self.epoch_length)
        order, flips = _shuffle(self, epoch)
        return int(order[index]), bool(flips[index])


@lru_cache(maxsize=4)
def _shuffle(draws: Draws, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    random = np.random.default_rng((draws.seed, epoch))
    samples = np.arange(sum(draws.sizes))
    if draws.sampling == "equal":
        ends = np.cumsum(draws.sizes)
        each = [random.permutation(samples[end - n : end]) for end, n in zip(ends, draws.sizes, strict=True)]
        samples = np.concatenate([np.resize(part, max(draws.sizes)) for part in each])
    return random.permutation(samples), random.random(len(samples)) < draws.flip


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
