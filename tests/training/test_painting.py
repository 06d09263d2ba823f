"""Painting from runs against pycocotools' dense masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_adapters import rle
from robsub.training.painting import paint


@given(
    height=st.integers(1, 40), width=st.integers(1, 40), count=st.integers(0, 5), share=st.floats(0, 1),
    seed=st.integers(0, 999),
)  # fmt: skip
def test_the_last_mask_is_on_top_as_with_dense_masks(
    height: int, width: int, count: int, share: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    dense = [random.random((height, width)) < share for _ in range(count)]
    expected = np.zeros((height, width), dtype=np.int16)
    for number, mask in enumerate(dense, start=1):
        expected[mask] = number
    painted = paint([rle.encode(mask) for mask in dense], range(1, count + 1), (height, width))
    assert painted.dtype == np.int16
    assert np.array_equal(painted, expected)


def test_long_runs_and_masks_without_or_full_of_pixels() -> None:
    size = (1024, 2048)
    full, empty, some = np.ones(size, bool), np.zeros(size, bool), np.zeros(size, bool)
    some[100:900, 3:2000] = True
    painted = paint([rle.encode(m) for m in (full, empty, some)], [-1, 2, 3], size)
    assert np.array_equal(painted, np.where(some, 3, -1))


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="runs of 16 pixels for a mask of 5 x 4"):
        paint([rle.encode(np.ones((4, 4), bool))], [1], (5, 4))
