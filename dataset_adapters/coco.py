"""COCO: ``annotations/instances_{train,val}2017.json`` with photos in ``images/train2017`` or ``train2017``.

The worked example of docs/adding-a-benchmark.md, and more training data for the classes that it shares with the joint
space. Source: COCO's "Data format" page; pycocotools rasterises its polygons.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from dataset_adapters import rle
from dataset_adapters.annotations.coco_polygons import draw
from dataset_adapters.annotations.instance_map import annotation_of, check_size, known_label
from dataset_adapters.base import SPLITS, DatasetAdapter, Frame, Split, remark
from dataset_adapters.folders import existing
from dataset_adapters.ground_truth import GroundTruth, Segment
from dataset_adapters.json_files import UNFIT, open_json, read_once
from dataset_adapters.labels import Label, LabelTable
from dataset_adapters.problems import InputError, Problem
from dataset_adapters.run_lengths import broken_masks

COCO_NAMES = (
    "person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant - stop_sign parking_meter "
    "bench bird cat dog horse sheep cow elephant bear zebra giraffe - backpack umbrella - - handbag tie suitcase "
    "frisbee skis snowboard sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle - "
    "wine_glass cup fork knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair "
    "couch potted_plant bed - dining_table - - toilet - tv laptop mouse remote keyboard cell_phone microwave oven "
    "toaster sink refrigerator - book clock vase scissors teddy_bear hair_drier toothbrush"
).split()
"""Category 1 to 90; a dash is a number that COCO never used."""

COUNTS: dict[str, dict[Split, int]] = {
    "2017": {"train": 118287, "val": 5000, "trainval": 123287, "test": 40670},
    "2014": {"train": 82783, "val": 40504, "trainval": 123287, "test": 40775},
}
"""Year of a release -> its images; where both are there, the first is read."""


class Coco(DatasetAdapter):
    """Every annotation is an object; a crowd is a group. Masks may overlap."""

    name = "coco"
    title = "COCO"
    labels = LabelTable(
        tuple(
            Label(number, name.replace("_", " "), has_instances=True, evaluated=True)
            for number, name in enumerate(COCO_NAMES, start=1) if name != "-"
        )
    )  # fmt: skip
    splits = COUNTS["2017"]
    class_map = {
        **{name: name for name in ("person", "car", "truck", "bus", "train", "motorcycle", "bicycle")},
        **{name: name for name in ("bed", "chair", "refrigerator", "toilet", "sink")},
        "couch": "sofa", "dining table": "table",
    }  # fmt: skip
    objects_overlap = True
    known_by = ("annotations",)

    def list_frames(self, split: Split) -> list[Frame]:
        """The images that the split's JSON lists, whether their photos are there or not."""
        if split == "trainval":
            return self.list_frames("train") + self.list_frames("val")
        path = self._json(split)
        if not path.is_file():
            return []
        index, folder = read_coco_index(path), self._photos(path)
        annotation = None if split == "test" else path
        return [Frame(Path(name).stem, folder / name, annotation) for name in index.file_names.values()]

    def frames_expected(self, split: Split) -> int | None:
        """The count of the year that is there."""
        own, year = super().frames_expected(split), self._json("train" if split == "trainval" else split).stem[-4:]
        return COUNTS[year][split] if own == self.splits[split] else own

    def remarks(self) -> Iterator[Problem]:
        """Photos that no JSON lists, and the other year's JSON."""
        for split in SPLITS[:2]:  # train and val: trainval is both
            path = self._json(split)
            if path.is_file():
                yield from self._unlisted(path)
            for other in self._jsons(split)[1:]:
                if other != path and other.is_file():
                    yield remark(
                        "other-release", other, found=f"a second release beside {path.name}", expected="one of the two",
                        fix="It is left aside; move the other away to read it.",
                    )  # fmt: skip

    def _unlisted(self, path: Path) -> Iterator[Problem]:
        folder = self._photos(path)
        listed = set(read_coco_index(path).file_names.values())
        strangers = [photo for photo in existing(folder, "*.jpg") if photo.name not in listed]
        if strangers:
            yield remark(
                "photo-unlisted", strangers[0], found=f"{len(strangers)} photos that {path.name} does not list",
                expected="the photos of its images", fix="They are left aside; get the JSON that lists them.",
            )  # fmt: skip

    def layout_hint(self, split: Split) -> str:
        stem = self._json(split).stem if split == "test" else "instances_{train,val}2017"
        return f"annotations/{stem}.json and images/{stem.rpartition('_')[2]}/*.jpg"

    def image_names(self, split: Split) -> Mapping[int, str]:
        """image_id, as it stands in COCO results -> the frame's name."""
        if split == "trainval":
            return {**self.image_names("train"), **self.image_names("val")}
        names = read_coco_index(self._json(split)).file_names
        return {image_id: Path(name).stem for image_id, name in names.items()}

    def read_ground_truth(self, frame: Frame) -> GroundTruth:
        """The frame's annotations, those whose polygon holds no pixel too: pycocotools counts them as objects.

        Raises:
            InputError: the JSON or one of the frame's annotations is broken, its size is not the photo's, or a
                category is unknown.
        """
        path = annotation_of(frame)
        number, size, annotations = read_coco_index(path).of(frame.image.relative_to(self._photos(path)).as_posix())
        check_size(path, size, frame.image)
        segments = [self._segment(path, item, size) for item in annotations]
        return GroundTruth(frame.name, size, tuple(sorted(segments, key=lambda s: s.native_id)), number)

    def _segment(self, path: Path, item: Mapping[str, Any], size: tuple[int, int]) -> Segment:
        try:
            number, category, crowd = int(item["id"]), int(item["category_id"]), {0: False, 1: True}[item["iscrowd"]]
            area = None if item["area"] is None else float(item["area"])
        except UNFIT as error:
            told = ", ".join(f"{key} {item[key]!r}" for key in ("id", "category_id", "iscrowd", "area"))
            raise InputError(
                path, found=f"an annotation with {told}",
                expected="numbers as id, category_id and area (which may be missing), and 0 or 1 as iscrowd",
                fix="Get the annotations again.",
            ) from error  # fmt: skip
        label = known_label(self.labels, category, path, number)
        mask = as_rle(path, number, item["segmentation"], size)
        return Segment(number, label, rle.area(mask), mask, crowd, stated_area=area)

    def _json(self, split: Split) -> Path:
        paths = self._jsons(split)
        return next((path for path in paths if path.is_file()), paths[0])

    def _jsons(self, split: Split) -> list[Path]:
        """The split's JSON of every year, there or not."""
        stem = "image_info_test" if split == "test" else f"instances_{split}"
        return [self.root / "annotations" / f"{stem}{year}.json" for year in COUNTS]

    def _photos(self, path: Path) -> Path:
        """``train2017`` for ``instances_train2017.json``, under ``images`` or not."""
        name = path.stem.rpartition("_")[2]
        beside = self.root / name
        return beside if beside.is_dir() else self.root / "images" / name


class CocoIndex:
    """One COCO JSON, by image. Annotations stay JSON text until they are asked for: as objects they take ten times
    the memory."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.file_names = {int(i["id"]): _below(str(i["file_name"])) for i in data["images"]}
        self._numbers = {name: number for number, name in self.file_names.items()}
        self._sizes = {_below(str(i["file_name"])): (int(i["height"]), int(i["width"])) for i in data["images"]}
        self._texts: dict[str, list[bytes]] = defaultdict(list)
        for item in data.get("annotations", ()):
            wanted = {key: item[key] for key in ("id", "category_id", "iscrowd", "segmentation")}
            wanted["area"] = item.get("area")
            self._texts[self.file_names[item["image_id"]]].append(json.dumps(wanted).encode("ascii"))

    def of(self, file_name: str) -> tuple[int, tuple[int, int], list[dict[str, Any]]]:
        """An image's id, its (height, width), and its annotations."""
        annotations = [json.loads(text) for text in self._texts.get(file_name, ())]
        return self._numbers[file_name], self._sizes[file_name], annotations


def _below(file_name: str) -> str:
    """A photo's place below the folder of photos."""
    path = PurePosixPath(file_name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"the file_name {file_name!r}, which leads elsewhere")
    return path.as_posix()


def read_coco_index(path: Path) -> CocoIndex:
    """Read a COCO JSON once for as long as it stays the same.

    Raises:
        InputError: the file is missing, or not COCO.
    """
    return read_once(path, _read_index)


def _read_index(path: Path) -> CocoIndex:
    with open_json(
        path, what="COCO annotations", expected="JSON with images and annotations",
        fix="Extract annotations_trainval2017.zip again.",
    ) as data:  # fmt: skip
        return CocoIndex(data)


def as_rle(path: Path, number: int, segmentation: object, size: tuple[int, int]) -> rle.Rle:
    """An annotation's segmentation, which is a list of polygons or a compressed or uncompressed RLE, as compressed RLE.

    Raises:
        InputError: it is none of these.
    """
    try:
        if isinstance(segmentation, list):
            return draw(segmentation, size)
        if isinstance(segmentation, dict) and list(segmentation["size"]) == list(size):
            return _checked_rle(segmentation["counts"], size)
    except UNFIT:
        pass
    raise InputError(
        path, found=f"annotation {number} with no mask of {size[1]} x {size[0]} pixels: {str(segmentation)[:60]}",
        expected="polygons, or an RLE of the image's size", fix="Get the annotations again.",
    )  # fmt: skip


def _checked_rle(counts: list[int] | str, size: tuple[int, int]) -> rle.Rle:
    """Runs that add up to (height, width), as compressed RLE; ValueError for others, which pycocotools believes."""
    if isinstance(counts, list):
        if not all(type(run) is int and run >= 0 for run in counts) or sum(counts) != size[0] * size[1]:
            raise ValueError("runs of another size")
        return rle.from_runs(counts, size)
    mask = rle.Rle(size=list(size), counts=counts.encode("ascii"))
    if broken_masks([mask["counts"]], size[0] * size[1]):
        raise ValueError("runs of another size")
    return mask
