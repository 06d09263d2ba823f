"""Photos as tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dataset_adapters.images import open_image


def read_photo(path: Path) -> Tensor:
    """A photo as (3, H, W) uint8 RGB, whatever its mode: grey, 16 bits, palette, CMYK; transparency is left out.

    The pixel grid is the stored one: the benchmarks' annotations and submissions are in it, so a camera's note to turn
    the picture (EXIF) is not followed.

    Raises:
        InputError: it is missing or does not open.
    """
    with open_image(path, at_once=True) as image:
        picture = _eight_bits(image) if image.mode.startswith(("I", "F")) else image
        return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1).contiguous()


def _eight_bits(image: Image.Image) -> Image.Image:
    """The upper 8 of 16 bits, which Pillow's own conversion cuts off at 255; floats count as 0 to 255."""
    values = np.asarray(image)
    scaled = values / 256 if image.mode.startswith("I") else np.nan_to_num(values)
    return Image.fromarray(scaled.clip(0, 255).astype(np.uint8))
