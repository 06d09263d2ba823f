"""PNG files stored again without compression, against Pillow on the files themselves."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, PngImagePlugin

from dataset_adapters.png import BLOCK, END, SIGNATURE, chunk, inflate, read_header, stored

MAPS = arrays(np.uint16, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.sampled_from((0, 7, 24001)))


def png(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def pillow(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def same(data: bytes) -> bool:
    file = stored(data)
    assert file is not None
    one, other = pillow(data), pillow(file.getvalue())
    return (one.mode, one.getpalette()) == (other.mode, other.getpalette()) and one.tobytes() == other.tobytes()


@settings(max_examples=200, deadline=None)
@given(MAPS, st.integers(0, 9))
def test_maps_of_ids_stay_what_they_are(ids: np.ndarray, level: int) -> None:
    data = png(Image.fromarray(ids), compress_level=level)
    assert same(data)
    assert np.array_equal(np.asarray(Image.open(stored(data))), ids)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_pixels(mode: str) -> None:
    gray = np.random.default_rng(0).integers(0, 256, (37, 29), dtype=np.uint8)
    image = Image.fromarray(gray.astype(np.uint16)) if mode == "I;16" else Image.fromarray(gray).convert(mode)
    assert same(png(image))


@pytest.mark.parametrize("rows", [1, BLOCK // 3, BLOCK // 3 + 1, BLOCK])
def test_rows_that_fill_blocks_exactly(rows: int) -> None:
    ids = (np.arange(rows) % 65_521).astype(np.uint16)[:, None]  # 3 bytes a row
    assert same(png(Image.fromarray(ids)))


def test_what_stands_before_the_pixels_is_kept() -> None:
    about = PngImagePlugin.PngInfo()
    about.add_text("Comment", "IDAT is the name of the next chunk")
    data = png(Image.fromarray(np.eye(9, dtype=np.uint16)), pnginfo=about)
    assert same(data)
    assert pillow(stored(data).getvalue()).info["Comment"].startswith("IDAT")  # type: ignore[union-attr]


@settings(max_examples=200, deadline=None)
@given(MAPS, st.integers(0, 10**6), st.integers(1, 255))
def test_a_damaged_file_is_left_to_pillow(ids: np.ndarray, place: int, change: int) -> None:
    data = bytearray(png(Image.fromarray(ids)))
    data[place % len(data)] ^= change
    assert stored(bytes(data)) is None


def test_a_cut_file_is_left_to_pillow() -> None:
    data = png(Image.fromarray(np.eye(50, dtype=np.uint16)))
    assert all(stored(data[:size]) is None for size in range(len(data)))


@pytest.mark.parametrize("size", [0, 19, 21, 10**6])
def test_rows_that_the_header_does_not_tell_of_are_left_to_pillow(size: int) -> None:
    header = chunk(b"IHDR", bytes((0, 0, 0, 4, 0, 0, 0, 4, 8, 0, 0, 0, 0)))  # 4 x 4 gray pixels: 20 bytes
    right, wrong = (SIGNATURE + header + chunk(b"IDAT", zlib.compress(bytes(n))) + END for n in (20, size))
    assert same(right)
    assert stored(wrong) is None


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    found, place = [], len(SIGNATURE)
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        found.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += 12 + size
    return found


def odd(kind: str) -> bytes:
    """A map of ids with something in its file that Pillow has its own mind of."""
    header, rows, end = chunks_of(png(Image.fromarray(np.eye(60, dtype=np.uint16))))
    halves = [(b"IDAT", rows[1][:50]), (b"IDAT", rows[1][50:])]
    smaller = (b"IHDR", bytes((0, 0, 0, 50, 0, 0, 0, 50)) + header[1][8:])
    made = {
        "two pieces": [header, *halves, end],
        "a piece apart": [header, halves[0], (b"tEXt", b"a\0b"), halves[1], end],
        "two headers": [header, smaller, rows, end],
        "a late header": [header, rows, smaller, end],
        "an animation": [header, (b"acTL", bytes((0, 0, 0, 1, 0, 0, 0, 0))), rows, end],
        "much text": [header, rows, (b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 21))), end],
        "a kind that is none": [header, (b"ab\n1", b""), rows, end],
    }
    return SIGNATURE + b"".join(chunk(*parts) for parts in made[kind])


def test_pixels_in_pieces() -> None:
    assert same(odd("two pieces"))


@pytest.mark.parametrize(
    "kind", ["a piece apart", "two headers", "a late header", "an animation", "much text", "a kind that is none"]
)
def test_what_is_out_of_the_ordinary_is_left_to_pillow(kind: str) -> None:
    assert stored(odd(kind)) is None
    assert inflate(odd(kind), 60 * 121) is None


@pytest.mark.parametrize("place", [8, 11, 16, 24, 25, 26, 27])
def test_a_header_that_cannot_be(place: int) -> None:
    plain = png(Image.new("L", (4, 4)))
    changed = {16: b"\0\0\0\0"}.get(place, bytes((plain[place] + 5,)))
    assert read_header(plain) is not None
    assert read_header(plain[:place] + changed + plain[place + len(changed) :]) is None


def test_time_grows_with_the_size_only() -> None:
    """The rest of the deflate stream was copied for every block: 64 times as much here."""
    noise = np.random.default_rng(0).integers(0, 2**16, (2000, 1000), dtype=np.uint16)
    copied = []

    class Counting:
        def __init__(self) -> None:
            self.real = zlib.decompressobj()

        def decompress(self, data: bytes, size: int) -> bytes:
            copied.append(len(data))
            return self.real.decompress(data, size)

        def __getattr__(self, name: str) -> object:
            return getattr(self.real, name)

    data = png(Image.fromarray(noise))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dataset_adapters.png.zlib_ng.decompressobj", Counting)
        assert same(data)
    assert sum(copied) < 3 * len(data)


def test_other_files_and_interlaced_ones_are_left_to_pillow() -> None:
    plain = png(Image.new("L", (4, 4)))
    interlaced = SIGNATURE + chunk(b"IHDR", plain[16:28] + b"\1") + plain[33:]
    assert read_header(interlaced) is not None
    assert stored(interlaced) is None
    assert stored(b"") is None
    assert stored(b"GIF89a") is None
    huge = SIGNATURE + chunk(b"IHDR", b"\0\1\0\0\0\1\0\0\x10\0\0\0\0") + plain[33:]
    assert stored(huge) is None
