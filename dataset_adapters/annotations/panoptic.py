"""COCO panoptic annotations: one JSON for all frames, one PNG a frame whose colours are segment ids.

Source: COCO's panoptic format; id = R + 256 G + 65536 B.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataset_adapters.annotations.instance_map import annotation_of, check_size
from dataset_adapters.base import Frame
from dataset_adapters.ground_truth import GroundTruth, Segment
from dataset_adapters.images import read_channels
from dataset_adapters.json_files import open_json, read_once
from dataset_adapters.labels import Label
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
    return read_once(path, _read_index)


def _read_index(path: Path) -> PanopticIndex:
    with open_json(
        path, what="panoptic annotation", expected="COCO panoptic JSON with images, annotations and segments_info",
        fix="Extract the archive again; its JSON and its folder of PNGs belong together.",
    ) as data:  # fmt: skip
        photos = {image["id"]: str(image["file_name"]) for image in data["images"]}
        annotations = data["annotations"]
        images = {photos[item["image_id"]]: str(item["file_name"]) for item in annotations}
        return PanopticIndex(images, {item["file_name"]: _listed(item["segments_info"]) for item in annotations})


def _listed(infos: Iterable[Mapping[str, Any]]) -> tuple[tuple[int, int, bool], ...]:
    return tuple((int(s["id"]), int(s["category_id"]), bool(s.get("iscrowd", 0))) for s in infos)


def read_panoptic(frame: Frame, index: PanopticIndex, labels: Mapping[int, Label]) -> GroundTruth:
    """The segments of one frame; a crowd is a group.

    Args:
        frame: the frame.
        index: what the JSON says.
        labels: category id -> the label that it counts as.

    Raises:
        InputError: the PNG is missing, broken or of another size, its ids are not those of the JSON, or a category is
            unknown.
    """
    path = annotation_of(frame)
    ids = read_channels(path).astype(np.uint32) @ WEIGHTS
    size = (ids.shape[0], ids.shape[1])
    check_size(path, size, frame.image)
    masks = from_id_map(ids)
    masks.pop(0, None)  # no segment
    listed = {number: (category, crowd) for number, category, crowd in index.segments.get(path.name, ())}
    _check_ids(path, masks, listed)
    _check_categories(path, {category for category, _ in listed.values()} - labels.keys())
    segments = []
    for number, mask in masks.items():
        label, crowd = labels[listed[number][0]], listed[number][1]
        if label.has_instances or label.void:
            segments.append(Segment(number, label, area(mask), mask, crowd and label.has_instances))
    return GroundTruth(frame.name, size, tuple(segments))


def _check_ids(path: Path, drawn: Collection[int], listed: Collection[int]) -> None:
    """Require the PNG to hold the segments that the JSON lists, and no others."""
    for there, here, not_there in ((drawn, "the PNG", listed), (listed, "the JSON", drawn)):
        if odd := sorted(set(there) - set(not_there)):
            raise InputError(
                path, found=f"{len(odd)} segment ids that stand only in {here}: {odd[:5]}",
                expected="the same ids in both",
                fix="PNG and JSON are of different releases; extract both from the same archive.",
            )  # fmt: skip


def _check_categories(path: Path, unknown: Collection[int]) -> None:
    if unknown:
        raise InputError(
            path, found=f"segments of the unknown category {', '.join(map(str, sorted(unknown)[:5]))}",
            expected="category ids of the benchmark",
            fix="The JSON is of another data set, or of a release that robsub does not know yet.",
        )  # fmt: skip
