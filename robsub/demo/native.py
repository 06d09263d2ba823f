"""What the native formats have in common: PNG and JPEG files, label codings, outlines."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.measure import find_contours

from dataset_adapters.labels import LabelTable
from robsub.demo.canvas import Scene

JPEG_QUALITY = 95


def save_image(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Write an (H, W) 8- or 16-bit gray or an (H, W, 3) colour image; the suffix chooses PNG or JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if path.suffix == ".jpg":
        image.save(path, quality=JPEG_QUALITY, subsampling=0)
    else:
        image.save(path, compress_level=4)


def save_json(path: Path, value: object) -> None:
    """Write compact JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, separators=(",", ":")), encoding="utf-8")


def label_map(scene: Scene, labels: LabelTable) -> NDArray[np.uint8]:
    """(H, W) label ids; labels that the table does not have are 0, unlabeled."""
    return _label_ids(scene, labels).astype(np.uint8)[scene.ids]


def instance_map(scene: Scene, labels: LabelTable, *, base: int, first: int, stuff_base: int) -> NDArray[np.uint16]:
    """(H, W) native instance ids.

    Args:
        scene: the scene.
        labels: the benchmark's table.
        base: an instance's id is its label id times this, plus its number.
        first: number of the first instance of a label.
        stuff_base: the id of stuff and of groups is the label id times this.
    """
    numbers: Counter[int] = Counter()
    values = []
    visible = set(np.unique(scene.ids).tolist())
    for index, (region, label) in enumerate(zip(scene.regions, _label_ids(scene, labels).tolist(), strict=True)):
        if region.is_object and index in visible:
            values.append(label * base + first + numbers[label])
            numbers[label] += 1
        else:
            values.append(label * stuff_base)
    return np.asarray(values, dtype=np.uint16)[scene.ids]


def outline(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The longest outline of a mask as a polygon of at most about 50 (x, y) corners."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    crop = np.pad(mask[top : rows[-1] + 1, left : columns[-1] + 1], 1)
    contours = find_contours(crop.astype(np.float32), 0.5)  # type: ignore[no-untyped-call]
    longest = max(contours, key=len)
    corners = np.rint(longest[: -1 : -(-len(longest) // 50)]).astype(int).clip(1, np.array(crop.shape) - 2)
    return [(left + x - 1, top + y - 1) for y, x in corners.tolist()]


def _label_ids(scene: Scene, labels: LabelTable) -> NDArray[np.int64]:
    known = labels.by_name
    return np.asarray([known[r.label].id if r.label in known else 0 for r in scene.regions])
