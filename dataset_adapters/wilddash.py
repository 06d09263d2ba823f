"""WildDash: v1 of ROB 2018, flat folders with Cityscapes' labels and coding, and WildDash 2, COCO panoptic.

Sources: the ROB 2018 devkit ``benchmark_wilddash.py`` (v1); wilddash_scripts ``pano2sem.py``, the RVC devkit's
``wilddash-config.json`` (v2's labels) and ``test_set_pano.sh`` (812 test frames), the README of SearchAD's devkit (5068
with the public ones); ``wd2_unified_label_policy.json`` (v2's classes as Cityscapes').
Which frame is a negative or shows which hazard has no public file: ``dataset_adapters.annotations.frame_sets``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from dataset_adapters.annotations.coding import InstanceCoding
from dataset_adapters.annotations.frame_sets import FRAME_SETS_FILE, HAZARDS, SEVERITIES, read_frame_sets, unmatched
from dataset_adapters.annotations.instance_map import read_instance_map
from dataset_adapters.annotations.panoptic import PanopticIndex, read_panoptic, read_panoptic_index
from dataset_adapters.base import DatasetAdapter, Frame, Split, every_fifth
from dataset_adapters.cityscapes import CODING, decode_instance_id
from dataset_adapters.folders import existing
from dataset_adapters.ground_truth import GroundTruth
from dataset_adapters.labels import ROAD_CLASSES, ROAD_LABELS, Label, LabelTable
from dataset_adapters.problems import Problem
from dataset_adapters.submission.coco_layout import CocoSubmission
from dataset_adapters.submission.layout import PRED_LIST
from dataset_adapters.wilddash2_classes import FINER_CATEGORIES

__all__ = ["FRAME_SETS_FILE", "HAZARDS", "SEVERITIES", "WildDash", "WildDash2", "read_frame_sets"]

FRAME_NAME = r"[a-z]{2}\d{4}_\d{6}"
PHOTO = re.compile(rf"{FRAME_NAME}\.png")
FOLDERS_1 = ("wd_val_01", "wd_both_01", "wd_bench_01")
PUBLIC_2 = ("wd_public_02", "wd_public_v2p0")
"""WildDash 2's annotated frames, in its first and in its present archive."""
FOLDERS_2 = (*PUBLIC_2, "wd_both_02")


class WildDash(DatasetAdapter):
    """v1: 70 annotated frames, of which ``val`` is every fifth; test frames in ``wd_both_01`` or ``wd_bench_01``."""

    name = "wilddash"
    title = "WildDash"
    labels = ROAD_LABELS
    splits = {"train": 56, "val": 14, "trainval": 70, "test": 156}
    class_map = {name: name for name in ROAD_CLASSES}
    known_by = (*FOLDERS_1, *FOLDERS_2)
    profile = "v1"
    release_folders = FOLDERS_1
    coding: ClassVar[InstanceCoding | None] = CODING
    submission = replace(PRED_LIST, frame_name=FRAME_NAME, other_counts=(156, 226))

    @classmethod
    def recognise(cls, root: Path) -> str:
        """v2 where only its folders are there: v1 is what ROB 2018 evaluates."""
        return "v2" if WildDash2.is_here(root) and not WildDash.is_here(root) else "v1"

    def list_frames(self, split: Split) -> list[Frame]:
        """The photos of ``wd_val_01``, or of the test folder."""
        photos = [path for path in self.photos(split) if PHOTO.fullmatch(path.name)]
        if split == "test":
            return [Frame(p.stem, p, None) for p in photos]
        return every_fifth((Frame(p.stem, p, p.with_name(f"{p.stem}_instanceIds.png")) for p in photos), split)

    def photo_patterns(self, split: Split) -> tuple[str, ...]:
        return (f"{self._test_folder()}/[a-z]*.png",) if split == "test" else ("wd_val_01/[a-z]*_100000.png",)

    def layout_hint(self, split: Split) -> str:
        return "wd_both_01/*.png or wd_bench_01/*.png" if split == "test" else "wd_val_01/*_100000.png"

    def frames_expected(self, split: Split) -> int | None:
        """``wd_both_01`` holds the 70 annotated frames and the 156 of the benchmark, ``wd_bench_01`` only these."""
        expected = super().frames_expected(split)
        is_official = split == "test" and expected == self.splits["test"]
        return 226 if is_official and self._test_folder() == "wd_both_01" else expected

    def read_ground_truth(self, frame: Frame) -> GroundTruth:
        """Segments of the 16-bit instance map."""
        return read_instance_map(frame, self.labels, decode_instance_id)

    def annotations(self) -> Iterator[Path]:
        return existing(self.root, "wd_val_01/*_instanceIds.png")

    def frame_sets(self) -> Mapping[str, frozenset[str]]:
        """frame -> its sets, from the table that the options name or that lies in the folder or beside the photos.

        Raises:
            InputError: the table is not what docs/wilddash-frame-sets.md says, or a named one is missing.
        """
        path = self._frame_sets_file()
        return {} if path is None else read_frame_sets(path)

    def remarks(self) -> Iterator[Problem]:
        """Another release, and a table of frame sets that does not fit the frames."""
        yield from super().remarks()
        if (path := self._frame_sets_file()) is not None:
            annotated, test = ([frame.name for frame in self.list_frames(split)] for split in ("trainval", "test"))
            yield from unmatched(path, read_frame_sets(path), annotated, test)

    def _frame_sets_file(self) -> Path | None:
        beside = (self.root / folder / FRAME_SETS_FILE for folder in ("", *self.known_by))
        return self.options.frame_sets or next((path for path in beside if path.is_file()), None)

    def _test_folder(self) -> str:
        return "wd_both_01" if (self.root / "wd_both_01").is_dir() else "wd_bench_01"


WILDDASH2_ROAD_NAMES = {"train": "on rails"}
WILDDASH2_CLASSES = {
    **{WILDDASH2_ROAD_NAMES.get(name, name): name for name in ROAD_CLASSES},
    "pickup": "truck",
    "van": "car",
}
"""WildDash 2's evaluated instance classes as Cityscapes' (``wd2_unified_label_policy.json``). The eleventh, ``ego
vehicle``, has no class in the joint space: no training learns it, as in Cityscapes."""

WILDDASH2_LABELS = LabelTable(
    tuple(
        Label(label.id, label.name, has_instances=True, evaluated=True)
        if label.name == "ego vehicle"
        else replace(label, name=WILDDASH2_ROAD_NAMES.get(label.name, label.name))
        for label in ROAD_LABELS
        if label.id >= 0
    )
    + tuple(Label(i, name, has_instances=True, evaluated=True) for i, name in ((34, "pickup"), (35, "van")))
    + tuple(Label(i, name) for i, name in ((36, "billboard"), (37, "streetlight"), (38, "road-marking")))
)
"""``wilddash-config.json`` of the RVC devkit, with the 11 instance classes that the server scores."""

WILDDASH2_CATEGORIES = {
    **WILDDASH2_LABELS.by_id,
    **{finer.id: WILDDASH2_LABELS.by_name[finer.cs_name] for finer in FINER_CATEGORIES},
}
"""``category_id`` of either release -> the label that it counts as."""


class WildDash2(WildDash):
    """v2: ``panoptic.json`` with its folder of PNGs; ``val`` is every fifth frame."""

    name = "wilddash"
    title = "WildDash 2"
    labels = WILDDASH2_LABELS
    splits = {"train": 3405, "val": 851, "trainval": 4256, "test": 812}
    class_map = WILDDASH2_CLASSES
    profile = "v2"
    release_folders = FOLDERS_2
    coding = None
    submission = replace(PRED_LIST, frame_name=FRAME_NAME)
    coco_submission = CocoSubmission("wilddash_results.json")

    def list_frames(self, split: Split) -> list[Frame]:
        """The photos of ``images``; those that the JSON does not list have no annotation of their own."""
        if split == "test":
            return [Frame(p.stem, p, None) for p in self.photos(split)]
        folder = self._public()
        if not (folder / "images").is_dir():
            return []
        pngs = self._index.images
        return every_fifth(
            (Frame(p.stem, p, folder / "panoptic" / pngs.get(p.name, f"{p.stem}.png")) for p in self.photos(split)),
            split,
        )

    def photo_patterns(self, split: Split) -> tuple[str, ...]:
        return ("wd_both_02/images/*.jpg",) if split == "test" else (f"{self._public().name}/images/*.jpg",)

    def layout_hint(self, split: Split) -> str:
        return f"{self.photo_patterns(split)[0]}, with panoptic.json and panoptic/*.png beside images"

    def frames_expected(self, split: Split) -> int | None:
        return DatasetAdapter.frames_expected(self, split)

    def ground_truth_files(self, frame: Frame) -> list[Path]:
        return [*super().ground_truth_files(frame), self._public() / "panoptic.json"]

    def read_ground_truth(self, frame: Frame) -> GroundTruth:
        """The segments of the PNG that the JSON names."""
        return read_panoptic(frame, self._index, WILDDASH2_CATEGORIES)

    def annotations(self) -> Iterator[Path]:
        return existing(self.root, f"{self._public().name}/panoptic/*.png")

    @cached_property
    def _index(self) -> PanopticIndex:
        return read_panoptic_index(self._public() / "panoptic.json")

    def __getstate__(self) -> dict[str, object]:
        """Worker processes read the JSON for themselves: it is larger than the way to it."""
        return {name: value for name, value in vars(self).items() if name != "_index"}

    def _public(self) -> Path:
        return next((self.root / name for name in PUBLIC_2 if (self.root / name).is_dir()), self.root / PUBLIC_2[0])
