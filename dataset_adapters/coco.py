"""COCO: ``annotations/instances_{train,val}2017.json`` with photos in ``images/train2017`` or ``train2017``.

The worked example of docs/adding-a-benchmark.md, and more training data for the classes that it shares with the joint
space. Source: COCO's "Data format" page; pycocotools rasterises its polygons.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from pycocotools import mask as coco_masks

from dataset_adapters import rle
from dataset_adapters.annotations.instance_map import annotation_of, check_size, known_label
from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.ground_truth import GroundTruth, Segment
from dataset_adapters.labels import Label, LabelTable
from dataset_adapters.problems import InputError

COCO_NAMES = (
    "person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant - stop_sign parking_meter "
    "bench bird cat dog horse sheep cow elephant bear zebra giraffe - backpack umbrella - - handbag tie suitcase "
    "frisbee skis snowboard sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle - "
    "wine_glass cup fork knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair "
    "couch potted_plant bed - dining_table - - toilet - tv laptop mouse remote keyboard cell_phone microwave oven "
    "toaster sink refrigerator - book clock vase scissors teddy_bear hair_drier toothbrush"
).split()
"""Category 1 to 90; a dash is a number that COCO never used."""

YEARS = ("2017", "2014")


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
    splits = {"train": 118287, "val": 5000, "trainval": 123287, "test": 40670}
    class_map = {
        **{name: name for name in ("person", "car", "truck", "bus", "train", "motorcycle", "bicycle")},
        **{name: name for name in ("bed", "chair", "refrigerator", "toilet", "sink")},
        "couch": "sofa", "dining table": "table",
    }  # fmt: skip
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

    def layout_hint(self, split: Split) -> str:
        return "annotations/instances_{train,val}2017.json and images/{train,val}2017/*.jpg"

    def image_names(self, split: Split) -> Mapping[int, str]:
        """image_id, as it stands in COCO results -> the frame's name."""
        names = read_coco_index(self._json(split)).file_names
        return {image_id: Path(name).stem for image_id, name in names.items()}

    def read_ground_truth(self, frame: Frame) -> GroundTruth:
        """The frame's annotations, those whose polygon holds no pixel too: pycocotools counts them as objects.

        Raises:
            InputError: the JSON is broken, its size is not the photo's, or a category is unknown.
        """
        path = annotation_of(frame)
        size, annotations = read_coco_index(path).of(frame.image.name)
        check_size(path, size, frame.image)
        segments = []
        for item in annotations:
            label = known_label(self.labels, int(item["category_id"]), path, int(item["id"]))
            mask = as_rle(path, item["segmentation"], size)
            segments.append(
                Segment(int(item["id"]), label, rle.area(mask), mask, bool(item["iscrowd"]), stated_area=item["area"])
            )
        return GroundTruth(frame.name, size, tuple(sorted(segments, key=lambda segment: segment.native_id)))

    def _json(self, split: Split) -> Path:
        stem = "image_info_test" if split == "test" else f"instances_{split}"
        paths = [self.root / "annotations" / f"{stem}{year}.json" for year in YEARS]
        return next((path for path in paths if path.is_file()), paths[0])

    def _photos(self, path: Path) -> Path:
        """``train2017`` for ``instances_train2017.json``, under ``images`` or not."""
        name = path.stem.rpartition("_")[2]
        beside = self.root / name
        return beside if beside.is_dir() else self.root / "images" / name


class CocoIndex:
    """One COCO JSON, by image. Annotations stay JSON text until they are asked for: as objects they take ten times
    the memory."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.file_names: dict[int, str] = {int(i["id"]): str(i["file_name"]) for i in data["images"]}
        self._sizes = {str(i["file_name"]): (int(i["height"]), int(i["width"])) for i in data["images"]}
        self._texts: dict[str, list[bytes]] = defaultdict(list)
        for item in data.get("annotations", ()):
            wanted = {key: item[key] for key in ("id", "category_id", "iscrowd", "segmentation")}
            wanted["area"] = item.get("area")
            self._texts[self.file_names[item["image_id"]]].append(json.dumps(wanted).encode("ascii"))

    def of(self, file_name: str) -> tuple[tuple[int, int], list[dict[str, Any]]]:
        """(height, width) of an image, and its annotations."""
        return self._sizes[file_name], [json.loads(text) for text in self._texts.get(file_name, ())]


def read_coco_index(path: Path) -> CocoIndex:
    """Read a COCO JSON once for as long as it stays the same.

    Raises:
        InputError: the file is missing, or not COCO.
    """
    try:
        stat = path.stat()
        return _index(path, stat.st_size, stat.st_mtime_ns)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            path, found=f"no COCO annotations ({type(error).__name__}: {error})",
            expected="JSON with images and annotations", fix="Extract annotations_trainval2017.zip again.",
        ) from error  # fmt: skip


@lru_cache(maxsize=2)
def _index(path: Path, size: int, mtime_ns: int) -> CocoIndex:
    return CocoIndex(json.loads(path.read_text(encoding="utf-8")))


def as_rle(path: Path, segmentation: object, size: tuple[int, int]) -> rle.Rle:
    """A COCO segmentation, which is a list of polygons or a compressed or uncompressed RLE, as compressed RLE.

    Raises:
        InputError: it is none of these.
    """
    try:
        if isinstance(segmentation, list) and all(len(p) >= 6 and len(p) % 2 == 0 for p in segmentation):
            return cast(rle.Rle, coco_masks.merge(coco_masks.frPyObjects(segmentation, *size)))
        if isinstance(segmentation, dict) and list(segmentation["size"]) == list(size):
            counts = segmentation["counts"]
            if isinstance(counts, list):
                return rle.from_runs(counts, size)
            return rle.Rle(size=list(size), counts=counts.encode("ascii"))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        pass
    raise InputError(
        path, found=f"a segmentation that is no mask of {size[1]} x {size[0]} pixels: {str(segmentation)[:60]}",
        expected="polygons, or an RLE of the image's size", fix="Get the annotations again.",
    )  # fmt: skip
