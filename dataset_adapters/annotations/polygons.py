"""Cityscapes' polygons: the outlines from which its instance maps are drawn.

The official tool is cityscapesScripts ``preparation/json2instanceImg.py``; drawn here with the same library, so that
the pixels are the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dataset_adapters.json_files import open_json
from dataset_adapters.labels import Label, LabelTable
from dataset_adapters.problems import InputError

FARTHEST = 100_000
"""Pixels from the corner beyond which no outline goes."""


@dataclass(frozen=True, slots=True)
class Outlines:
    """What a ``*_gtFine_polygons.json`` says.

    Attributes:
        path: the file.
        size: (height, width) in pixels.
        objects: label name and points (x, y) of every polygon that was not deleted, in the order of the file.
    """

    path: Path
    size: tuple[int, int]
    objects: tuple[tuple[str, list[tuple[float, float]]], ...]


def read_outlines(path: Path) -> Outlines:
    """Read a ``*_gtFine_polygons.json``.

    Raises:
        InputError: the file is missing or broken.
    """
    with open_json(
        path, what="polygons", expected="JSON with imgWidth, imgHeight and objects of label and polygon",
        fix="Extract gtFine_trainvaltest.zip again.",
    ) as data:  # fmt: skip
        items = [item for item in data["objects"] if not item.get("deleted")]
        objects = tuple((str(item["label"]), _points(item["polygon"])) for item in items)
        return Outlines(path, (int(data["imgHeight"]), int(data["imgWidth"])), objects)


def _points(polygon: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    points = [(float(x), float(y)) for x, y in polygon]
    if len(points) < 2 or not are_near(chain.from_iterable(points)):
        raise ValueError(f"a polygon of {len(points)} points {str(points)[:60]}")
    return points


def are_near(coordinates: Iterable[float]) -> bool:
    """Whether coordinates in pixels are numbers at all and not so far away that drawing takes for ever."""
    return all(math.isfinite(value) and abs(value) <= FARTHEST for value in coordinates)


def draw_instance_ids(outlines: Outlines, labels: LabelTable) -> NDArray[np.uint16]:
    """Draw outlines as the (H, W) map that ``*_gtFine_instanceIds.png`` would hold.

    Later polygons cover earlier ones; objects of a label are numbered in the order of the file; a group, or a label
    without instances, is drawn with its bare id; negative ids are not drawn.

    Raises:
        InputError: a label that the table does not have.
    """
    canvas = Image.new("I", outlines.size[::-1], 0)
    drawer = ImageDraw.Draw(canvas)
    numbers: Counter[int] = Counter()
    for name, points in outlines.objects:
        label, is_group = _label(outlines.path, name, labels)
        value = label.id
        if label.has_instances and not is_group:
            value = label.id * 1000 + numbers[label.id]
            numbers[label.id] += 1
        if value >= 0:
            drawer.polygon(points, fill=value)
    return np.asarray(canvas).astype(np.uint16)


def _label(path: Path, name: str, labels: LabelTable) -> tuple[Label, bool]:
    """A label by name, and whether the name says that it is a group (``cargroup``)."""
    if name in labels.by_name:
        return labels.by_name[name], False
    if name.removesuffix("group") in labels.by_name and name.endswith("group"):
        return labels.by_name[name.removesuffix("group")], True
    raise InputError(
        path, found=f"label {name!r}", expected="a Cityscapes label, or one with 'group' behind it",
        fix="Check that the file is from Cityscapes' gtFine.",
    )  # fmt: skip
