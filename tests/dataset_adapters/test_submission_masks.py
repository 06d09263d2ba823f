"""Mask files: what is written reads back by Pillow, what is read equals pycocotools."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools import mask as coco

from dataset_adapters import rle
from dataset_adapters.png import SIGNATURE, read_header
from dataset_adapters.rle import Rle
from dataset_adapters.submission.gray_png import decode_gray
from dataset_adapters.submission.mask_checks import inspect_mask
from dataset_adapters.submission.mask_png import write_mask
from dataset_adapters.submission.mask_reader import MaskError, read_mask

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
    _, pixels = read_mask(png(mask * np.uint8(7)), mask.shape)
    assert pixels.rle() == coco.encode(np.asfortranarray(mask, np.uint8))


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


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    """(name, data) of each chunk."""
    chunks, place = [], len(SIGNATURE)
    while place < len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        chunks.append((name, data[place + 8 : place + 8 + size]))
        place += 12 + size
    return chunks


def png_of(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG with right checksums, whatever is in its chunks."""
    framed = (struct.pack(">I", len(d)) + name + d + struct.pack(">I", zlib.crc32(name + d)) for name, d in chunks)
    return SIGNATURE + b"".join(framed)


@settings(max_examples=400, deadline=None)
@given(st.data(), st.sampled_from(["L", "I;16", "RGB", "P", "1"]), st.booleans())
def test_damage_behind_right_checksums_is_told_and_never_a_traceback(
    data: st.DataObject, mode: str, unpacked: bool
) -> None:
    chunks = chunks_of(png(np.eye(24, dtype=np.uint8) * 255, mode))
    number = data.draw(st.integers(0, len(chunks) - 1))
    name, content = chunks[number]
    deflated = name == b"IDAT" and unpacked  # the filters and pixels are damaged, not the stream around them
    damaged = bytearray(zlib.decompress(content) if deflated else content)
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4)):
        if damaged:
            damaged[place % len(damaged)] = value
    chunks[number] = name, zlib.compress(damaged) if deflated else bytes(damaged)
    for size in (None, (24, 24)):
        inspection, pixels = inspect_mask(png_of(chunks), size)
        assert pixels is None or size is None or pixels.size == size
        assert pixels is not None or inspection.findings


def test_a_giant_is_refused_by_its_header() -> None:
    giant = resized(png(np.zeros((8, 8), np.uint8)), 30_000, 30_000)
    for size in (None, (1024, 2048), (30_000, 30_000)):
        with pytest.raises(MaskError, match="30000 x 30000"):
            read_mask(giant, size)


@settings(max_examples=300, deadline=None)
@given(MASKS, st.booleans())
def test_own_masks_are_read_as_pillow_reads_them(mask: np.ndarray, one_bit: bool) -> None:
    encoded = rle.encode(mask)
    data = write_mask(encoded, one_bit=one_bit)
    assert np.array_equal(np.asarray(pillow(data).convert("L")), mask * np.uint8(255))
    assert decode_gray(data, *mask.shape, 1 if one_bit else 8) is not None
    header, pixels = read_mask(data, mask.shape)
    assert header.depth == (1 if one_bit else 8)
    assert pixels.rle() == encoded
    assert pixels.histogram().tolist() == pillow(data).convert("L").histogram()


def filtered_png(pixels: np.ndarray, filters: list[int]) -> bytes:
    """A gray PNG whose rows have these filters, written by the formulas of the specification, pixel by pixel."""
    padded = np.zeros((pixels.shape[0] + 1, pixels.shape[1] + 1), np.int64)
    padded[1:, 1:] = pixels
    rows = []
    for y, kind in enumerate(filters, start=1):
        row = [kind]
        for x in range(1, padded.shape[1]):
            a, b, c = padded[y, x - 1], padded[y - 1, x], padded[y - 1, x - 1]
            nearest = min((a, b, c), key=lambda value: abs(int(a + b - c) - int(value)))
            row.append(int(padded[y, x] - (0, a, b, (a + b) // 2, nearest)[kind]) % 256)
        rows.append(bytes(row))
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 0, 0, 0, 0)
    return png_of([(b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_every_filter_is_undone_as_pillow_does(data: st.DataObject) -> None:
    values = st.sampled_from((0, 0, 0, 1, 127, 255))
    pixels = data.draw(arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=values))
    filters = data.draw(st.lists(st.integers(0, 4), min_size=len(pixels), max_size=len(pixels)))
    file = filtered_png(pixels, filters)
    assert np.array_equal(np.asarray(pillow(file)), pixels)
    crop = decode_gray(file, *pixels.shape, 8)
    assert crop is not None
    top, left, values_ = crop
    found = np.zeros_like(pixels)
    found[top : top + values_.shape[0], left : left + values_.shape[1]] = values_
    assert np.array_equal(found, pixels)


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("box", [(0, 300, 0, 500), (250, 300, 480, 500), (0, 3, 0, 500), (100, 140, 37, 99)])
def test_objects_at_the_borders_under_each_filter(kind: int, box: tuple[int, int, int, int]) -> None:
    pixels = np.zeros((300, 500), np.uint8)
    pixels[box[0] : box[1], box[2] : box[3]] = 255
    _, found = read_mask(filtered_png(pixels, [kind] * 300), (300, 500))
    assert found.rle() == rle.encode(pixels != 0)


@settings(max_examples=300, deadline=None)
@given(MASKS, st.integers(0, 10**6), st.integers(1, 255))
def test_a_damaged_mask_is_left_to_pillow(mask: np.ndarray, place: int, change: int) -> None:
    data = bytearray(png(mask * np.uint8(255)))
    data[8 + place % (len(data) - 8)] ^= change
    assert decode_gray(bytes(data), *mask.shape, 8) is None


def test_interlaced_and_other_depths_are_pillows() -> None:
    header = read_header(png(np.zeros((8, 8), np.uint8)))
    assert header is not None
    assert header.plain
    assert not replace(header, interlaced=True).plain
    assert not replace(header, depth=16).plain
    assert not replace(header, colour=3).plain


def test_large_own_masks_with_much_in_them() -> None:
    mask = np.random.default_rng(0).random((1024, 2048)) < 0.3
    mask[:200] = mask[700:] = False
    for one_bit in (False, True):
        assert read_mask(write_mask(rle.encode(mask), one_bit=one_bit), mask.shape)[1].rle() == rle.encode(mask)


@pytest.mark.parametrize("place", [16, 20])
def test_a_mask_0_pixels_wide_or_high_is_broken(place: int) -> None:
    data = png(np.zeros((8, 8), np.uint8))
    with pytest.raises(MaskError, match="without a sound header"):
        read_mask(data[:place] + bytes(4) + data[place + 4 :], None)
