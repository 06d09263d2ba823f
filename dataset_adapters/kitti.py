"""KITTI 2015 semantics and instances: ``training/{image_2,instance}/NNNNNN_10.png``, ``testing/image_2``.

Source: the devkit's README (``devkit_semantics``). Sizes differ from frame to frame.
"""

from __future__ import annotations

from dataset_adapters.base import DatasetAdapter, Frame, Split, every_fifth, read_instance_map
from dataset_adapters.ground_truth import GroundTruth
from dataset_adapters.labels import ROAD_CLASSES, ROAD_LABELS
from dataset_adapters.submission import PRED_LIST


def decode_instance_id(value: int) -> tuple[int, bool]:
    """Pixel value -> (label id, is a group): ``label * 256 + instance``, instance 0 being no single object."""
    return value // 256, value % 256 == 0


class Kitti(DatasetAdapter):
    """200 annotated frames, of which ``val`` is every fifth, and 200 test frames."""

    name = "kitti"
    title = "KITTI"
    labels = ROAD_LABELS
    splits = {"train": 160, "val": 40, "trainval": 200, "test": 200}
    class_map = {name: name for name in ROAD_CLASSES}
    submission = PRED_LIST

    def list_frames(self, split: Split) -> list[Frame]:
        """The photos of ``training`` or ``testing``."""
        if split == "test":
            return [Frame(p.stem, p, None) for p in (self.root / "testing" / "image_2").glob("*_10.png")]
        photos = (self.root / "training" / "image_2").glob("*_10.png")
        annotations = self.root / "training" / "instance"
        return every_fifth((Frame(p.stem, p, annotations / p.name) for p in photos), split)

    def layout_hint(self, split: Split) -> str:
        return "testing/image_2/*_10.png" if split == "test" else "training/image_2/*_10.png"

    def ground_truth(self, frame: Frame) -> GroundTruth:
        """Segments of the 16-bit instance map."""
        return read_instance_map(frame, self.labels, decode_instance_id)
