"""Ground truth and predictions of one frame, the two things that every evaluator compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataset_adapters.labels import Label
from dataset_adapters.rle import Rle, union

Names = Mapping[int, str] | Sequence[str]
"""Class number -> label name."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One region of a ground truth: an instance, a group of instances, or a void region.

    Attributes:
        native_id: the value that the native file gives its pixels.
        label: its label in the benchmark's table.
        pixels: its area in pixels.
        rle: its mask.
        is_group: the region holds several objects that are not told apart (``cargroup``; instance number 0).
        distance_m: median distance in metres, -1 when no pixel has one, None when the benchmark has no distances.
        stereo_density: share of its pixels with a valid disparity, 0 to 1; None without distances.
        stated_area: the area that the annotation states and the benchmark measures sizes by, where it is not the
            number of pixels (COCO's, of its polygons); None elsewhere.
    """

    native_id: int
    label: Label
    pixels: int
    rle: Rle
    is_group: bool = False
    distance_m: float | None = None
    stereo_density: float | None = None
    stated_area: float | None = None


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """All regions of one frame that a metric or a loss can ask for; stuff such as road or wall is left out.

    Attributes:
        frame: the frame's name.
        size: (height, width) in pixels.
        segments: every region whose label has instances or is void, by ascending native id.
        number: the image's number in its data set, 0 where it has a name only.
    """

    frame: str
    size: tuple[int, int]
    segments: tuple[Segment, ...]
    number: int = 0

    @property
    def instances(self) -> tuple[Segment, ...]:
        """The objects that are told apart, of all labels that have instances."""
        return tuple(s for s in self.segments if s.label.has_instances and not s.is_group)

    @property
    def groups(self) -> tuple[Segment, ...]:
        """The regions of several objects of one label."""
        return tuple(s for s in self.segments if s.label.has_instances and s.is_group)

    @property
    def void(self) -> Rle:
        """The pixels of void labels, objects that are told apart excepted; a protocol may take others for void."""
        return union(
            [s.rle for s in self.segments if s.label.void and (s.is_group or not s.label.has_instances)], self.size
        )


@dataclass(frozen=True, slots=True)
class Prediction:
    """One predicted object.

    Attributes:
        label: name of its class, in the joint space or the benchmark's table.
        score: confidence in [0, 1].
        box: (x1, y1, x2, y2) in pixels of the frame, x2 and y2 exclusive.
        rle: its mask, of the frame's own size.
    """

    label: str
    score: float
    box: tuple[float, float, float, float]
    rle: Rle

    @staticmethod
    def from_torchvision(output: Mapping[str, Any], names: Names, threshold: float = 0.5) -> list[Prediction]:
        """One image's output of a torchvision detection model (``dataset_adapters.frameworks``)."""
        from dataset_adapters.frameworks import from_torchvision

        return from_torchvision(output, names, threshold)

    @staticmethod
    def from_detectron2(output: Any, names: Names) -> list[Prediction]:
        """One image's output of a detectron2 predictor (``dataset_adapters.frameworks``)."""
        from dataset_adapters.frameworks import from_detectron2

        return from_detectron2(output, names)

    @staticmethod
    def from_mmdet(result: Any, names: Names) -> list[Prediction]:
        """One image's output of mmdetection 2 or 3 (``dataset_adapters.frameworks``)."""
        from dataset_adapters.frameworks import from_mmdet

        return from_mmdet(result, names)
