"""Checking compressed run lengths from outside: pycocotools believes them, and hangs on runs that do not add up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FIRST, MORE, MINUS = 48, 32, 16
"""The character of code 0; the bits that say that the run goes on, and that it is negative."""
CODES = bytes(range(FIRST, FIRST + 64))


def broken_masks(counts: Sequence[bytes], pixels: int) -> list[int]:
    """Indices of those compressed masks whose runs are not whole, are negative, or do not add up to ``pixels``.

    Source of the coding: ``rleFrString`` in pycocotools ``maskApi.c``. Every character holds 5 bits, the lowest first,
    and whether more follow; from the fourth run on a run is the difference to the one before the last.
    """
    whole = [i for i, text in enumerate(counts) if _is_whole(text)]
    broken = set(range(len(counts))) - set(whole)
    if whole:
        totals, least = _sums([counts[i] for i in whole])
        broken |= {whole[i] for i in np.flatnonzero((totals != pixels) | (least < 0))}
    return sorted(broken)


def _is_whole(text: bytes) -> bool:
    """Whether the text has nothing but codes and its last run ends."""
    return bool(text) and not text.translate(None, CODES) and not (text[-1] - FIRST) & MORE


def _sums(counts: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sum and least of the runs of each mask."""
    codes = np.frombuffer(b"".join(counts), dtype=np.uint8).astype(np.int64) - FIRST
    ends = np.cumsum([len(text) for text in counts])
    last = np.flatnonzero(codes & MORE == 0)
    first = np.concatenate(([0], last[:-1] + 1))
    place = np.arange(codes.size) - np.repeat(first, last - first + 1)
    steps = np.add.reduceat((codes & 31) << np.minimum(5 * place, 55), first)
    steps -= np.where(codes[last] & MINUS > 0, np.int64(1) << np.minimum(5 * (last - first + 1), 60), 0)
    mask_first = np.searchsorted(last, np.concatenate(([0], ends[:-1])))  # the first run of each mask
    sizes = np.diff(np.append(mask_first, steps.size))
    position = np.arange(steps.size) - np.repeat(mask_first, sizes)
    runs = np.where(position == 0, steps, 0)
    for parity in (0, 1):
        chain = (position % 2 == parity) & (position > 0)
        added = np.cumsum(np.where(chain, steps, 0))
        before = added[mask_first] - np.where(chain, steps, 0)[mask_first]
        runs = np.where(chain, added - np.repeat(before, sizes), runs)
    return np.add.reduceat(runs, mask_first), np.minimum.reduceat(runs, mask_first)
