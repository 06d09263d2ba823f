"""ADE20K, training data only: no benchmark of the challenge takes submissions for it. Three releases are read.

- ``2021``: ``ADE20K_2021_17_01/images/ADE/{training,validation}/<group>/<scene>/X.{jpg,json}`` and ``X/*.png``.
- ``2016``: ``ADE20K_2016_07_26/images/{training,validation}/<letter>/<scene>/X.jpg`` and ``X_seg.png``.
- ``places``: the Places challenge, ``images/{training,validation}/X.jpg``, ``annotations_instance/.../X.png``.

Sources: CSAILVision/ADE20K README and ``utils/utils_ade20k.py``; placeschallenge ``instancesegmentation/README.md``.
Classes: ``dataset_adapters.ade20k_classes``. Parts of objects and all other classes are background.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dataset_adapters import rle
from dataset_adapters.ade20k_classes import ADE_CLASSES
from dataset_adapters.annotations.instance_map import annotation_of, check_size
from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.folders import existing
from dataset_adapters.ground_truth import GroundTruth, Segment
from dataset_adapters.images import read_channels, read_gray
from dataset_adapters.json_files import open_json
from dataset_adapters.labels import Label, LabelTable
from dataset_adapters.problems import InputError

RELEASE = "ADE20K_2021_17_01"
RELEASE_2016 = "ADE20K_2016_07_26"
PLACES = "annotations_instance"

VISIBLE, OCCLUDED = 255, 128
"""Values of an instance mask: the object's visible pixels, and the hidden rest of it."""

FULL_CLASSES = 3688
"""Classes of the full index in 2021 (ADE20K README); 2016 has fewer with the same numbers."""
PLACES_CLASSES = 100

SPLIT_FOLDERS: dict[Split, tuple[str, ...]] = {
    "train": ("training",),
    "val": ("validation",),
    "trainval": ("training", "validation"),
}


class Ade20k(DatasetAdapter):
    """The release of 2021: an object's mask is a file of its own, which also tells what of it is occluded."""

    name = "ade20k"
    title = "ADE20K"
    labels = LabelTable(tuple(Label(c.index, c.name, has_instances=True) for c in ADE_CLASSES))
    splits = {"train": 25574, "val": 2000, "trainval": 27574}
    class_map = {c.name: c.joint for c in ADE_CLASSES}
    known_by = (RELEASE, RELEASE_2016, PLACES)
    profile = "2021"
    release: ClassVar[str] = RELEASE
    photo_depths: ClassVar[tuple[str, ...]] = ("images/ADE/{split}/*/*/*.jpg",)

    @classmethod
    def recognise(cls, root: Path) -> str:
        """The newest release that is there."""
        return next((c.profile for c in (Ade20k, Ade20k2016, AdePlaces) if c.is_here(root)), cls.profile)

    @classmethod
    def is_here(cls, root: Path) -> bool:
        return cls.find_release(root).is_dir()

    @classmethod
    def find_release(cls, root: Path) -> Path:
        """The release's folder: the root's own child, or a few folders further down as some archives unpack it."""
        for pattern in (cls.release, f"*/{cls.release}", f"*/*/{cls.release}"):
            for found in existing(root, pattern):
                return found
        return root / cls.release

    def misplaced(self) -> tuple[str, str] | None:
        """Nothing explains it where a release is found, be it a few folders further down."""
        return None if self.is_here(self.root) else super().misplaced()

    def list_frames(self, split: Split) -> list[Frame]:
        """The photos of the split's folders."""
        return [Frame(photo.stem, photo, self._annotation(photo)) for photo in self.photos(split)]

    def photo_patterns(self, split: Split) -> tuple[str, ...]:
        release = self.find_release(self.root).relative_to(self.root)
        folders = SPLIT_FOLDERS.get(split, ())
        return tuple(f"{release.as_posix()}/{p.format(split=f)}" for f in folders for p in self.photo_depths)

    def read_ground_truth(self, frame: Frame) -> GroundTruth:
        """The visible pixels of every whole object of a mapped class.

        Raises:
            InputError: the JSON or a mask is missing, broken or of another size than the photo, or a class is unknown.
        """
        path = annotation_of(frame)
        objects, size = read_annotation(path)
        check_size(path, size, frame.image)
        check_classes(path, max((item.index for item in objects), default=0), FULL_CLASSES)
        segments = []
        for item in objects:
            label = self.labels.by_id.get(item.index)
            if label is not None and item.part_level == 0 and (mask := self._visible(frame, item.mask)):
                segments.append(Segment(item.id, label, rle.area(mask), mask))
        return GroundTruth(frame.name, size, tuple(segments))

    def ground_truth_files(self, frame: Frame) -> list[Path]:
        """The photo, the JSON and the folder of masks, whose own time changes with every file put there."""
        masks = frame.image.with_suffix("")
        return [*super().ground_truth_files(frame), masks, *existing(masks, "*.png")]

    def annotations(self) -> Iterator[Path]:
        for pattern in self.photo_patterns("trainval"):
            yield from existing(self.root, f"{pattern.removesuffix('jpg')}json")

    def _annotation(self, photo: Path) -> Path:
        return photo.with_suffix(".json")

    def _visible(self, frame: Frame, name: str) -> rle.Rle | None:
        """An object's visible pixels, None without any."""
        path = frame.image.parent / name
        values = read_gray(path)
        check_size(path, (values.shape[0], values.shape[1]), frame.image)
        regions = rle.from_id_map(values)
        if not regions.keys() & {VISIBLE, OCCLUDED} and any(regions):
            raise InputError(
                path, found=f"the values {list(regions)[:5]}",
                expected=f"{VISIBLE} where it is visible, {OCCLUDED} where it is hidden, else 0",
                fix="The file was converted; get the original again.",
            )  # fmt: skip
        return regions.get(VISIBLE)


class Ade20k2016(Ade20k):
    """The release of 2016: class and object of a pixel stand in the colours of one PNG."""

    name = "ade20k"
    splits = {"train": 20210, "val": 2000, "trainval": 22210}
    profile = "2016"
    release = RELEASE_2016
    photo_depths: ClassVar[tuple[str, ...]] = ("images/{split}/*/*/*.jpg", "images/{split}/*/*/*/*.jpg")

    def read_ground_truth(self, frame: Frame) -> GroundTruth:
        """Every object of a mapped class; its native id is the rank of its B among the image's, without 0, no object.

        Raises:
            InputError: the PNG is missing, broken, no RGB, of another size than the photo, or has unknown classes.
        """
        colours = read_channels(annotation_of(frame)).astype(np.uint32)
        classes = colours[..., 0] // 10 * 256 + colours[..., 1]
        present = np.flatnonzero(np.bincount(colours[..., 2].ravel(), minlength=256)[1:]) + 1
        ranks = np.zeros(256, dtype=np.uint32)
        ranks[present] = np.arange(1, len(present) + 1)
        return self._segments(frame, classes, ranks[colours[..., 2]], FULL_CLASSES)

    def ground_truth_files(self, frame: Frame) -> list[Path]:
        return DatasetAdapter.ground_truth_files(self, frame)

    def annotations(self) -> Iterator[Path]:
        for pattern in self.photo_patterns("trainval"):
            yield from existing(self.root, f"{pattern.removesuffix('.jpg')}_seg.png")

    def _annotation(self, photo: Path) -> Path:
        return photo.with_name(f"{photo.stem}_seg.png")

    def _segments(
        self, frame: Frame, classes: NDArray[np.unsignedinteger], numbers: NDArray[np.integer], count: int
    ) -> GroundTruth:
        """The objects of two (H, W) maps, of classes up to ``count`` and of numbers up to 255; number 0 is none."""
        path, size = annotation_of(frame), (classes.shape[0], classes.shape[1])
        check_size(path, size, frame.image)
        check_classes(path, int(classes.max()), count)
        both = classes.astype(np.uint32) * 256 + numbers.astype(np.uint32)
        masks = rle.from_id_map(both, lambda value: value // 256 in self.labels.by_id and value % 256 > 0)
        segments = (Segment(v % 256, self.labels.by_id[v // 256], rle.area(m), m) for v, m in masks.items())
        return GroundTruth(frame.name, size, tuple(sorted(segments, key=lambda segment: segment.native_id)))


class AdePlaces(Ade20k2016):
    """The Places challenge of 2017: 100 classes, of which 27 are mapped; both kinds of door are one."""

    name = "ade20k"
    title = "ADE20K (Places challenge)"
    labels = LabelTable(
        tuple({c.places: Label(c.places, c.name, has_instances=True) for c in reversed(ADE_CLASSES)}.values())[::-1]
    )
    class_map = {label.name: Ade20k.class_map[label.name] for label in labels}
    profile = "places"
    release = PLACES
    photo_depths = ("{split}/*.jpg",)

    def read_ground_truth(self, frame: Frame) -> GroundTruth:
        """Every object of a mapped class: R is the class, G the object's number.

        Raises:
            InputError: the PNG is missing, broken, no RGB, of another size than the photo, or has unknown classes.
        """
        colours = read_channels(annotation_of(frame))
        return self._segments(frame, colours[..., 0], colours[..., 1], PLACES_CLASSES)

    def photo_patterns(self, split: Split) -> tuple[str, ...]:
        return tuple(pattern.replace(PLACES, "images") for pattern in super().photo_patterns(split))

    def annotations(self) -> Iterator[Path]:
        for folder in SPLIT_FOLDERS["trainval"]:
            yield from existing(self.find_release(self.root), f"{folder}/*.png")

    def _annotation(self, photo: Path) -> Path:
        return self.find_release(self.root) / photo.parent.name / f"{photo.stem}.png"


@dataclass(frozen=True, slots=True)
class AdeObject:
    """An object of 2021's JSON.

    Attributes:
        id: its number in the image.
        index: its class in the full index.
        part_level: 0 for a whole object, 1 and more for a part.
        mask: path of its mask from the photo's folder.
    """

    id: int
    index: int
    part_level: int
    mask: str


def read_annotation(path: Path) -> tuple[list[AdeObject], tuple[int, int]]:
    """The objects of one frame's JSON, and its (height, width).

    Raises:
        InputError: the file is missing, or not such an annotation.
    """
    with open_json(
        path, what="annotation", expected="the JSON of ADE20K 2021_17_01 with annotation.imsize and annotation.object",
        fix="Extract the data set again.", encoding="latin-1",
    ) as data:  # fmt: skip
        height, width = (int(v) for v in data["annotation"]["imsize"][:2])
        objects = data["annotation"]["object"]
        return [_object(item) for item in ([objects] if isinstance(objects, dict) else objects)], (height, width)


def _object(item: Mapping[str, Any]) -> AdeObject:
    mask = PurePosixPath(item["instance_mask"])
    if mask.is_absolute() or ".." in mask.parts:
        raise ValueError(f"instance_mask {str(mask)!r} leads out of the folder")
    return AdeObject(int(item["id"]), int(item["name_ndx"]), int(item["parts"]["part_level"]), str(mask))


def check_classes(path: Path, highest: int, count: int) -> None:
    """Require classes up to ``count``.

    Raises:
        InputError: there is a higher one.
    """
    if highest > count:
        raise InputError(
            path, found=f"class {highest}", expected=f"classes up to {count}",
            fix="The file is of another release, or was resized with colours mixed; get the original.",
        )  # fmt: skip
