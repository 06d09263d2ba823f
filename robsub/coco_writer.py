"""Writing COCO results: the ids of images and classes, and the detections one by one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.coco import Coco
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.images import image_size
from dataset_adapters.problems import InputError
from evaluators.class_names import ClassNames
from robsub.coco_lists import CocoLists, FrameFinder, ImageId
from robsub.files import read_json


@dataclass(frozen=True)
class CocoIds:
    """The ids of images and classes in COCO results.

    Attributes:
        images: frame -> id.
        categories: label name -> id.
        path: the annotation file that gives them, if one does.
    """

    images: Mapping[str, ImageId]
    categories: Mapping[str, int]
    path: Path | None = None

    @classmethod
    def numbered(cls, adapter: DatasetAdapter, split: Split, frames: Sequence[Frame]) -> CocoIds:
        """COCO's own numbers of images, else 1, 2, ...; native label ids."""
        names = adapter.image_names(split) if isinstance(adapter, Coco) else {}
        numbers = {name: number for number, name in names.items()}
        images = numbers or {frame.name: number for number, frame in enumerate(frames, 1)}
        return cls(dict(images.items()), _native_ids(adapter))

    @classmethod
    def named(cls, adapter: DatasetAdapter, frames: Sequence[Frame]) -> CocoIds:
        """The frames' own names, which are the stems of their files; native label ids."""
        return cls({frame.name: frame.name for frame in frames}, _native_ids(adapter))

    @classmethod
    def listed(cls, annotations: Path, frames: Sequence[Frame]) -> CocoIds:
        """The ids that an annotation file gives.

        Raises:
            InputError: it has no such lists.
        """
        lists = CocoLists.of(annotations, read_json(annotations, "a COCO annotation file"), FrameFinder(frames))
        images = {frame: number for number, frame in lists.images.items()}
        return cls(images, {name: number for number, name in lists.categories.items()}, annotations)

    def to_json(self, frames: Sequence[Frame]) -> dict[str, Any]:
        """The lists of images and categories that explain the numbers, of those frames that have one."""
        images = [(frame, image_size(frame.image)) for frame in frames if frame.name in self.images]
        return {
            "images": [
                {"id": self.images[f.name], "file_name": f"{f.name}{f.image.suffix}", "height": h, "width": w}
                for f, (h, w) in images
            ],
            "categories": [{"id": number, "name": name} for name, number in self.categories.items()],
        }

    def detection(self, frame: str, prediction: Prediction) -> str:
        """One object of a frame as JSON.

        Raises:
            InputError: the annotation file lacks the frame or the class, or a number is not finite.
        """
        x1, y1, x2, y2 = prediction.box
        mask = prediction.rle
        item = {
            "image_id": self._image(frame),
            "category_id": self._category(prediction.label),
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "score": prediction.score,
            "segmentation": {"size": list(mask["size"]), "counts": mask["counts"].decode("ascii")},
        }
        return json.dumps(item, allow_nan=False)

    def _image(self, frame: str) -> ImageId:
        if frame not in self.images:
            raise self._lacks(f"no image of frame {frame}", "every image that has predictions")
        return self.images[frame]

    def _category(self, label: str) -> int:
        if label not in self.categories:
            raise self._lacks(f"no category {label!r}", "every class that is predicted")
        return self.categories[label]

    def _lacks(self, found: str, expected: str) -> InputError:
        return InputError(self.path or "ids", found=found, expected=expected, fix="Name the server's own list.")


def _native_ids(adapter: DatasetAdapter) -> dict[str, int]:
    return {label.name: label.id for label in ClassNames.of(adapter).labels}


def write_detections(file: TextIO, detections: Iterable[str]) -> None:
    """Write the list of detections, one a line."""
    file.write("[")
    separator = "\n"
    for detection in detections:
        file.write(separator + detection)
        separator = ",\n"
    file.write("\n]\n")
