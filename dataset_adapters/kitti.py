"""KITTI 2015 semantics and instances: ``training/{image_2,instance}/NNNNNN_10.png``, ``testing/image_2``.

Source: the devkit's README (``devkit_semantics``). Sizes differ from frame to frame, so each is read from its file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dataset_adapters.annotations.coding import InstanceCoding
from dataset_adapters.annotations.instance_map import read_instance_map
from dataset_adapters.base import DatasetAdapter, Frame, Split, every_fifth
from dataset_adapters.folders import existing
from dataset_adapters.ground_truth import GroundTruth
from dataset_adapters.labels import ROAD_CLASSES, ROAD_LABELS
from dataset_adapters.submission.layout import PRED_LIST

CODING = InstanceCoding(base=256, first=1)

KITTI_LAYOUT = replace(PRED_LIST, zip_limit_mb=500, frame_name=r"\d{6}_10")
"""Its upload form says "too large (>500 MB)", as users of other KITTI tasks quote it (issues melfm/avod-ssd#5,
youmi-zym/CompletionFormer#25); whether that holds for instances too is UNSETTLED."""


def decode_instance_id(value: int) -> tuple[int, bool]:
    """Pixel value -> (label id, is a group): ``label * 256 + instance``, instance 0 being no single object."""
    return CODING.decode(value)


class Kitti(DatasetAdapter):
    """200 annotated frames, of which ``val`` is every fifth, and 200 test frames."""

    name = "kitti"
    title = "KITTI"
    labels = ROAD_LABELS
    splits = {"train": 160, "val": 40, "trainval": 200, "test": 200}
    class_map = {name: name for name in ROAD_CLASSES}
    known_by = ("training", "testing")
    coding = CODING
    submission = KITTI_LAYOUT

    def list_frames(self, split: Split) -> list[Frame]:
        """The photos of ``training`` or ``testing``."""
        photos = self.photos(split)
        if split == "test":
            return [Frame(photo.stem, photo, None) for photo in photos]
        annotations = self.root / "training" / "instance"
        return every_fifth((Frame(photo.stem, photo, annotations / photo.name) for photo in photos), split)

    def photo_patterns(self, split: Split) -> tuple[str, ...]:
        return ("testing/image_2/*_10.png",) if split == "test" else ("training/image_2/*_10.png",)

    def read_ground_truth(self, frame: Frame) -> GroundTruth:
        """Segments of the 16-bit instance map."""
        return read_instance_map(frame, self.labels, decode_instance_id)

    def annotations(self) -> Iterator[Path]:
        return existing(self.root, "training/instance/*_10.png")
