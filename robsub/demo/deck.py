"""Seeded chance: a generator for every frame, and classes dealt like cards so that none is rare by bad luck."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robsub.demo.rooms import COMMON_PIECES

TRAFFIC_CARDS = (
    "person", "person", "car", "car", "truck", "truck", "bus", "bus", "train", "train",
    "cyclist", "motorcyclist", "bicycle", "motorcycle",
)  # fmt: skip
"""Each of the eight road classes twice: a cyclist is a rider and a bicycle."""
INDOOR_CARDS = COMMON_PIECES


def generator(seed: int, *key: str | int) -> np.random.Generator:
    """The generator of a named thing: the same in every process, independent of all others."""
    return np.random.default_rng([seed, *(zlib.crc32(k.encode()) if isinstance(k, str) else k for k in key)])


@dataclass(frozen=True, slots=True)
class Deck:
    """Deals cards to frames; the pack is shuffled anew whenever it is used up.

    Attributes:
        cards: one pack.
        seed: the world's seed.
        name: tells decks apart.
        largest_hand: most cards that a frame is ever dealt.
    """

    cards: Sequence[str]
    seed: int
    name: str
    largest_hand: int = 1

    def deal(self, frame: int, count: int = 1) -> list[str]:
        """The hand of ``count`` cards of a frame, without knowing those of the others."""
        first = frame * self.largest_hand
        return [self._card(first + i) for i in range(count)]

    def _card(self, position: int) -> str:
        pack, place = divmod(position, len(self.cards))
        order = generator(self.seed, self.name, pack).permutation(len(self.cards))
        return self.cards[int(order[place])]
