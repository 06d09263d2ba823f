"""From a native map of ids to segments: the reading that Cityscapes, KITTI, WildDash v1 and ScanNet share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.ground_truth import GroundTruth, Segment
from dataset_adapters.images import image_size, read_id_map
from dataset_adapters.labels import Label, LabelTable
from dataset_adapters.problems import InputError
from dataset_adapters.rle import area, from_id_map

if TYPE_CHECKING:
    from dataset_adapters.base import Frame

Decode = Callable[[int], tuple[int, bool]]
"""Pixel value -> (label id, whether it is a group of instances)."""


def annotation_of(frame: Frame) -> Path:
    """The path of a frame's annotation.

    Raises:
        InputError: its split has none.
    """
    if frame.ground_truth is None:
        raise InputError(
            frame.image, found="an image without ground truth", expected="an annotated split",
            fix="Choose --split train, val or trainval; a test split's ground truth stays on the server.",
        )  # fmt: skip
    return frame.ground_truth


def read_instance_map(frame: Frame, labels: LabelTable, decode: Decode) -> GroundTruth:
    """Read a native 16-bit instance PNG into segments.

    Args:
        frame: the frame; its annotation must have the size of its photo.
        labels: the benchmark's table.
        decode: the meaning of a pixel value.

    Raises:
        InputError: no annotation, not a 16-bit gray PNG, another size than the photo, or unknown label ids.
    """
    path = annotation_of(frame)
    ids = read_id_map(path)
    check_size(path, (ids.shape[0], ids.shape[1]), frame.image)
    return segments_of(ids, frame, labels, decode)


def segments_of(ids: NDArray[np.integer], frame: Frame, labels: LabelTable, decode: Decode) -> GroundTruth:
    """The segments of an (H, W) map of native ids.

    Raises:
        InputError: labels that the benchmark does not have; names them all.
    """
    unknown: list[int] = []

    def wanted(value: int) -> bool:
        label = labels.by_id.get(decode(value)[0])
        if label is None:
            unknown.append(value)
        return label is not None and (label.has_instances or label.void)

    masks = from_id_map(ids, wanted)
    if unknown:
        raise unknown_labels(annotation_of(frame), {value: decode(value)[0] for value in unknown})
    segments = []
    for value, mask in masks.items():
        label_id, is_group = decode(value)
        label = labels.by_id[label_id]
        segments.append(Segment(value, label, area(mask), mask, is_group and label.has_instances))
    return GroundTruth(frame.name, (ids.shape[0], ids.shape[1]), tuple(segments))


def unknown_labels(path: Path, label_of: dict[int, int]) -> InputError:
    """The error for pixel values whose label ids no table has."""
    shown = ", ".join(f"{label} (pixel value {value})" for value, label in list(label_of.items())[:5])
    more = f" and {len(label_of) - 5} more" if len(label_of) > 5 else ""
    return InputError(
        path, found=f"label id {shown}{more}", expected="ids of the benchmark's label table",
        fix="This looks like another benchmark's file or coding, or instance numbers that ran over into the next "
        "label; check which data set it comes from.",
    )  # fmt: skip


def known_label(labels: LabelTable, label_id: int, path: Path, value: int) -> Label:
    """The label of an id.

    Raises:
        InputError: the table has no such id; names the file and the value.
    """
    if label_id not in labels.by_id:
        raise unknown_labels(path, {value: label_id})
    return labels.by_id[label_id]


def check_size(annotation: Path, size: tuple[int, int], image: Path) -> None:
    """Require an annotation of (height, width) to fit its photo.

    Raises:
        InputError: the sizes differ; names both files.
    """
    photo = image_size(image)
    if photo != size:
        raise InputError(
            annotation, found=f"{size[1]} x {size[0]} pixels",
            expected=f"{photo[1]} x {photo[0]} as in its photo {image}",
            fix="One of the two files was resized, cropped or mixed up; get the original of both.",
        )  # fmt: skip
