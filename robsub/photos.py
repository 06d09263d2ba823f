"""Photos as tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dataset_adapters.images import open_image


def read_photo(path: Path) -> Tensor:
    """A photo as (3, H, W) uint8 RGB, whatever its mode.

    Raises:
        InputError: it is missing or does not open.
    """
    with open_image(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).contiguous()
