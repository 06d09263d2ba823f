"""What every benchmark's adapter offers: its frames, their ground truth, its labels and its submission layout."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, get_args

from dataset_adapters.ground_truth import GroundTruth, Segment
from dataset_adapters.images import image_size, read_id_map
from dataset_adapters.labels import Label, LabelTable
from dataset_adapters.problems import InputError
from dataset_adapters.rle import area, from_id_map
from dataset_adapters.submission import SubmissionLayout

Split = Literal["train", "val", "trainval", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

COUNTS_FILE = "frames_expected.json"
"""Optional file in a data set's folder: {"train": 60, ...}, the frames of a subset or of made data."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of a split.

    Attributes:
        name: the benchmark's own name, e.g. ``frankfurt_000000_000294``; unique in the data set.
        image: path of the photo.
        ground_truth: path of its annotation, or None where the split has none.
    """

    name: str
    image: Path
    ground_truth: Path | None


class DatasetAdapter(ABC):
    """Everything the project knows of one benchmark's files.

    Args:
        root: the data set's own folder, ``<data root>/<name>``.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    """The name as the benchmark writes it."""
    labels: ClassVar[LabelTable]
    splits: ClassVar[Mapping[Split, int]]
    """Official number of frames of each split; a split that the data set lacks is missing here."""
    submission: ClassVar[SubmissionLayout | None] = None
    """Layout of a native submission, None for training data."""
    class_map: ClassVar[Mapping[str, str]]
    """Native label name -> class of the joint space, for every label that training uses."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @abstractmethod
    def list_frames(self, split: Split) -> list[Frame]:
        """The split's frames that are on disk, in any order; empty when there are none."""

    @abstractmethod
    def ground_truth(self, frame: Frame) -> GroundTruth:
        """Read one frame's annotation.

        Raises:
            InputError: the frame has no annotation, or its file is not what the benchmark defines.
        """

    def frames(self, split: Split) -> list[Frame]:
        """The split's frames in name order.

        Raises:
            InputError: the data set, or this split of it, is not there.
        """
        if not self.root.is_dir():
            raise InputError(
                self.root, found="no such folder", expected=f"the {self.title} data set",
                fix="Put the data there, or name another folder with --data-root.",
            )  # fmt: skip
        if split not in self.splits:
            raise InputError(
                self.root, found=f"a request for split {split!r}",
                expected=f"one of {', '.join(self.splits)}: {self.title} has no other split",
                fix="Choose one of these with --split.",
            )  # fmt: skip
        frames = sorted(self.list_frames(split), key=lambda frame: frame.name)
        if not frames:
            raise InputError(
                self.root, found=f"no image of split {split!r}",
                expected=f"{self.frames_expected(split)} images, {self.layout_hint(split)}",
                fix="Run 'robsub datasets' to see what is there.",
            )  # fmt: skip
        return frames

    def frames_expected(self, split: Split) -> int:
        """How many frames the split should have: ``frames_expected.json`` of the folder, else the official count."""
        return self._own_counts().get(split, self.splits[split])

    def layout_hint(self, split: Split) -> str:
        """Where the split's images belong below the root, for error messages."""
        return f"in the folders that {self.title} ships"

    def frame_sets(self) -> Mapping[str, frozenset[str]]:
        """frame name -> the named sets it belongs to (WildDash's hazards and negatives); empty elsewhere."""
        return {}

    def _own_counts(self) -> dict[Split, int]:
        path = self.root / COUNTS_FILE
        if not path.is_file():
            return {}
        try:
            counts = json.loads(path.read_text(encoding="utf-8"))
            return {split: int(counts[split]) for split in SPLITS if split in counts}
        except (ValueError, TypeError) as error:
            raise InputError(
                path, found=f"text that is not such a table ({error})",
                expected='JSON like {"train": 60, "val": 15}', fix="Mend or delete the file.",
            ) from error  # fmt: skip


def read_instance_map(
    frame: Frame,
    labels: LabelTable,
    decode: Callable[[int], tuple[int, bool]],
) -> GroundTruth:
    """Read a native 16-bit instance PNG into segments.

    Args:
        frame: the frame; its annotation must have the size of its photo.
        labels: the benchmark's table.
        decode: pixel value -> (label id, whether it is a group of instances).

    Raises:
        InputError: no annotation, not a 16-bit gray PNG, another size than the photo, or an unknown label id.
    """
    if frame.ground_truth is None:
        raise InputError(
            frame.image, found="an image without ground truth", expected="an annotated split",
            fix="Choose --split train, val or trainval; a test split's ground truth stays on the server.",
        )  # fmt: skip
    ids = read_id_map(frame.ground_truth)
    height, width = ids.shape
    check_size(frame.ground_truth, (height, width), frame.image)
    segments = []
    for value, mask in from_id_map(ids).items():
        label_id, is_group = decode(value)
        label = known_label(labels, label_id, frame.ground_truth, value)
        if label.has_instances or label.void:
            segments.append(Segment(value, label, area(mask), mask, is_group and label.has_instances))
    return GroundTruth(frame.name, (height, width), tuple(segments))


def known_label(labels: LabelTable, label_id: int, path: Path, value: int) -> Label:
    """The label of an id.

    Raises:
        InputError: the table has no such id; names the file and the pixel value.
    """
    if label_id not in labels.by_id:
        raise InputError(
            path, found=f"label id {label_id} (pixel value {value})", expected="an id of the benchmark's label table",
            fix="This looks like another benchmark's file or coding; check which data set it comes from.",
        )  # fmt: skip
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


def every_fifth(frames: Iterable[Frame], split: Split) -> list[Frame]:
    """Split annotated frames where the benchmark has no validation split.

    ``val`` is the 5th, 10th, 15th, ... frame in name order, ``train`` the rest, ``trainval`` all.
    """
    ordered = sorted(frames, key=lambda frame: frame.name)
    if split == "trainval":
        return ordered
    return [f for i, f in enumerate(ordered) if (i % 5 == 4) == (split == "val")]
