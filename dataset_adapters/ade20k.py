"""ADE20K 2021_17_01, full: ``images/ADE/{training,validation}/<group>/<scene>/X.{jpg,json}``, ``X/*.png``.

Training data only: no benchmark takes submissions for it. Sources: CSAILVision/ADE20K README and
``utils/utils_ade20k.py``; class pairs from the Places challenge's ``categoryMapping.txt`` and the RVC devkit's
``joint_mapping.json``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_adapters import rle
from dataset_adapters.base import DatasetAdapter, Frame, Split, check_size
from dataset_adapters.ground_truth import GroundTruth, Segment
from dataset_adapters.images import open_image
from dataset_adapters.labels import Label, LabelTable
from dataset_adapters.problems import InputError

RELEASE = "ADE20K_2021_17_01"
VISIBLE = 255
"""Value of an instance mask's visible pixels; 128 is the occluded rest of the object."""

CLASSES = (
    (1831, "person", "person"),
    (401, "car", "car"),
    (2928, "van", "car"),  # Cityscapes' car includes vans
    (2880, "truck", "truck"),
    (327, "bus", "bus"),
    (1563, "minibike", "motorcycle"),
    (187, "bicycle", "bicycle"),
    (350, "cabinet", "cabinet"),
    (165, "bed", "bed"),
    (471, "chair", "chair"),
    (57, "armchair", "chair"),
    (2679, "swivel chair", "chair"),
    (2473, "sofa", "sofa"),
    (2684, "table", "table"),
    (571, "coffee table", "table"),
    (774, "door", "door"),
    (783, "double door", "door"),
    (3055, "windowpane", "window"),
    (239, "bookcase", "bookshelf"),
    (1735, "painting", "picture"),
    (627, "counter", "counter"),
    (629, "countertop", "counter"),
    (724, "desk", "desk"),
    (687, "curtain", "curtain"),
    (2096, "refrigerator", "refrigerator"),
    (2793, "toilet", "toilet"),
    (2388, "sink", "sink"),
    (155, "bathtub", "bathtub"),
)
"""(full ADE index ``name_ndx``, the class's first name, class of the joint space)."""

SPLIT_FOLDERS: dict[Split, tuple[str, ...]] = {
    "train": ("training",),
    "val": ("validation",),
    "trainval": ("training", "validation"),
}


class Ade20k(DatasetAdapter):
    """Whole objects of the mapped classes; parts of objects and all other classes are background."""

    name = "ade20k"
    title = "ADE20K"
    labels = LabelTable(tuple(Label(index, name, has_instances=True) for index, name, _ in CLASSES))
    splits = {"train": 25574, "val": 2000, "trainval": 27574}
    class_map = {name: joint for _, name, joint in CLASSES}

    def list_frames(self, split: Split) -> list[Frame]:
        """The photos of the split's folders that have an annotation beside them."""
        images = self._release() / "images" / "ADE"
        return [
            Frame(photo.stem, photo, photo.with_suffix(".json"))
            for folder in SPLIT_FOLDERS[split]
            for photo in (images / folder).glob("*/*/*.jpg")
        ]

    def layout_hint(self, split: Split) -> str:
        return f"{RELEASE}/images/ADE/{'|'.join(SPLIT_FOLDERS[split])}/*/*/*.jpg"

    def ground_truth(self, frame: Frame) -> GroundTruth:
        """The visible pixels of every whole object of a mapped class.

        Raises:
            InputError: the JSON or a mask is missing, broken or of another size than the photo.
        """
        assert frame.ground_truth is not None  # every listed frame names its JSON
        objects, size = read_annotation(frame.ground_truth)
        check_size(frame.ground_truth, size, frame.image)
        segments = []
        for item in objects:
            label = self.labels.by_id.get(int(item["name_ndx"]))
            if label is None or int(item["parts"]["part_level"]) > 0:
                continue
            mask = rle.encode(self._visible(frame, item["instance_mask"], size))
            if pixels := rle.area(mask):
                segments.append(Segment(int(item["id"]), label, pixels, mask))
        return GroundTruth(frame.name, size, tuple(segments))

    def _release(self) -> Path:
        """The release's folder: the root's own child, or a few folders further down as some archives unpack it."""
        for pattern in (RELEASE, f"*/{RELEASE}", f"*/*/{RELEASE}"):
            if found := sorted(self.root.glob(pattern)):
                return found[0]
        return self.root / RELEASE

    def _visible(self, frame: Frame, name: str, size: tuple[int, int]) -> NDArray[np.bool_]:
        path = frame.image.parent / name
        with open_image(path) as image:
            check_size(path, (image.height, image.width), frame.image)
            values: NDArray[np.uint8] = np.asarray(image.convert("L"))
        return values == VISIBLE


def read_annotation(path: Path) -> tuple[list[dict[str, Any]], tuple[int, int]]:
    """The objects of one frame's JSON, and its (height, width).

    Raises:
        InputError: the file is missing, or not such an annotation.
    """
    try:
        annotation = json.loads(path.read_text(encoding="latin-1"))["annotation"]
        height, width = (int(v) for v in annotation["imsize"][:2])
        objects = annotation["object"]
        objects = [objects] if isinstance(objects, dict) else objects
        for item in objects:
            item["id"], item["name_ndx"], item["instance_mask"], item["parts"]["part_level"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            path, found=f"no annotation ({type(error).__name__}: {error})",
            expected="the JSON of ADE20K 2021_17_01 with annotation.imsize and annotation.object",
            fix="Extract the data set again.",
        ) from error  # fmt: skip
    return objects, (height, width)
