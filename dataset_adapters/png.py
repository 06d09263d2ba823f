"""PNG below the pixels: the header, the chunks, and the rows that the deflate stream holds.

zlib-ng inflates the long runs of masks and maps of ids at memory speed. Pillow inflates row by row, which takes it as
long as all the rest.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from zlib_ng import zlib_ng

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
GRAY = 0
"""The colour type of one channel."""
CHANNELS = {GRAY: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Colour type -> samples a pixel."""
DEPTHS = {GRAY: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Colour type -> the bits that a sample may have."""
ASIDE = {b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"hIST", b"pHYs", b"tIME", b"tEXt"}
"""Chunks that change nothing of how the rows are to be read."""
MOST_ASIDE = 1 << 16
"""A longer one of these is left to Pillow, which has limits of its own."""
CHUNK_HEAD, CHECKSUM = 8, 4
ZLIB_HEADER = b"\x78\x01"
BLOCK = 0xFFFF - 5
"""Bytes of a block that deflate stores as they are; with its head it is one of Pillow's reads."""
MOST_BYTES = 1 << 28
"""More inflated bytes are left to Pillow, which takes one row at a time and refuses what is too large."""
INFLATE_ERROR = cast("type[Exception]", zlib_ng.error)
DAMAGED = (INFLATE_ERROR, struct.error)
_Chunk = tuple[int, bytes, bytes]
"""Where it begins, its kind, its data."""


@dataclass(frozen=True, slots=True)
class PngHeader:
    """What a PNG's first chunk says: size in pixels, bits a sample, colour type (0 gray, 2 RGB, 3 palette, 4 gray and
    alpha, 6 RGBA), and whether its rows come interlaced."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool

    @property
    def plain(self) -> bool:
        """Gray rows of 1 or 8 bits, from top to bottom."""
        return self.colour == GRAY and self.depth in (1, 8) and not self.interlaced

    @property
    def row_bytes(self) -> int:
        """Bytes of an inflated row: its filter, and its pixels."""
        return 1 + (self.width * self.depth * CHANNELS[self.colour] + 7) // 8


def read_header(data: bytes) -> PngHeader | None:
    """The header, None if the file does not begin with a sound one."""
    if len(data) < 33 or not data.startswith(SIGNATURE + b"\0\0\0\rIHDR"):
        return None
    width, height, depth, colour, compression, filters, interlace = struct.unpack_from(">IIBBBBB", data, 16)
    sound = width and height and depth in DEPTHS.get(colour, ()) and not compression and not filters
    return PngHeader(width, height, depth, colour, bool(interlace)) if sound else None


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk: its size, kind, data and checksum."""
    named = kind + data
    return struct.pack(">I", len(data)) + named + struct.pack(">I", zlib_ng.crc32(named))


def inflate(data: bytes, size: int) -> bytes | None:
    """The filtered rows, None unless they are whole and of that size."""
    unpacker = zlib_ng.decompressobj()
    try:
        inflated = unpacker.decompress(b"".join(_image_data(_chunks(data))), size + 1)
    except DAMAGED:
        return None
    return inflated if unpacker.eof and len(inflated) == size else None


def stored(data: bytes) -> io.BytesIO | None:
    """The same picture as a PNG that is not compressed, which leaves Pillow nothing but the filters to undo.

    Returns:
        None for what is no PNG, interlaced, damaged, out of the ordinary or too large: the file is Pillow's then.
    """
    header = read_header(data)
    if header is None or header.interlaced:
        return None
    size = header.height * header.row_bytes
    try:
        return _stored(data, list(_chunks(data)), size) if size <= MOST_BYTES else None
    except DAMAGED:
        return None


def _stored(data: bytes, chunks: Sequence[_Chunk], size: int) -> io.BytesIO:
    file = io.BytesIO()
    file.write(data[: next((place for place, name, _ in chunks if name == b"IDAT"), 0)])
    file.write(chunk(b"IDAT", ZLIB_HEADER))
    checksum = zlib_ng.adler32(b"")
    for piece in _pieces(_image_data(chunks), size):
        checksum = zlib_ng.adler32(piece, checksum)
        named = b"IDAT" + struct.pack("<BHH", 0, len(piece), len(piece) ^ 0xFFFF)
        file.write(struct.pack(">I", 5 + len(piece)) + named)
        file.write(piece)
        file.write(struct.pack(">I", zlib_ng.crc32(piece, zlib_ng.crc32(named))))
    file.write(chunk(b"IDAT", struct.pack(">BHHI", 1, 0, 0xFFFF, checksum)) + END)
    file.seek(0)
    return file


def _pieces(deflated: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The inflated bytes, which must be so many, in blocks: fresh memory for all of them would cost more than this."""
    unpacker = zlib_ng.decompressobj()
    for data in deflated:
        for begin in range(0, len(data), BLOCK):  # what is not used up is copied each time
            piece = unpacker.decompress(data[begin : begin + BLOCK], BLOCK)
            while piece and size >= 0:
                size -= len(piece)
                yield piece
                piece = unpacker.decompress(unpacker.unconsumed_tail, BLOCK)
    if size or not unpacker.eof:
        raise INFLATE_ERROR("the rows are not those of the header")


def _image_data(chunks: Iterable[_Chunk]) -> Iterator[bytes]:
    """The pieces of the deflate stream."""
    return (body for _, name, body in chunks if name == b"IDAT")


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """All chunks, each held against its checksum; they must be of the ordinary kinds, those of the rows in one go."""
    place, name = len(SIGNATURE), b""
    kinds: list[bytes] = []
    while name != b"IEND":
        size, name = struct.unpack_from(">I4s", data, place)
        end = place + CHUNK_HEAD + size
        (checksum,) = struct.unpack_from(">I", data, end)
        if zlib_ng.crc32(data[place + 4 : end]) != checksum:
            raise INFLATE_ERROR(f"the checksum of chunk {name!r} is wrong")
        if name in ASIDE and size > MOST_ASIDE:
            raise INFLATE_ERROR(f"{size} bytes in chunk {name!r}")
        if kinds[-1:] != [b"IDAT"] or name != b"IDAT":
            kinds.append(name)
        yield place, name, data[place + CHUNK_HEAD : end]
        place = end + CHECKSUM
    if [kind for kind in kinds if kind not in ASIDE] != [b"IHDR", b"IDAT", b"IEND"]:
        raise INFLATE_ERROR("chunks of other kinds, or elsewhere")
