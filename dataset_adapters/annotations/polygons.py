"""Cityscapes' polygons: the outlines from which its instance maps are drawn.

The official tool is cityscapesScripts ``preparation/json2instanceImg.py``; drawn here with the same library, so that
the pixels are the same.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dataset_adapters.labels import Label, LabelTable
from dataset_adapters.problems import InputError


def draw_instance_ids(path: Path, labels: LabelTable) -> NDArray[np.uint16]:
    """Draw a ``*_gtFine_polygons.json`` as the (H, W) map that ``*_gtFine_instanceIds.png`` would hold.

    Later polygons cover earlier ones; objects of a label are numbered in the order of the file; a group, or a label
    without instances, is drawn with its bare id; negative ids are not drawn.

    Raises:
        InputError: the file is missing or broken, or names a label that the table does not have.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        canvas = Image.new("I", (int(data["imgWidth"]), int(data["imgHeight"])), 0)
        objects = [
            (str(item["label"]), [(float(x), float(y)) for x, y in item["polygon"]])
            for item in data["objects"]
            if not item.get("deleted")
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            path, found=f"no polygons ({type(error).__name__}: {error})",
            expected="JSON with imgWidth, imgHeight and objects of label and polygon",
            fix="Extract gtFine_trainvaltest.zip again.",
        ) from error  # fmt: skip
    drawer = ImageDraw.Draw(canvas)
    numbers: Counter[int] = Counter()
    for name, outline in objects:
        label, is_group = _label(path, name, labels)
        value = label.id
        if label.has_instances and not is_group:
            value = label.id * 1000 + numbers[label.id]
            numbers[label.id] += 1
        if value >= 0:
            drawer.polygon(outline, fill=value)
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
