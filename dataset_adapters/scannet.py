"""ScanNet's 2D tasks: ``scannet_frames_25k/<scene>/{color,instance,label}`` and ``scannet_frames_test``.

Two profiles: ``v2``, today's frames and server, and ``rob2018``, the package of the challenge (``scenes_all``,
``scenes_test``), whose ids are 33 higher and packed 256 to a label. Both have the same 18 classes by name.

Sources: ScanNet ``BenchmarkScripts/README.md`` and ``2d_evaluation/`` (its first public commit has the challenge's
coding); scene lists ``Tasks/Benchmark/scannetv2_*.txt``; the ROB 2018 devkit ``benchmark_scannet.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import ClassVar

import numpy as np

from dataset_adapters.annotations.coding import InstanceCoding
from dataset_adapters.annotations.instance_map import read_instance_map
from dataset_adapters.base import SPLITS, DatasetAdapter, Frame, Split, remark
from dataset_adapters.folders import existing
from dataset_adapters.ground_truth import GroundTruth
from dataset_adapters.images import read_id_map
from dataset_adapters.labels import INDOOR_CLASSES, INDOOR_THINGS, Label, LabelTable
from dataset_adapters.problems import InputError, Problem
from dataset_adapters.submission.layout import PRED_LIST, SubmissionLayout

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
"""The rooms NNNN of ``sceneNNNN_MM`` in ``scannetv2_val.txt``."""
SPACES = {"train": frozenset(range(707)) - VAL_SPACES, "val": VAL_SPACES}
"""The rooms of the annotated splits; those of test are 707 to 806."""

CODING = InstanceCoding(base=1000, first=1)
ROB18_CODING = InstanceCoding(base=256, first=1)
ROB18_OFFSET = 33
"""What the challenge added to NYU40 ids, to lay them beside Cityscapes' 0 to 33."""

ROB18_LABELS = LabelTable(
    tuple(replace(label, id=label.id + ROB18_OFFSET if label.id else 0) for label in SCANNET_LABELS)
)
"""NYU40 in the challenge's ids: unlabeled 0, wall 34 to otherprop 73."""

PROBED = 8
"""Annotations that are looked at to recognise the profile; the first with an object decides."""
FRAME_NAME = r"scene\d{4}_\d\d_\d+"
"""A frame's name: scene, scan and number."""


def decode_instance_id(value: int) -> tuple[int, bool]:
    """Pixel value -> (label id, is a group): ``nyu40 * 1000 + instance``, instance 0 being no single object."""
    return CODING.decode(value)


def decode_rob18(value: int) -> tuple[int, bool]:
    """Pixel value -> (label id, is a group): ``(33 + nyu40) * 256 + instance``; unlabeled is 0 or 33."""
    label, is_group = ROB18_CODING.decode(value)
    return (0 if label == ROB18_OFFSET else label), is_group


def recognise_coding(values: Iterable[int]) -> str | None:
    """The profile whose coding explains the values of a map, None for a map without labels.

    Some values can be read both ways, 9473 as desk (37 + ...) or as window number 473; the right coding gives every
    region the smaller number within its label.
    """
    labelled = [value for value in values if value >= 256]
    if not labelled:
        return None
    rob18 = all(decode_rob18(value)[0] in ROB18_LABELS.by_id for value in labelled)
    v2 = all(decode_instance_id(value)[0] in SCANNET_LABELS.by_id for value in labelled)
    if rob18 and v2:
        return "rob2018" if sum(v % 256 for v in labelled) < sum(v % 1000 for v in labelled) else "v2"
    return "rob2018" if rob18 else "v2"


def _profile_of(root: Path, folder: str) -> str | None:
    """The profile by the pixel values of a folder's first annotations, None if they do not tell."""
    for path in islice(existing(root, f"{folder}/scene*/instance/*.png"), PROBED):
        try:
            profile = recognise_coding(np.unique(read_id_map(path)).tolist())
        except InputError:
            continue  # told in full where the frame is read
        if profile:
            return profile
    return None


class ScanNet(DatasetAdapter):
    """The 25k frames of v2; frames are named ``<scene>_<frame>`` as a submission names them."""

    name = "scannet"
    title = "ScanNet"
    labels = SCANNET_LABELS
    splits = {"train": 19466, "val": 5436, "trainval": 24902, "test": 2135}
    class_map = {name: name for name in INDOOR_CLASSES}
    known_by = ("scannet_frames_25k", "scannet_frames_test", "scenes_all", "scenes_test")
    profile = "v2"
    release_folders = ("scannet_frames_25k", "scannet_frames_test")
    coding = CODING
    submission = SubmissionLayout(
        list_name="{frame}.txt",
        mask_name="predicted_masks/{frame}_{index:03d}.png",
        mask_link="predicted_masks/{frame}_{index:03d}.png",
        frame_name=FRAME_NAME,
        skip_unknown_labels=True,
    )
    annotated_folders: ClassVar[tuple[str, ...]] = ("scannet_frames_25k", "scenes_all")
    test_folders: ClassVar[tuple[str, ...]] = ("scannet_frames_test", "scenes_test")
    """Where the frames are, this profile's own folder first: a package may have been unpacked under either name."""

    @classmethod
    def recognise(cls, root: Path) -> str:
        """The profile by pixel values of the first annotations, else by the names of the folders."""
        for folder in ScanNet.annotated_folders:
            if profile := _profile_of(root, folder):
                return profile
        return "rob2018" if ScanNetRob2018.is_here(root) and not ScanNet.is_here(root) else "v2"

    def list_frames(self, split: Split) -> list[Frame]:
        """The photos of the split's scenes; trainval is train and val."""
        if split == "test":
            listed = self._listed(split)
            photos = (photo for photo in self.photos(split) if listed is None or photo.parts[-3] in listed)
            return [self._frame(photo, annotated=False) for photo in photos]
        scenes = self._scenes("train") | self._scenes("val") if split == "trainval" else self._scenes(split)
        photos = (photo for photo in self.photos(split) if photo.parts[-3] in scenes)
        return [self._frame(photo, annotated=True) for photo in photos]

    def photo_patterns(self, split: Split) -> tuple[str, ...]:
        return (f"{self._folder(self.test_folders if split == 'test' else self.annotated_folders)}/scene*/color/*.jpg",)

    def read_ground_truth(self, frame: Frame) -> GroundTruth:
        """Segments of the 16-bit instance map."""
        return read_instance_map(frame, self.labels, decode_instance_id)

    def annotations(self) -> Iterator[Path]:
        scenes = self._scenes("train") | self._scenes("val")
        found = existing(self.root, f"{self._folder(self.annotated_folders)}/scene*/instance/*.png")
        return (path for path in found if path.parts[-3] in scenes)

    def remarks(self) -> Iterator[Problem]:
        """Scenes of no split, and a coding that is not the profile's own."""
        yield from super().remarks()
        folder = self.root / self._folder(self.annotated_folders)
        strangers = sorted(self._annotated_scenes() - self._scenes("train") - self._scenes("val"))
        if strangers:
            yield remark(
                "scene-without-split", folder / strangers[0], found=f"{len(strangers)} scenes of no split",
                expected="scenes that scannetv2_train.txt or scannetv2_val.txt lists, else rooms up to 0706",
                fix="They are left aside; test scenes belong in " + " or ".join(self.test_folders) + ".",
            )  # fmt: skip
        coding = _profile_of(self.root, folder.name)
        if coding not in (None, self.profile):
            yield remark(
                "other-coding", folder, found=f"pixel values of profile {coding}", expected=f"those of {self.profile}",
                fix=f"Leave --profile out, or say --profile scannet={coding}; else every object counts as another.",
            )  # fmt: skip

    def _folder(self, names: tuple[str, ...]) -> str:
        return next((name for name in names if (self.root / name).is_dir()), names[0])

    def _scenes(self, split: Split) -> set[str]:
        """The split's scenes: the official list where it lies beside the frames, else by the room's number."""
        if (listed := self._listed(split)) is not None:
            return listed
        mine = {s for s in self._annotated_scenes() if s[5:9].isdecimal() and int(s[5:9]) in SPACES[split]}
        return mine - (self._listed("train" if split == "val" else "val") or set())

    def _annotated_scenes(self) -> set[str]:
        pattern = f"{self._folder(self.annotated_folders)}/scene????_??"
        return {path.name for path in existing(self.root, pattern)}

    def _listed(self, split: Split) -> set[str] | None:
        """The scenes of the official list, None if it is not there."""
        path = self.root / f"scannetv2_{split}.txt"
        try:
            return set(path.read_text(encoding="utf-8-sig").split()) if path.is_file() else None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                path, found=f"no list of scenes ({error})", expected="text with a scene like scene0000_00 a line",
                fix="Get it again, or delete it: the splits are built in.",
            ) from error  # fmt: skip

    @staticmethod
    def _frame(photo: Path, *, annotated: bool) -> Frame:
        scene = photo.parent.parent
        annotation = scene / "instance" / f"{photo.stem}.png" if annotated else None
        return Frame(f"{scene.name}_{photo.stem}", photo, annotation)


class ScanNetRob2018(ScanNet):
    """The challenge's package. How many frames it had is not public."""

    name = "scannet"
    title = "ScanNet (ROB 2018)"
    labels = ROB18_LABELS
    splits = dict.fromkeys(SPLITS)
    profile = "rob2018"
    release_folders = ("scenes_all", "scenes_test")
    protocol = "scannet_rob18"
    coding = ROB18_CODING
    submission = replace(PRED_LIST, skip_unknown_labels=True, frame_name=FRAME_NAME)
    annotated_folders = ("scenes_all", "scannet_frames_25k")
    test_folders = ("scenes_test", "scannet_frames_test")

    def read_ground_truth(self, frame: Frame) -> GroundTruth:
        """Segments of the 16-bit instance map."""
        return read_instance_map(frame, self.labels, decode_rob18)
