"""Small data sets in their native layouts, for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PLAIN = np.zeros((6, 8), dtype=np.uint16)
"""A map without objects; copies of it are painted."""


def painted(regions: Mapping[int, tuple[int, int]], size: tuple[int, int] = (6, 8)) -> NDArray[np.uint16]:
    """A map of ids, (H, W): value -> (row, column) of a block of 2 x 2 pixels."""
    ids = np.zeros(size, dtype=np.uint16)
    for value, (row, column) in regions.items():
        ids[row : row + 2, column : column + 2] = value
    return ids


def save(path: Path, pixels: NDArray[Any]) -> Path:
    """Write an image, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def photo(path: Path, size: tuple[int, int] = (6, 8)) -> Path:
    """Write a black photo of (height, width)."""
    return save(path, np.zeros((*size, 3), dtype=np.uint8))


def write_json(path: Path, data: object) -> Path:
    """Write JSON, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def cityscapes_frame(root: Path, ids: NDArray[np.uint16] | None, split: str = "val", number: int = 0) -> Path:
    """One frame below ``root``/cityscapes; returns where its instance map is, or would be."""
    folder, stem = root / "cityscapes", f"{split}/aachen/aachen_{number:06}_000019"
    photo(folder / f"leftImg8bit/{stem}_leftImg8bit.png", PLAIN.shape if ids is None else ids.shape[:2])
    path = folder / f"gtFine/{stem}_gtFine_instanceIds.png"
    return path if ids is None else save(path, ids)


def kitti_frame(root: Path, ids: NDArray[Any], number: int = 0) -> Path:
    """One annotated frame below ``root``/kitti; returns its instance map."""
    photo(root / f"kitti/training/image_2/{number:06}_10.png", ids.shape[:2])
    return save(root / f"kitti/training/instance/{number:06}_10.png", ids)


def scannet_frame(
    root: Path, ids: NDArray[np.uint16], folder: str = "scannet_frames_25k", scene: str = "0011_00"
) -> Path:
    """One frame of a validation room below ``root``/scannet; returns its instance map."""
    photo(root / f"scannet/{folder}/scene{scene}/color/000000.jpg", ids.shape)
    return save(root / f"scannet/{folder}/scene{scene}/instance/000000.png", ids)
