"""Mask files: what is written reads back by Pillow, what is read equals pycocotools."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools import mask as coco

from dataset_adapters import rle
from dataset_adapters.rle import Rle
from dataset_adapters.submission.mask_png import MaskError, read_mask, to_rle, write_mask

from .submissions import png, resized

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 80), st.integers(1, 40)))


def pillow(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@settings(max_examples=300, deadline=None)
@given(MASKS)
def test_pillow_reads_what_is_written(mask: np.ndarray) -> None:
    image = pillow(write_mask(rle.encode(mask)))
    assert image.mode == "L"
    assert np.array_equal(np.asarray(image), mask * np.uint8(255))


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 0), (0, 300, 0, 500), (250, 300, 0, 500), (0, 300, 0, 1), (100, 140, 37, 99)]
)
def test_blank_rows_and_whole_columns(box: tuple[int, int, int, int]) -> None:
    mask = np.zeros((300, 500), np.bool_)
    mask[box[0] : box[1], box[2] : box[3]] = True
    assert np.array_equal(np.asarray(pillow(write_mask(rle.encode(mask)))), mask * np.uint8(255))


def test_runs_of_length_zero_are_merged() -> None:
    mask = rle.from_runs([2, 3, 0, 4, 11], (4, 5))
    assert np.array_equal(np.asarray(pillow(write_mask(mask))) != 0, rle.decode(mask))


@pytest.mark.parametrize("counts", [b"", b"z", b"\xff", b"11", b"0P", b"oooooooooooooooooooooo0"])
def test_runs_that_are_none_are_refused(counts: bytes) -> None:
    with pytest.raises(ValueError):
        write_mask(Rle(size=[4, 5], counts=counts))


@settings(max_examples=200, deadline=None)
@given(MASKS)
def test_reading_equals_pycocotools(mask: np.ndarray) -> None:
    _, gray = read_mask(png(mask * np.uint8(7)), mask.shape)
    assert to_rle(gray) == coco.encode(np.asfortranarray(mask, np.uint8))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 60))
def test_damaged_files_are_told_and_never_a_traceback(damage: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(png(np.eye(24, dtype=np.uint8) * 255, "P"))
    for place, value in damage:
        data[place % len(data)] = value
    try:
        read_mask(bytes(data[: len(data) - cut]), None)
    except MaskError as error:
        assert error.finding.code in {"mask-broken", "mask-format", "mask-huge"}


def test_a_giant_is_refused_by_its_header() -> None:
    giant = resized(png(np.zeros((8, 8), np.uint8)), 30_000, 30_000)
    for size in (None, (1024, 2048), (30_000, 30_000)):
        with pytest.raises(MaskError, match="30000 x 30000"):
            read_mask(giant, size)
