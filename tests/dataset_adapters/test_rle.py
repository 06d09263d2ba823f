"""Run-length masks against pycocotools and dense NumPy."""

from __future__ import annotations

import numpy as np
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
def test_overlaps_are_exact_counts(a: np.ndarray, b: np.ndarray) -> None:
    b = np.resize(b, a.shape)
    masks = (a == 1, a > 1, a >= 0, a < 0)
    pixels, shared = rle.overlaps([rle.encode(mask) for mask in masks], [rle.encode(b == v) for v in range(3)])
    assert pixels.tolist() == [np.count_nonzero(mask) for mask in masks]
    assert shared.tolist() == [[np.count_nonzero(mask & (b == v)) for v in range(3)] for mask in masks]


def test_box_area_union_and_empty() -> None:
    mask = np.zeros((5, 7), dtype=bool)
    mask[1:3, 2:6] = True
    assert rle.box(rle.encode(mask)) == (2, 1, 6, 3)
    assert rle.area(rle.encode(mask)) == 8
    assert rle.area(rle.union([rle.encode(mask), rle.encode(~mask)], (5, 7))) == 35
    assert not rle.decode(rle.union([], (5, 7))).any()


def test_no_masks_and_no_regions_overlap_nothing() -> None:
    some = [rle.encode(np.ones((2, 3), dtype=bool))]
    for masks, regions in (([], some), (some, []), ([], [])):
        pixels, shared = rle.overlaps(masks, regions)
        assert pixels.tolist() == [6] * len(masks)
        assert shared.shape == (len(masks), len(regions))
