"""Masks as PNG files, written straight from their runs.

PNG's filter *Up* stores each pixel as its difference from the one above. For a mask of 0 and 255 that is 255 where a
run of the RLE starts, 1 right below its end, and 0 elsewhere: the runs are the file, and no dense mask is made. Blank
rows above and below the object come compressed from a cache.
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.png import END, SIGNATURE, ZLIB_HEADER, chunk
from dataset_adapters.rle import Rle
from dataset_adapters.run_lengths import broken_masks, run_lengths

BLANK_ROWS = 32
"""Blank rows are compressed and cached in multiples of this many."""
FILTER_UP = 2


def write_mask(mask: Rle, *, one_bit: bool = False) -> bytes:
    """A gray PNG of the mask's own size, the same bytes for the same mask.

    Args:
        mask: the object.
        one_bit: 1 bit a pixel, 1 on the object, instead of 8 bits with 255 on it; Pillow reads both alike.

    Raises:
        ValueError: the runs do not fill the mask's size.
    """
    height, width = mask["size"]
    first, rows = _object_rows(mask)
    if one_bit:
        rows = _packed(rows)
    stride = rows.shape[1]
    middle = bytes(first % BLANK_ROWS * stride) + rows.tobytes()
    above = first // BLANK_ROWS * BLANK_ROWS
    header = struct.pack(">IIBBBBB", width, height, 1 if one_bit else 8, 0, 0, 0, 0)
    pixels = _framed(middle, above * stride, (height - above) * stride - len(middle), BLANK_ROWS * stride)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + END


def _framed(middle: bytes, above: int, below: int, block: int) -> bytes:
    """The middle between so many zero bytes above and below, deflated; zeros are cached in multiples of a block."""
    checksum = _adler_blank(zlib.adler32(middle, _adler_blank(1, above)), below)
    zeros = _blank(below - below % block), _blank(below % block, zlib.Z_FINISH)
    return b"".join((ZLIB_HEADER, _blank(above), _deflate(middle), *zeros, struct.pack(">I", checksum)))


def _object_rows(mask: Rle) -> tuple[int, NDArray[np.uint8]]:
    """The first row that is not blank, and the filtered rows (n, 1 + width) from there to the last that is not."""
    height, width = mask["size"]
    starts, ends = _vertical_runs(mask)
    if not len(starts):
        return 0, np.zeros((0, 1 + width), np.uint8)
    first, last = int((starts % height).min()), int((((ends - 1) % height) + 1).max())
    rows = np.zeros((min(last + 1, height) - first, 1 + width), np.uint8)
    rows[:, 0] = FILTER_UP
    rows[starts % height - first, 1 + starts // height] += 255
    ends = ends[ends % height != 0]  # a run to the bottom ends below the image
    rows[ends % height - first, 1 + ends // height] += 1  # where the next run starts at once, 255 + 1 is 0
    return first, rows


def _vertical_runs(mask: Rle) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and ends of the object's runs in column-major order, cut where one goes over into the next column."""
    height, width = mask["size"]
    if broken_masks([mask["counts"]], height * width):
        raise ValueError(f"the runs of a mask do not fill its {width} x {height} pixels")
    borders = np.cumsum(run_lengths([mask["counts"]])[0])
    starts, ends = borders[: len(borders) // 2 * 2].reshape(-1, 2).T
    starts, ends = starts[starts < ends], ends[starts < ends]
    spanned = (ends - 1) // height - starts // height
    tops = (np.repeat(starts // height - np.cumsum(spanned) + spanned, spanned) + np.arange(spanned.sum()) + 1) * height
    return np.sort(np.concatenate((starts, tops))), np.sort(np.concatenate((ends, tops)))


def _packed(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Filtered rows of 8 bits a pixel as those of 1 bit: dense, packed, and filtered again."""
    dense = np.packbits(np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8) != 0, axis=1)
    return np.hstack((rows[:, :1], np.diff(dense, axis=0, prepend=np.zeros((1, dense.shape[1]), np.uint8))))


def _deflate(data: bytes, end: int = zlib.Z_FULL_FLUSH) -> bytes:
    """A piece of a raw deflate stream that can stand after any other."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    return packer.compress(data) + packer.flush(end)


@lru_cache(maxsize=4096)
def _blank(size: int, end: int = zlib.Z_FULL_FLUSH) -> bytes:
    """So many zero bytes, deflated."""
    return _deflate(bytes(size), end)


def _adler_blank(checksum: int, size: int) -> int:
    """Adler-32 after ``size`` more zero bytes: its low half stays, and is added to its high half for each of them."""
    low = checksum & 0xFFFF
    return ((checksum >> 16) + size * low) % 65521 << 16 | low
