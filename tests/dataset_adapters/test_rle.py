"""Run-length masks against pycocotools and dense NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dataset_adapters import rle

ID_MAPS = arrays(np.uint16, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 4))


@settings(max_examples=200, deadline=None)
@given(ID_MAPS)
def test_every_value_of_an_id_map_becomes_the_mask_that_pycocotools_encodes(ids: np.ndarray) -> None:
    masks = rle.from_id_map(ids)
    assert sorted(masks) == np.unique(ids).tolist()
    for value, mask in masks.items():
        assert mask == rle.encode(ids == value)


@settings(max_examples=50, deadline=None)
@given(ID_MAPS, ID_MAPS)
def test_intersections_are_exact_counts(a: np.ndarray, b: np.ndarray) -> None:
    b = np.resize(b, a.shape)
    found = rle.intersections([rle.encode(a == 1), rle.encode(a > 1)], [rle.encode(b == v) for v in range(3)])
    expected = [[np.count_nonzero(m & (b == v)) for v in range(3)] for m in (a == 1, a > 1)]
    assert found.tolist() == expected


def test_box_area_union_and_empty() -> None:
    mask = np.zeros((5, 7), dtype=bool)
    mask[1:3, 2:6] = True
    assert rle.box(rle.encode(mask)) == (2, 1, 6, 3)
    assert rle.area(rle.encode(mask)) == 8
    assert rle.area(rle.union([rle.encode(mask), rle.encode(~mask)], (5, 7))) == 35
    assert not rle.decode(rle.union([], (5, 7))).any()


@pytest.mark.parametrize("shape", [(0, 0), (0, 3)])
def test_no_regions_intersect_nothing(shape: tuple[int, int]) -> None:
    assert rle.intersections([], []).shape == (0, 0)
