"""Runs out of compressed RLE, against pycocotools and against a plain reading of its coding."""

from __future__ import annotations

import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from dataset_adapters.run_lengths import broken_masks, run_lengths

SHORT_RUN = st.integers(0, 500)
RUNS = st.builds(
    lambda first, others: [first, *others],
    SHORT_RUN, st.lists(st.one_of(st.integers(0, 70_000), st.integers(0, 2**27)), max_size=30),
)  # fmt: skip
"""The first is short, for pycocotools' ``rleToString`` takes six bytes a run and then writes one more."""


def compressed(runs: list[int]) -> bytes:
    text = coco.frPyObjects({"size": [1, sum(runs)], "counts": runs}, 1, sum(runs))["counts"]
    assert isinstance(text, bytes)
    return text


def plainly(text: bytes) -> list[int]:
    """``rleFrString``, character by character."""
    runs: list[int] = []
    place = 0
    while place < len(text):
        number, bits, more = 0, 0, True
        while more:
            code = text[place] - 48
            number |= (code & 31) << bits
            more, place, bits = bool(code & 32), place + 1, bits + 5
            if not more and code & 16:
                number -= 1 << bits
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
    return runs


@settings(max_examples=500, deadline=None)
@given(st.lists(RUNS, max_size=8))
def test_runs_of_many_masks_at_once_are_those_of_each(masks: list[list[int]]) -> None:
    runs, begins = run_lengths([compressed(mask) for mask in masks])
    assert [own.tolist() for own in np.split(runs, begins[1:])][: len(masks)] == masks
    assert [plainly(compressed(mask)) for mask in masks] == masks


@given(st.lists(st.integers(0, 2**24 - 1), min_size=1, max_size=6), st.integers(1, 24), st.binary(max_size=6))
def test_runs_are_judged_as_pycocotools_decodes_them(pictures: list[int], width: int, noise: bytes) -> None:
    masks = [
        coco.encode(np.asfortranarray([[p >> i & 1 for i in range(width)]] * 3, dtype=np.uint8))["counts"]
        for p in pictures
    ]
    assert broken_masks(masks, 3 * width) == []
    assert broken_masks(masks, 3 * width + 1) == list(range(len(masks)))
    cut = [masks[0][:-1], *masks]
    assert broken_masks(cut, 3 * width) == [0]
    assert set(broken_masks([noise, *masks], 3 * width)) <= {0}


@settings(max_examples=500, deadline=None)
@given(st.lists(st.lists(st.integers(48, 111), min_size=1, max_size=20).map(bytes), min_size=1, max_size=5))
def test_any_characters_are_judged_as_a_plain_reading_does(texts: list[bytes]) -> None:
    for pixels in (0, 6, 100):
        plain = [i for i, text in enumerate(texts) if not _fills(text, pixels)]
        assert broken_masks(texts, pixels) == plain


def _fills(text: bytes, pixels: int) -> bool:
    if (text[-1] - 48) & 32:
        return False
    runs = plainly(text)
    return sum(runs) == pixels and min(runs) >= 0


def test_a_number_longer_than_any_image_is_broken_whatever_it_overflows_to() -> None:
    start = time.monotonic()
    assert broken_masks([b"o" * 13 + b"0", b"P" * 40 + b"0", b"o" * 100_000 + b"0"], 6) == [0, 1, 2]
    assert broken_masks([b"6" + b"o" * 13 + b"0", b"6"], 6) == [0]  # though what is before it fills the mask
    assert time.monotonic() - start < 5
