"""Masks as PNG files: written straight from their runs, read with every bound checked before the pixels are.

Writing: PNG's filter *Up* stores each pixel as its difference from the one above. For a mask of 0 and 255 that is 255
where a run of the RLE starts, 1 right below its end, and 0 elsewhere: the runs are the file, and no dense mask is made.
Blank rows above and below the object come compressed from a cache.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset_adapters.rle import Rle, from_runs
from dataset_adapters.submission.faults import Finding

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
ZLIB_HEADER = b"\x78\x01"
MAX_PIXELS = 64_000_000
"""Largest mask that is decoded."""
BLANK_ROWS = 32
"""Blank rows are compressed and cached in multiples of this many."""
FILTER_UP = 2
BAD_PNG = (OSError, SyntaxError, ValueError, EOFError, zlib.error, struct.error, IndexError, TypeError, MemoryError)
"""What Pillow raises on damaged files."""


class MaskError(Exception):
    """A mask file that cannot be used; ``finding`` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.found)
        self.finding = finding


@dataclass(frozen=True, slots=True)
class PngHeader:
    """What a PNG's first chunk says: size in pixels, bits a sample, colour type (0 gray, 2 RGB, 3 palette, 4 gray and
    alpha, 6 RGBA)."""

    width: int
    height: int
    depth: int
    colour: int


def write_mask(mask: Rle) -> bytes:
    """An 8-bit gray PNG of the mask's own size, 255 on the object and 0 elsewhere; the same bytes for the same mask.

    Raises:
        ValueError: the runs do not fill the mask's size.
    """
    height, width = mask["size"]
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", _pixels(mask)) + END


def read_header(data: bytes) -> PngHeader:
    """The size and kind of a PNG.

    Raises:
        MaskError: it is none.
    """
    if not data.startswith(SIGNATURE):
        raise MaskError(Finding("mask-format", "a file of another format" if data else "an empty file"))
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise MaskError(Finding("mask-broken", "a PNG without its header"))
    return PngHeader(*struct.unpack_from(">IIBB", data, 16))


def read_mask(data: bytes, size: tuple[int, int] | None) -> tuple[PngHeader, Image.Image]:
    """Decode a mask file as the official code does, to gray in which every value but 0 is the object.

    Args:
        data: the file.
        size: (height, width) that it must have; None takes any up to ``MAX_PIXELS``.

    Returns:
        the header, and the mask as a Pillow image of mode L.

    Raises:
        MaskError: no PNG, another size, too large to decode, or damaged.
    """
    header = read_header(data)
    if header.width * header.height > MAX_PIXELS:
        raise MaskError(Finding("mask-huge", f"{header.width} x {header.height} pixels"))
    if size is not None and (header.height, header.width) != size:
        expected = f"{size[1]} x {size[0]}, the frame's own size"
        raise MaskError(Finding("mask-size", f"{header.width} x {header.height} pixels", expected=expected))
    return header, decode(data).convert("L")


def decode(data: bytes) -> Image.Image:
    """Decode a PNG in its own mode.

    Raises:
        MaskError: it is damaged.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            image.load()
            return image
    except BAD_PNG as error:
        raise MaskError(Finding("mask-broken", f"damaged data ({error})")) from error


def to_rle(gray: Image.Image) -> Rle:
    """Encode every pixel but 0 of an image of mode L."""
    width, height = gray.size
    left, _, right, _ = gray.getbbox() or (0, 0, 0, 0)
    # The columns of the object are one piece of the column-major order: only they are looked at.
    flat = (np.asarray(gray.crop((left, 0, right, height))) != 0).ravel(order="F")
    borders = np.flatnonzero(np.diff(flat, prepend=False, append=False)) + left * height
    runs = np.diff(borders, prepend=0, append=height * width).tolist()
    return from_runs(runs if runs[-1] else runs[:-1], (height, width))


def _pixels(mask: Rle) -> bytes:
    """The rows of the image, filtered and compressed."""
    height, width = mask["size"]
    first, rows = _object_rows(mask)
    step = BLANK_ROWS * (width + 1)
    above = first // BLANK_ROWS * step
    middle = bytes(first % BLANK_ROWS * (width + 1)) + rows.tobytes()
    below = height * (width + 1) - above - len(middle)
    checksum = _adler_blank(zlib.adler32(middle, _adler_blank(1, above)), below)
    end = _deflate(bytes(below % step), zlib.Z_FINISH)
    return b"".join(
        (ZLIB_HEADER, _blank(above), _deflate(middle), _blank(below - below % step), end, struct.pack(">I", checksum))
    )


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
    borders = np.cumsum(_runs(mask["counts"]))
    if not len(borders) or borders[-1] != height * width or np.any(np.diff(borders) < 0):
        raise ValueError(f"the runs of a mask do not fill its {width} x {height} pixels")
    starts, ends = borders[: len(borders) // 2 * 2].reshape(-1, 2).T
    starts, ends = starts[starts < ends], ends[starts < ends]
    spanned = (ends - 1) // height - starts // height
    tops = (np.repeat(starts // height - np.cumsum(spanned) + spanned, spanned) + np.arange(spanned.sum()) + 1) * height
    return np.sort(np.concatenate((starts, tops))), np.sort(np.concatenate((ends, tops)))


def _runs(counts: bytes) -> NDArray[np.int64]:
    """Run lengths of COCO's compressed RLE (``rleFrString`` of maskApi.c): 5 bits a character, lowest first, bit 5 says
    that more follow, and from the fourth run on the difference to the run before the last."""
    symbols = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    last = np.flatnonzero(symbols < 32)
    if not len(last) or last[-1] != len(symbols) - 1 or symbols.min() < 0 or symbols.max() > 63:
        raise ValueError("the runs of a mask are not COCO's compressed RLE")
    first = np.concatenate(([0], last[:-1] + 1))
    shifts = 5 * (np.arange(len(symbols)) - np.repeat(first, last - first + 1))
    runs = np.add.reduceat((symbols & 31) << shifts, first)
    runs -= np.where(symbols[last] & 16, 1 << (shifts[last] + 5), 0)
    runs[1::2], runs[2::2] = np.cumsum(runs[1::2]), np.cumsum(runs[2::2])
    return runs


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _deflate(data: bytes, end: int = zlib.Z_FULL_FLUSH) -> bytes:
    """A piece of a raw deflate stream that can stand after any other."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    return packer.compress(data) + packer.flush(end)


@lru_cache(maxsize=1024)
def _blank(size: int) -> bytes:
    """So many zero bytes, deflated."""
    return _deflate(bytes(size))


def _adler_blank(checksum: int, size: int) -> int:
    """Adler-32 after ``size`` more zero bytes: its low half stays, and is added to its high half for each of them."""
    low = checksum & 0xFFFF
    return ((checksum >> 16) + size * low) % 65521 << 16 | low
