"""COCO panoptic annotations: one JSON for all frames, one PNG a frame whose colours are segment ids.

Source: COCO's panoptic format; id = R + 256 G + 65536 B.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from dataset_adapters.annotations.instance_map import annotation_of, check_size
from dataset_adapters.base import Frame
from dataset_adapters.ground_truth import GroundTruth, Segment
from dataset_adapters.images import read_channels
from dataset_adapters.labels import LabelTable
from dataset_adapters.problems import InputError
from dataset_adapters.rle import area, from_id_map

WEIGHTS = np.array([1, 256, 65536], dtype=np.uint32)


@dataclass(frozen=True)
class PanopticIndex:
    """What ``panoptic.json`` says.

    Attributes:
        images: photo file name -> annotation PNG's file name.
        segments: annotation PNG's file name -> its segments (id, category id, whether it is a crowd).
    """

    images: dict[str, str]
    segments: dict[str, tuple[tuple[int, int, bool], ...]]


def read_panoptic_index(path: Path) -> PanopticIndex:
    """Read the JSON once for as long as the file stays the same.

    Raises:
        InputError: the file is missing, or not COCO panoptic.
    """
    try:
        stat = path.stat()
        return _index(path, stat.st_size, stat.st_mtime_ns)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            path, found=f"no panoptic annotation ({type(error).__name__}: {error})",
            expected="COCO panoptic JSON with images, annotations and segments_info",
            fix="Extract the archive again; its JSON and its folder of PNGs belong together.",
        ) from error  # fmt: skip


@lru_cache(maxsize=2)
def _index(path: Path, size: int, mtime_ns: int) -> PanopticIndex:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    photos = {image["id"]: str(image["file_name"]) for image in data["images"]}
    images, segments = {}, {}
    for item in data["annotations"]:
        images[photos[item["image_id"]]] = item["file_name"]
        segments[item["file_name"]] = tuple(
            (int(s["id"]), int(s["category_id"]), bool(s.get("iscrowd", 0))) for s in item["segments_info"]
        )
    return PanopticIndex(images, segments)


def read_panoptic(frame: Frame, index: PanopticIndex, labels: LabelTable) -> GroundTruth:
    """The segments of one frame; a crowd is a group.

    Raises:
        InputError: the PNG is missing, broken or of another size, or its ids are not those of the JSON.
    """
    path = annotation_of(frame)
    ids = read_channels(path).astype(np.uint32) @ WEIGHTS
    size = (ids.shape[0], ids.shape[1])
    check_size(path, size, frame.image)
    masks = from_id_map(ids)
    masks.pop(0, None)  # no segment
    listed = {number: (category, crowd) for number, category, crowd in index.segments.get(path.name, ())}
    if odd := sorted((masks.keys() ^ listed.keys()) | {n for n in listed if listed[n][0] not in labels.by_id}):
        raise InputError(
            path, found=f"segment ids {odd[:5]} that stand in only one of PNG and JSON, or have an unknown category",
            expected="the same ids in both, with categories of the benchmark",
            fix="PNG and JSON are of different releases; extract both from the same archive.",
        )  # fmt: skip
    segments = []
    for number, mask in masks.items():
        label = labels.by_id[listed[number][0]]
        if label.has_instances or label.void:
            segments.append(Segment(number, label, area(mask), mask, listed[number][1] and label.has_instances))
    return GroundTruth(frame.name, size, tuple(segments))
