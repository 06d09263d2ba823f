"""Reading mask files as the official code does, with every bound checked before the pixels are.

Gray masks of 1 or 8 bits, which are nearly all, are read by ``gray_png``; all others are Pillow's, which also says
what is wrong with a damaged file.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset_adapters.png import SIGNATURE, PngHeader, read_header
from dataset_adapters.rle import Rle, from_runs
from dataset_adapters.submission.archive import MAX_MEMBER_BYTES, Archive
from dataset_adapters.submission.faults import Finding
from dataset_adapters.submission.gray_png import decode_gray

LARGEST_FRAME = 1024, 2048
"""(height, width) that a mask file is bounded by where its frame is unknown: Cityscapes', the largest of all."""
MAX_PIXELS = 64_000_000
"""Largest mask that is decoded."""
MOST_TEXT = 1 << 16
"""Bytes that a mask may have besides its pixels: the header, and what programs write into the file about themselves."""
BAD_PNG = (OSError, SyntaxError, ValueError, EOFError, zlib.error, struct.error, IndexError, TypeError, MemoryError)
"""What Pillow raises on damaged files."""


class MaskError(Exception):
    """A mask file that cannot be used; ``finding`` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.found)
        self.finding = finding


@dataclass(frozen=True, slots=True)
class MaskPixels:
    """A mask's gray values inside a box; all pixels outside are 0.

    Attributes:
        size: (height, width) of the mask.
        top, left: place of the box.
        values: (h, w) uint8, the pixels in the box; none for an empty mask.
    """

    size: tuple[int, int]
    top: int
    left: int
    values: NDArray[np.uint8]

    def histogram(self) -> NDArray[np.int64]:
        """(256,) how many pixels have each value."""
        counts = np.bincount(self.values.ravel(), minlength=256)
        counts[0] += self.size[0] * self.size[1] - self.values.size
        return counts

    def rle(self) -> Rle:
        """The pixels that are not 0."""
        (height, width), (rows, columns) = self.size, self.values.shape
        ended = np.zeros((columns, rows + 1), np.bool_)  # a pixel of background ends every column
        ended[:, :rows] = self.values.T != 0
        column, row = np.divmod(np.flatnonzero(np.diff(ended.ravel(), prepend=False)), rows + 1)
        borders = (self.left + column) * height + self.top + row
        goes_on = np.flatnonzero(borders[1:] == borders[:-1])  # from the bottom of a column into the next one
        borders = np.delete(borders, np.concatenate((goes_on, goes_on + 1)))
        runs = np.diff(borders, prepend=0, append=height * width).tolist()
        return from_runs(runs if runs[-1] else runs[:-1], self.size)


def most_bytes(size: tuple[int, int] | None) -> int:
    """Largest file that a mask of (height, width) can need: 16-bit RGBA without compression, and some text."""
    height, width = size or LARGEST_FRAME
    return min(MAX_MEMBER_BYTES, 8 * height * width + MOST_TEXT)


def mask_bytes(archive: Archive, name: str, size: tuple[int, int] | None) -> bytes:
    """A mask file of an archive, its size held against its frame's before it is read.

    Raises:
        MaskError: it is larger than any mask of (height, width) needs to be.
        InputError: it is damaged.
    """
    if archive.size(name) > most_bytes(size):
        raise MaskError(Finding("member-huge", f"{archive.size(name):,} bytes", expected=f"{most_bytes(size):,} bytes"))
    return archive.read(name)


def read_mask(data: bytes, size: tuple[int, int] | None) -> tuple[PngHeader, MaskPixels]:
    """Decode a mask file as the official code does, to gray in which every value but 0 is the object.

    Args:
        data: the file.
        size: (height, width) that it must have; None takes any up to ``MAX_PIXELS``.

    Returns:
        the header, and the gray values.

    Raises:
        MaskError: no PNG, another size, too large to decode, or damaged.
    """
    header = _require_header(data)
    if header.width * header.height > MAX_PIXELS:
        raise MaskError(Finding("mask-huge", f"{header.width} x {header.height} pixels"))
    if size is not None and (header.height, header.width) != size:
        expected = f"{size[1]} x {size[0]}, the frame's own size"
        raise MaskError(Finding("mask-size", f"{header.width} x {header.height} pixels", expected=expected))
    crop = decode_gray(data, header.height, header.width, header.depth) if header.plain else None
    if crop is not None:
        return header, MaskPixels((header.height, header.width), *crop)
    return header, _cropped(decode(data).convert("L"))


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


def _require_header(data: bytes) -> PngHeader:
    if header := read_header(data):
        return header
    if data.startswith(SIGNATURE):
        raise MaskError(Finding("mask-broken", "a PNG without a sound header"))
    raise MaskError(Finding("mask-format", "a file of another format" if data else "an empty file"))


def _cropped(gray: Image.Image) -> MaskPixels:
    left, top, right, bottom = gray.getbbox() or (0, 0, 0, 0)
    return MaskPixels((gray.height, gray.width), top, left, np.asarray(gray.crop((left, top, right, bottom))))
