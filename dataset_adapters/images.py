"""Reading image files: photos' sizes and native id maps, with errors that name the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from dataset_adapters.problems import InputError


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) in pixels, from the file's header alone.

    Raises:
        InputError: the file is missing or not an image.
    """
    with open_image(path) as image:
        return image.height, image.width


def read_id_map(path: Path) -> NDArray[np.uint16]:
    """Read a 16-bit, one-channel PNG as an (H, W) map of native ids.

    Raises:
        InputError: the file is missing, broken, or has another mode (8 bit, RGB, palette).
    """
    with open_image(path) as image:
        if not image.mode.startswith("I"):
            raise InputError(
                path, found=f"an image of mode {image.mode}", expected="a 16-bit gray PNG (mode I;16)",
                fix="8-bit and colour files cannot hold instance ids; use the benchmark's own instance file.",
            )  # fmt: skip
        return np.asarray(image).astype(np.uint16)


@contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """Open an image with Pillow; every failure while it is open becomes an InputError that names the file."""
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError as error:
        raise InputError(
            path, found="no such file", expected="an image", fix="Download or extract the data set again."
        ) from error
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise InputError(
            path, found=f"a file that does not open as an image ({error})", expected="a whole image",
            fix="The file is truncated or not an image; get it again.",
        ) from error  # fmt: skip
