"""Reading image files: photos' sizes and native id maps, with errors that name the file."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from dataset_adapters.folders import CIRCLE, DANGLING, in_other_case
from dataset_adapters.png import stored
from dataset_adapters.problems import InputError

SCAN = {"PNG": (b"IDAT", b"IEND\xaeB`\x82"), "JPEG": (b"\xff\xda", b"\xff\xd9")}
"""Where the pixels of a format begin, and what stands behind them in a whole file, before what some cameras pad it
with. A JPEG's thumbnail has both marks too, so the last end must come after the last beginning."""
TAIL = 65536

MODE_HINTS = {
    "L": "8 bits hold labels without instances: take the file with instance ids, not the one with label ids.",
    "P": "This is a picture of the labels: take the file with instance ids.",
    **dict.fromkeys(
        ("RGB", "RGBA"),
        "This is a coloured picture of the labels, or another benchmark's file: take the file with instance ids.",
    ),
}
"""Fix for a map of ids of the wrong mode."""

FILE_HINTS: dict[int | None, tuple[str, str]] = {
    errno.ENOENT: ("no such file", "Download or extract the data set again."),
    errno.ELOOP: (CIRCLE, "Replace the link by the file."),
    errno.EISDIR: ("a folder", "Delete it, and extract the file that belongs there."),
    errno.EACCES: ("a file that may not be read", "Mend its permissions."),
}
"""What an operating-system error says of a file, and how to mend it."""


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) in pixels, from the file's header alone.

    Raises:
        InputError: the file is missing or not an image.
    """
    with open_image(path) as image:
        return image.height, image.width


def check_whole(path: Path) -> None:
    """Require a photo to be whole: by what stands at its end, and where that is missing by decoding it.

    Raises:
        InputError: the file is missing, truncated or not an image.
    """
    with open_image(path) as image:
        begin, end = SCAN.get(image.format or "", (b"", b""))
        with path.open("rb") as file:
            file.seek(-min(TAIL, path.stat().st_size), 2)
            tail = file.read()
        if end and tail.rfind(end) > tail.rfind(begin):
            return
        if image.format == "PNG":  # decodes without its end, if all rows are there
            raise OSError("the end is missing")
        image.load()


def read_id_map(path: Path) -> NDArray[np.uint16]:
    """Read a 16-bit, one-channel PNG as an (H, W) map of native ids.

    Raises:
        InputError: the file is missing, broken, or has another mode (8 bit, RGB, palette).
    """
    return _read_16_bits(path, MODE_HINTS)


def read_disparity(path: Path) -> NDArray[np.uint16]:
    """Read a 16-bit, one-channel PNG as (H, W) coded disparities.

    Raises:
        InputError: the file is missing, broken, or has another mode.
    """
    return _read_16_bits(path)


def read_gray(path: Path) -> NDArray[np.uint8]:
    """Read an 8-bit, one-channel PNG as (H, W).

    Raises:
        InputError: the file is missing, broken, or has another mode.
    """
    with open_image(path, at_once=True) as image:
        _require_mode(path, image, ("L",), "an 8-bit gray PNG")
        return np.asarray(image)


def read_channels(path: Path) -> NDArray[np.uint8]:
    """Read an RGB PNG whose channels are numbers, as (H, W, 3).

    Raises:
        InputError: the file is missing, broken, or has another mode: a palette or gray image lost the numbers.
    """
    with open_image(path, at_once=True) as image:
        _require_mode(path, image, ("RGB", "RGBA"), "an RGB PNG whose channels hold ids")
        return np.asarray(image)[..., :3]


def _read_16_bits(path: Path, hints: Mapping[str, str] | None = None) -> NDArray[np.uint16]:
    with open_image(path, at_once=True) as image:
        _require_mode(path, image, ("I;16", "I;16B", "I"), "a 16-bit gray PNG (mode I;16)", hints)
        return np.asarray(image).astype(np.uint16, copy=False)


def _require_mode(
    path: Path,
    image: Image.Image,
    modes: tuple[str, ...],
    expected: str,
    hints: Mapping[str, str] | None = None,
) -> None:
    if image.mode not in modes:
        fix = (hints or {}).get(image.mode, "The file was converted; get the original again.")
        raise InputError(path, found=f"an image of mode {image.mode}", expected=expected, fix=fix)


@contextmanager
def open_image(path: Path, *, at_once: bool = False) -> Iterator[Image.Image]:
    """Open an image with Pillow; every failure while it is open becomes an InputError that names the file.

    A file whose pixels are all wanted is read ``at_once``: a PNG of a photo a tenth faster, one of ids a quarter.
    """
    try:
        with Image.open((at_once and stored(path.read_bytes())) or path) as image:
            yield image
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        found, fix = _explained(path, error)
        raise InputError(path, found=found, expected="a whole image", fix=fix) from error


def _explained(path: Path, error: Exception) -> tuple[str, str]:
    """Why a file does not open as an image: (what was found, how to mend it)."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ENOENT and (other := in_other_case(path)):
        return f"a name in another case, {other.name}", f"Rename it to {path.name}."
    if number == errno.ENOENT and path.is_symlink():
        return DANGLING, "Replace the link by the file."
    if number in FILE_HINTS:
        return FILE_HINTS[number]
    return f"a file that does not open as an image ({error})", "The file is truncated or not an image; get it again."
