"""ScanNet's 2D tasks: ``scannet_frames_25k/<scene>/{color,instance,label}`` and ``scannet_frames_test``.

Sources: ScanNet ``BenchmarkScripts/README.md`` and ``2d_evaluation/``; scene lists ``Tasks/Benchmark/scannetv2_*.txt``.
"""

from __future__ import annotations

from pathlib import Path

from dataset_adapters.base import DatasetAdapter, Frame, Split, read_instance_map
from dataset_adapters.ground_truth import GroundTruth
from dataset_adapters.labels import INDOOR_CLASSES, INDOOR_THINGS, Label, LabelTable
from dataset_adapters.submission import SubmissionLayout

NYU40_NAMES = {
    0: "unlabeled", 1: "wall", 2: "floor", 13: "blinds", 15: "shelves", 17: "dresser", 18: "pillow", 19: "mirror",
    20: "floor mat", 21: "clothes", 22: "ceiling", 23: "books", 25: "television", 26: "paper", 27: "towel", 29: "box",
    30: "whiteboard", 31: "person", 32: "nightstand", 35: "lamp", 37: "bag", 38: "otherstructure", 40: "otherprop",
}  # fmt: skip

SCANNET_LABELS = LabelTable(
    tuple(
        sorted(
            (*INDOOR_THINGS, *(Label(i, name, void=i == 0) for i, name in NYU40_NAMES.items())),
            key=lambda label: label.id,
        )
    )
)
"""The NYU40 labels; 18 of them are evaluated as instances."""

VAL_SPACES = frozenset(
    int(number)
    for number in """
    11 15 19 25 30 46 50 63 64 77 81 84 86 88 95 100 131 139 144 146 149 153 164 169 187 193 196 203 207 208
    217 221 222 231 246 249 251 256 257 277 278 300 304 307 314 316 328 329 334 338 342 343 351 353 354 355 356
    357 377 378 382 389 406 412 414 423 426 427 430 432 435 441 458 461 462 474 488 490 494 496 500 518 527 535
    549 550 552 553 558 559 565 568 574 575 578 580 583 591 593 595 598 599 606 607 608 609 616 618 621 629 633
    643 644 645 647 648 651 652 653 655 658 660 663 664 665 670 671 678 684 685 686 689 690 693 695 696 697 699
    700 701 702 704
    """.split()
)
"""The rooms NNNN of ``sceneNNNN_MM`` in ``scannetv2_val.txt``; train is the rest of 0 to 706, test is 707 to 806."""


def decode_instance_id(value: int) -> tuple[int, bool]:
    """Pixel value -> (label id, is a group): ``nyu40 * 1000 + instance``, instance 0 being no single object."""
    return value // 1000, value % 1000 == 0


class ScanNet(DatasetAdapter):
    """The 25k frames of v2; frames are named ``<scene>_<frame>`` as a submission names them."""

    name = "scannet"
    title = "ScanNet"
    labels = SCANNET_LABELS
    splits = {"train": 19466, "val": 5436, "trainval": 24902, "test": 2135}
    class_map = {name: name for name in INDOOR_CLASSES}
    submission = SubmissionLayout(
        list_name="{frame}.txt",
        mask_name="predicted_masks/{frame}_{index:03d}.png",
        mask_link="predicted_masks/{frame}_{index:03d}.png",
        skip_unknown_labels=True,
    )

    def list_frames(self, split: Split) -> list[Frame]:
        """The photos of the split's scenes; trainval is train and val."""
        if split == "test":
            return self._scene_frames(self.root / "scannet_frames_test", None, annotated=False)
        scenes = self._scenes("train") | self._scenes("val") if split == "trainval" else self._scenes(split)
        return self._scene_frames(self.root / "scannet_frames_25k", scenes, annotated=True)

    def layout_hint(self, split: Split) -> str:
        folder = "scannet_frames_test" if split == "test" else "scannet_frames_25k"
        return f"{folder}/<scene>/color/*.jpg"

    def ground_truth(self, frame: Frame) -> GroundTruth:
        """Segments of the 16-bit instance map."""
        return read_instance_map(frame, self.labels, decode_instance_id)

    def _scenes(self, split: Split) -> set[str]:
        """The split's scenes: the official list where it lies beside the frames, else by the room's number."""
        listed = self.root / f"scannetv2_{split}.txt"
        if listed.is_file():
            return set(listed.read_text(encoding="utf-8").split())
        found = (path.name for path in (self.root / "scannet_frames_25k").glob("scene????_??"))
        return {scene for scene in found if (int(scene[5:9]) in VAL_SPACES) == (split == "val")}

    def _scene_frames(self, folder: Path, scenes: set[str] | None, *, annotated: bool) -> list[Frame]:
        frames = []
        for photo in folder.glob("scene*/color/*.jpg"):
            scene = photo.parent.parent
            if scenes is None or scene.name in scenes:
                annotation = scene / "instance" / f"{photo.stem}.png" if annotated else None
                frames.append(Frame(f"{scene.name}_{photo.stem}", photo, annotation))
        return frames
