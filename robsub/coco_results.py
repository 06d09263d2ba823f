"""COCO results JSON as predictions: ``[{"image_id", "category_id", "segmentation", "score"}, ...]``.

Source: COCO's "Results format" page. The file is read once to learn where each detection stands, and a frame's
detections are decoded when they are asked for, so that memory does not grow with their number.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from dataset_adapters import rle
from dataset_adapters.annotations.coco_polygons import draw
from dataset_adapters.base import Frame
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import LabelTable
from dataset_adapters.problems import InputError, first_of
from dataset_adapters.run_lengths import broken_masks
from robsub.coco_lists import CocoLists, FrameFinder, ImageId, image_id
from robsub.files import explain, file_digest, read_json
from robsub.json_elements import Element, as_text, elements, is_object, members, only_list

KEYS = ("image_id", "category_id", "segmentation", "score")

Place = tuple[int, int, int]
"""1-based number of a detection in the file, and the bytes from ... to ... that hold it."""


class CocoResults:
    """Predictions by frame from COCO results. Picklable.

    Args:
        path: the results, a list or an object with ``annotations`` and its own ``images`` and ``categories``.
        frames: the frames that the images may be.
        labels: the data set's table.
        image_names: image id -> frame, where the data set numbers its images.
        annotations: a COCO annotation file whose ``images`` and ``categories`` the ids refer to.
        data: the results themselves where they are packed in the file at ``path``.

    An image is found by its id in one of these lists, or by its file name or frame name if the id is a string. A
    category is found by its id in a list, by its name if the id is a string, or else as native label id. Images of a
    list count as predicted even without a detection.

    Raises:
        InputError: the file is no such results, an id cannot be resolved, or a score is no finite number; with counts.
    """

    def __init__(
        self,
        path: Path,
        frames: Sequence[Frame],
        labels: LabelTable,
        image_names: Mapping[int, str] | None = None,
        annotations: Path | None = None,
        data: bytes | None = None,
    ) -> None:
        self.path, self.annotations = path, annotations
        self._data = data
        finder = FrameFinder(frames)
        items, own_lists = _scan(path, data)
        beside = read_json(annotations, "a COCO annotation file") if annotations else {}
        listed = CocoLists.of(annotations or path, beside, finder).updated(CocoLists.of(path, own_lists, finder))
        self._places: dict[str, list[Place]] = defaultdict(list, {name: [] for name in listed.images.values()})
        numbered: Iterable[tuple[ImageId, str]] = (image_names or {}).items()
        images = _ImageIds(path, finder, dict([*numbered, *listed.images.items()]))
        for given, place in items.places:
            self._places[images.frame(given)].append(place)
        self._places.default_factory = None
        native = {label.id: label.name for label in labels}
        self._labels = self._names(items.categories, listed.categories or native)

    def frames(self) -> Collection[str]:
        """The frames that have detections or stand in a list of images; unknown images under their id or file name."""
        return self._places.keys()

    def predictions(self, frame: str, size: tuple[int, int]) -> list[Prediction] | None:
        """One frame's detections in the order of the file, None if there is nothing of it.

        Raises:
            InputError: a segmentation is no mask of the frame's (height, width) ``size``; names the detection.
        """
        if frame not in self._places:
            return None
        with self.path.open("rb") if self._data is None else BytesIO(self._data) as file:
            items = [(number, _read(file, start, end)) for number, start, end in self._places[frame]]
        masks = self._masks(items, size)
        return [
            Prediction(self._labels[item["category_id"]], float(item["score"]), rle.box(mask), mask)
            for (_, item), mask in zip(items, masks, strict=True)
        ]

    def count(self, frame: str) -> int:
        """How many detections the frame has."""
        return len(self._places[frame])

    def digest(self) -> str:
        """SHA-256 of the file and of the annotation file that its ids refer to, hexadecimal."""
        digests = [file_digest(path) for path in (self.path, self.annotations) if path]
        return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()

    def notes(self) -> list[str]:
        """Nothing: what is wrong with the file is an error."""
        return []

    def _names(self, categories: Counter[int | str], by_id: Mapping[int, str]) -> dict[int | str, str]:
        """category_id -> label name, for all that the detections have."""
        names = {c: c if isinstance(c, str) else by_id.get(c) for c in categories}
        unknown = ", ".join(f"{c} ({categories[c]} detections)" for c, name in names.items() if name is None)
        if unknown:
            raise InputError(
                self.path, found=f"unknown category_id {unknown}",
                expected="ids of the category list, or native label ids where there is none",
                fix="Name the annotation file that the ids refer to with --annotations.",
            )  # fmt: skip
        return {c: name for c, name in names.items() if name is not None}

    def _masks(self, items: Sequence[tuple[int, Mapping[str, Any]]], size: tuple[int, int]) -> list[rle.Rle]:
        """The masks of a frame's detections (number, JSON); if some are none, the first of them is told."""
        masks, faults = [], []
        for number, item in items:
            try:
                masks.append(read_mask(item["segmentation"], size))
            except (TypeError, KeyError, ValueError, IndexError, OverflowError) as error:
                what = str(error) if isinstance(error, OtherSizeError) else f"a segmentation that is none ({error})"
                faults.append((number, what))
        broken = [] if faults else broken_masks([mask["counts"] for mask in masks], size[0] * size[1])
        faults += [(items[i][0], "runs that do not add up to its pixels") for i in broken]
        if faults:
            raise InputError(
                self.path, found=first_of(f"{faults[0][1]} (detection {faults[0][0]})", len(faults)),
                expected=f"polygons or RLE of {size[1]} x {size[0]} pixels, the size of its image",
                fix="Write the masks at the image's own size, as pycocotools encodes them.",
            )  # fmt: skip
        return masks


class OtherSizeError(ValueError):
    """A mask that is one, but not of its image."""


def read_mask(segmentation: Any, size: tuple[int, int]) -> rle.Rle:
    """A segmentation as RLE; ValueError, TypeError, KeyError, IndexError or OverflowError if it is none of the size."""
    if isinstance(segmentation, list):
        return draw([[float(x) for x in polygon] for polygon in segmentation], size)
    found = (int(segmentation["size"][0]), int(segmentation["size"][1]))
    if found != size:
        raise OtherSizeError(f"a mask of {found[1]} x {found[0]} pixels")
    counts, pixels = segmentation["counts"], size[0] * size[1]
    if len(counts) > 2 * pixels + 16:  # a run has a pixel, and one that takes more characters has many
        raise ValueError("more runs than pixels")
    if isinstance(counts, str):
        return rle.Rle(size=list(size), counts=counts.encode("ascii"))
    runs = [int(run) for run in counts]
    if min(runs) < 0 or max(runs) > pixels or runs != counts:
        raise ValueError("a run out of range, or a fraction")
    return rle.from_runs(runs, size)


class _ImageIds:
    """image_id -> frame."""

    def __init__(self, path: Path, finder: FrameFinder, names: Mapping[ImageId, str]) -> None:
        self.path, self.finder, self.names = path, finder, names

    def frame(self, image_id: ImageId) -> str:
        if isinstance(image_id, str):
            return self.names.get(image_id) or self.finder.by_name(image_id)
        if self.names:
            return self.names.get(image_id, f"image_id {image_id}")
        frame = self.finder.by_number(image_id)
        if frame is None:
            raise InputError(
                self.path, found=f"image_id {image_id}, and no list that says which image that is",
                expected="file names or frame names as image_id, or a list of images",
                fix="Name the annotation file that the ids refer to with --annotations.",
            )  # fmt: skip
        return frame


class _Items:
    """What the first reading of a results file keeps: where each detection is, and how many there are of a category."""

    def __init__(self) -> None:
        self.places: list[tuple[ImageId, Place]] = []
        self.categories: Counter[int | str] = Counter()
        self.unscored = 0

    def add(self, item: Any, start: int, end: int) -> None:
        number = len(self.places) + 1
        lacking = [key for key in KEYS if key not in item] if isinstance(item, dict) else list(KEYS)
        if lacking:
            raise ValueError(f"detection {number} without {', '.join(lacking)}")
        if type(item["score"]) not in (float, int) or not math.isfinite(item["score"]):
            self.unscored += 1
        self.categories[item["category_id"]] += 1
        self.places.append((image_id(item["image_id"]), (number, start, end)))


def _scan(path: Path, data: bytes | None) -> tuple[_Items, dict[str, Any]]:
    """The detections of a results file, and what else stands in it if it is an object."""
    items = _Items()
    try:
        text = as_text(path.read_bytes() if data is None else data)
        lists, found = _parts(text)
        for item, begin, end in found:
            items.add(item, begin, end)
    except OSError as error:
        raise explain(error) from error
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, RecursionError) as error:
        place = f", after {len(items.places):,} detections" if items.places else ""
        raise _refusal(path, f"no COCO results ({error}){place}") from error
    if items.unscored:
        raise _refusal(path, f"{items.unscored} of {len(items.places)} scores that are no finite number")
    return items, lists


def _parts(text: str) -> tuple[dict[str, Any], Iterator[Element]]:
    """The lists of images and categories of a results file, and its detections."""
    if not is_object(text):
        return {}, only_list(text)
    places = members(text)
    if "annotations" not in places:
        raise ValueError("an object without 'annotations'")
    lists: dict[str, Any] = {}
    for name in places.keys() & {"images", "categories"}:
        begin, end = places[name]
        lists[name] = json.loads(text[begin:end].encode("latin-1"))
    return lists, elements(text, places["annotations"][0])


def _read(file: Any, start: int, end: int) -> dict[str, Any]:
    file.seek(start)
    return cast("dict[str, Any]", json.loads(file.read(end - start)))


def _refusal(path: Path, found: str) -> InputError:
    return InputError(
        path, found=found, expected="COCO results with image_id, category_id, segmentation and a finite score",
        fix="Write the segmentation results, not the boxes, with json.dump; NaN stands for a fault in the detector.",
    )  # fmt: skip
