"""Run lengths out of COCO's compressed RLE, many masks at once, and the check that pycocotools does not make.

Every character holds 5 bits of a number, the lowest first, and whether more follow; from the fourth run of a mask on
the number is the difference to the run before the last (``rleFrString`` in pycocotools ``maskApi.c``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FIRST, MORE, MINUS, BITS = 48, 32, 16, 5
"""The character of code 0; the bit that says that the number goes on, and that of its sign; bits a character holds."""
HIGHEST = 63
"""The last code."""
CODES = bytes(range(FIRST, FIRST + HIGHEST + 1))
SHORT = 3
"""Characters of numbers that fit in 16 bits, as nearly all do."""
LONGEST = 7
"""Characters of the largest number that can belong to an image; a longer one is read as NONSENSE."""
NONSENSE = -(1 << 40)


def run_lengths(counts: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The runs of M masks in column-major order, background first.

    Args:
        counts: compressed runs, each with at least one character, and all of them whole (``broken_masks``).

    Returns:
        (R,) the runs of all masks, and (M,) where the runs of each begin.
    """
    if not counts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    codes = _codes(counts)
    last = np.flatnonzero(codes < MORE)
    runs = _numbers(codes, last)
    begins = np.searchsorted(last, np.cumsum([0, *map(len, counts[:-1])]))
    _add_up(runs, begins)
    return runs, begins


def _codes(counts: Sequence[bytes]) -> NDArray[np.uint8]:
    """What the characters stand for, those below code 0 for very much."""
    return np.frombuffer(b"".join(counts), dtype=np.uint8) - np.uint8(FIRST)


def broken_masks(counts: Sequence[bytes], pixels: int) -> list[int]:
    """Indices of those compressed masks whose runs are not whole, are negative, or do not add up to ``pixels``:
    pycocotools believes them, and hangs."""
    whole = _whole(counts)
    broken = set(range(len(counts))).difference(whole)
    if whole:
        runs, begins = run_lengths([counts[i] for i in whole])
        wrong = (np.add.reduceat(runs, begins) != pixels) | (np.minimum.reduceat(runs, begins) < 0)
        broken |= {whole[i] for i in np.flatnonzero(wrong)}
    return sorted(broken)


def _whole(counts: Sequence[bytes]) -> list[int]:
    """Indices of the texts that have nothing but codes and whose last number ends."""
    ended = [i for i, text in enumerate(counts) if text and text[-1] < FIRST + MORE]
    if not (_codes(counts) > HIGHEST).any():  # as nearly always
        return ended
    return [i for i in ended if not counts[i].translate(None, CODES)]


def _numbers(codes: NDArray[np.uint8], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number that ends at each of the last characters.

    All characters are taken for a number's end at first: neighbours in memory are read faster than chosen places.
    """
    bits, more = codes & np.uint8(MORE - 1), codes // np.uint8(MORE)
    short = (bits ^ MINUS).astype(np.int16) - MINUS
    longer = more[:-1]  # 1 for each character from the second on whose number goes on before it
    for back in range(1, SHORT):
        short[back:] = short[back:] << BITS * longer | bits[:-back] * longer
        longer = longer[1:] & more[: -back - 1]
    ends = SHORT + np.flatnonzero(longer.view(np.bool_))
    return _lengthened(short.take(last).astype(np.int64), bits, more, last, ends[more[ends] == 0])


def _lengthened(
    numbers: NDArray[np.int64],
    bits: NDArray[np.uint8],
    more: NDArray[np.uint8],
    last: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Add what stands before the last three characters of those numbers that end at ``ends``."""
    rows = np.searchsorted(last, ends)
    for back in range(SHORT, LONGEST):
        numbers[rows] = numbers[rows] << BITS | bits[ends - back]
        longer = (more[ends - back - 1] == 1) & (ends > back)
        rows, ends = rows[longer], ends[longer]
    numbers[rows] = NONSENSE
    return numbers


def _add_up(numbers: NDArray[np.int64], begins: NDArray[np.int64]) -> None:
    """Turn differences into runs, in place: sums over every other number of a mask, without its first."""
    firsts = numbers[begins]
    numbers[begins] = 0
    for parity in (0, 1):
        chain = numbers[parity::2].copy()  # neighbours in memory are added up four times as fast
        first = (begins + 1 - parity) // 2  # of a mask in the chain
        first = first[np.diff(first, append=len(chain)) > 0]
        chain[first[1:]] -= np.add.reduceat(chain, first)[:-1]  # so that each mask's sum starts anew
        numbers[parity::2] = chain.cumsum()
    numbers[begins] = firsts
