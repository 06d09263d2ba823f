"""The rules of each benchmark's instance metric, as data. Every official quirk that moves a number is a field here.

All four descend from one program, cityscapesScripts ``evaluation/evalInstanceLevelSemanticLabeling.py``; KITTI's devkit
and ScanNet's ``2d_evaluation`` are copies of it that read other files. ``docs/quirks.md`` lists what that led to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.ground_truth import Segment
from dataset_adapters.labels import INDOOR_THINGS, ROAD_LABELS

UNLABELED: Final = 0
"""The label id of pixels without a label, in every benchmark."""


@dataclass(frozen=True, slots=True)
class DistanceMode:
    """Which objects of the ground truth count; the others forgive, they are never missed.

    Attributes:
        name: how metrics refer to it.
        min_pixels: least area, inclusive.
        max_distance_m: greatest distance in metres, inclusive.
        min_stereo_density: least share of pixels with a valid disparity, inclusive; officially ``minStereoDensities``.
    """

    name: str
    min_pixels: int
    max_distance_m: float = inf
    min_stereo_density: float = -inf


@dataclass(frozen=True, slots=True)
class Metric:
    """One reported number: the mean AP over classes and overlaps in one distance mode.

    Attributes:
        name: its name in results.
        mode: name of the distance mode.
        overlap: the one overlap it looks at, None for all.
    """

    name: str
    mode: str = "all"
    overlap: float | None = None


@dataclass(frozen=True)
class Protocol:
    """How one benchmark compares predictions with ground truth.

    Attributes:
        name: its name in results.
        modes: the distance modes, ``all`` first.
        metrics: the reported numbers, in the order of every table.
        overlaps: the IoU thresholds, exactly ``np.arange(0.5, 1, 0.05)`` with its rounding.
        strict: IoU must exceed the threshold; equality is a miss.
        groups_count: a region of several objects is one object of the ground truth, missed like any other. If not, it
            forgives the predictions of its class that lie on it.
        void_values: None lets every region of a void label forgive. A set says that the official code compares the
            label ids of its void list with raw values of a map where label and instance are packed together. All
            those values are numbered regions of label 0, so only the unlabeled regions with one of these native ids
            forgive. Saying it by label and id gives the rule a meaning for another coding too: 0 forgives,
            Cityscapes' 5 (``dynamic``) does not.
        negative_ap: the benchmark has negative and hazard frames, and a metric on them.
    """

    name: str
    modes: tuple[DistanceMode, ...]
    metrics: tuple[Metric, ...]
    overlaps: tuple[float, ...] = tuple(np.arange(0.5, 1.0, 0.05).tolist())
    strict: bool = True
    groups_count: bool = False
    void_values: frozenset[int] | None = None
    negative_ap: bool = False

    def is_void(self, segment: Segment) -> bool:
        """Whether the region forgives predictions of every class.

        By label, an object of a void label that is told apart does not: ``caravan`` 29000 is not in the official list
        of void values, ``caravangroup`` 29 is.
        """
        if self.void_values is None:
            return segment.label.void and (segment.is_group or not segment.label.has_instances)
        return segment.label.id == UNLABELED and segment.native_id in self.void_values

    def thresholds(self, ndim: int) -> NDArray[np.float64]:
        """The overlaps as an array that broadcasts against values of ``ndim`` dimensions: (T, 1, ..., 1)."""
        return np.array(self.overlaps).reshape(-1, *[1] * ndim)

    def overlaps_enough(self, iou: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Compare IoUs of shape (...) with every overlap: (T, ...)."""
        compare = np.greater if self.strict else np.greater_equal
        return compare(iou, self.thresholds(iou.ndim))

    def mode_index(self, name: str) -> int:
        """Position of a distance mode in ``modes``."""
        return [mode.name for mode in self.modes].index(name)

    def overlap_index(self, overlap: float) -> int:
        """Position of the overlap nearest to this one."""
        return int(np.abs(np.array(self.overlaps) - overlap).argmin())


ALL = DistanceMode("all", min_pixels=100)
WITHIN_100M = DistanceMode("100m", min_pixels=1000, max_distance_m=100.0, min_stereo_density=0.5)
WITHIN_50M = DistanceMode("50m", min_pixels=1000, max_distance_m=50.0, min_stereo_density=0.5)

AP = Metric("AP")
AP50 = Metric("AP50", overlap=0.5)
DISTANCE_METRICS = (Metric("AP100m", "100m"), Metric("AP50m", "50m"), Metric("AP50_50m", "50m", overlap=0.5))

CITYSCAPES = Protocol(
    name="cityscapes",
    modes=(ALL, WITHIN_100M, WITHIN_50M),
    metrics=(AP, AP50, *DISTANCE_METRICS),
)

KITTI = Protocol(
    name="kitti",
    modes=(ALL,),
    metrics=(AP, AP50),
    # 26 * 256 + 0, "car without instance", passes the test for instances, id >= 1000, that was made for id 26000.
    groups_count=True,
    void_values=frozenset(label.id for label in ROAD_LABELS if label.void),
)

WILDDASH = replace(CITYSCAPES, name="wilddash", modes=(ALL,), metrics=(AP, AP50), negative_ap=True)
"""The server's code is not public: Cityscapes' rules, for its labels and coding are Cityscapes' own."""

SCANNET = Protocol(
    name="scannet",
    modes=(ALL,),
    metrics=(AP, AP50),
    groups_count=True,
    # The void list holds the evaluated ids themselves, so wall, floor and nearly all unlabeled pixels forgive nothing.
    void_values=frozenset(label.id for label in INDOOR_THINGS),
)

ROB18_OFFSET = 33
"""ROB 2018 coded ScanNet as ``256 * (nyu40 + 33) + instance``."""

SCANNET_ROB18 = replace(
    SCANNET, name="scannet_rob18", void_values=frozenset(label.id + ROB18_OFFSET for label in INDOOR_THINGS)
)

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol for protocol in (CITYSCAPES, KITTI, WILDDASH, SCANNET, SCANNET_ROB18)
}
