"""The rules of each benchmark's instance metric, as data. Every official quirk that moves a number is a field here.

The road benchmarks' and ScanNet's descend from one program, cityscapesScripts
``evaluation/evalInstanceLevelSemanticLabeling.py``; KITTI's devkit and ScanNet's ``2d_evaluation`` are copies of it
that read other files. ``docs/quirks.md`` lists what that led to. COCO's is ``pycocotools/cocoeval.py``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from math import inf
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.ground_truth import Segment
from dataset_adapters.labels import INDOOR_THINGS, ROAD_LABELS

UNLABELED: Final = 0
"""The label id of pixels without a label, in every benchmark."""


Area = Literal["trapezoid", "steps", "interpolated"]
"""How the area under a precision-recall curve is taken (``evaluators/curves.py``)."""


@dataclass(frozen=True, slots=True)
class Mode:
    """Which objects of the ground truth count, by size and distance; the others forgive, they are never missed.

    Attributes:
        name: how metrics refer to it.
        min_pixels: least area, inclusive.
        max_pixels: greatest area, inclusive.
        max_distance_m: greatest distance in metres, inclusive.
        min_stereo_density: least share of pixels with a valid disparity, inclusive; officially ``minStereoDensities``.
    """

    name: str
    min_pixels: int
    max_pixels: float = inf
    max_distance_m: float = inf
    min_stereo_density: float = -inf


@dataclass(frozen=True, slots=True)
class Metric:
    """One reported number: a mean over classes and overlaps in one mode.

    Attributes:
        name: its name in results.
        mode: name of the mode.
        overlap: the one overlap it looks at, None for all that the protocol averages over.
        detections: None for the AP. A number asks for the recall of so many detections of a class in each image.
        unofficial: no number of the benchmark's own program.
    """

    name: str
    mode: str = "all"
    overlap: float | None = None
    detections: int | None = None
    unofficial: bool = False


@dataclass(frozen=True)
class Protocol:
    """How one benchmark compares predictions with ground truth.

    Attributes:
        name: its name in results.
        modes: which objects are looked for, ``all`` first.
        metrics: the reported numbers, in the order of every table.
        overlaps: the IoU thresholds of the AP; the first, 0.5, is also that of the error analysis.
        extra_overlaps: further thresholds, for single metrics.
        strict: IoU must exceed the threshold; equality is a miss.
        one_to_one: COCO's assignment, by descending score, of each prediction to the free object of its class with the
            largest IoU. If not, Cityscapes': any number of predictions may match an object, and one that matches none
            is forgiven by what it covers.
        max_detections: best predictions of a class in an image that are looked at; None for all.
        area: how the area under the curve is taken.
        groups_count: a region of several objects is one object of the ground truth, missed like any other. If not, it
            forgives the predictions of its class that lie on it.
        void_values: None lets every region of a void label forgive. A set says that the official code compares the
            label ids of its void list with raw values of a map where label and instance are packed together. All
            those values are numbered regions of label 0, so only the unlabeled regions with one of these native ids
            forgive. Saying it by label and id gives the rule a meaning for another coding too: 0 forgives,
            Cityscapes' 5 (``dynamic``) does not.
        void_objects_forgive: objects of void labels that are told apart (caravans) forgive as well.
        rest_is_void: all that is no region of an evaluated class forgives.
        small_groups_twice: a group below a mode's least area counts twice in what forgives.
        negative_ap: the benchmark has negative and hazard frames, and a metric on them.
        corrected: for the corrected form of a protocol, what it changes; empty for the official one.
    """

    name: str
    modes: tuple[Mode, ...]
    metrics: tuple[Metric, ...]
    overlaps: tuple[float, ...] = tuple(np.arange(0.5, 1.0, 0.05).tolist())
    extra_overlaps: tuple[float, ...] = ()
    strict: bool = True
    one_to_one: bool = False
    max_detections: int | None = None
    area: Area = "trapezoid"
    groups_count: bool = False
    void_values: frozenset[int] | None = None
    void_objects_forgive: bool = False
    rest_is_void: bool = False
    small_groups_twice: bool = True
    negative_ap: bool = False
    corrected: str = ""

    def is_void(self, segment: Segment) -> bool:
        """Whether the region forgives predictions of every class.

        By label, an object of a void label that is told apart does not: ``caravan`` 29000 is not in the official list
        of void values, ``caravangroup`` 29 is.
        """
        if self.void_values is None:
            told_apart = segment.label.has_instances and not segment.is_group
            return segment.label.void and (self.void_objects_forgive or not told_apart)
        return segment.label.id == UNLABELED and segment.native_id in self.void_values

    @property
    def all_overlaps(self) -> tuple[float, ...]:
        """The T overlaps that images are matched at: those of the AP, then the further ones."""
        return self.overlaps + self.extra_overlaps

    def thresholds(self, ndim: int) -> NDArray[np.float64]:
        """All overlaps as an array that broadcasts against values of ``ndim`` dimensions: (T, 1, ..., 1)."""
        return np.array(self.all_overlaps).reshape(-1, *[1] * ndim)

    def overlaps_enough(self, iou: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Compare IoUs of shape (...) with every overlap: (T, ...)."""
        compare = np.greater if self.strict else np.greater_equal
        return compare(iou, self.thresholds(iou.ndim))

    def mode_index(self, name: str) -> int:
        """Position of a mode in ``modes``."""
        return [mode.name for mode in self.modes].index(name)

    def overlap_indices(self, metric: Metric) -> list[int]:
        """Positions in ``all_overlaps`` of those that a metric averages over."""
        if metric.overlap is None:
            return list(range(len(self.overlaps)))
        return [int(np.abs(np.array(self.all_overlaps) - metric.overlap).argmin())]

    def digest(self) -> str:
        """A short name of all rules together; matches made by different rules have different ones."""
        rules = {**asdict(self), "void_values": None if self.void_values is None else sorted(self.void_values)}
        return sha256(repr(rules).encode()).hexdigest()[:16]


ALL = Mode("all", min_pixels=100)
WITHIN_100M = Mode("100m", min_pixels=1000, max_distance_m=100.0, min_stereo_density=0.5)
WITHIN_50M = Mode("50m", min_pixels=1000, max_distance_m=50.0, min_stereo_density=0.5)

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
    metrics=(AP, AP50, Metric("AP25", overlap=0.25, unofficial=True)),  # AP25 is the 3D evaluator's
    extra_overlaps=(0.25,),
    groups_count=True,
    # The void list holds the evaluated ids themselves, so wall, floor and nearly all unlabeled pixels forgive nothing.
    void_values=frozenset(label.id for label in INDOOR_THINGS),
)

ROB18_OFFSET = 33
"""ROB 2018 coded ScanNet as ``256 * (nyu40 + 33) + instance``."""

SCANNET_ROB18 = replace(
    SCANNET, name="scannet_rob18", void_values=frozenset(label.id + ROB18_OFFSET for label in INDOOR_THINGS)
)

EVERY_SIZE = Mode("all", min_pixels=0)
COCO = Protocol(
    name="coco",
    # Both bounds are inclusive, so an object of exactly 32 x 32 pixels is small and medium.
    modes=(
        EVERY_SIZE,
        Mode("small", 0, max_pixels=32**2),
        Mode("medium", 32**2, max_pixels=96**2),
        Mode("large", 96**2),
    ),
    metrics=(
        AP,
        AP50,
        Metric("AP75", overlap=0.75),
        *(Metric(f"AP{name[0]}", name) for name in ("small", "medium", "large")),
        *(Metric(f"AR{number}", detections=number) for number in (1, 10, 100)),
        *(Metric(f"AR{name[0]}", name, detections=100) for name in ("small", "medium", "large")),
    ),
    overlaps=tuple(np.linspace(0.5, 0.95, 10).tolist()),
    strict=False,
    one_to_one=True,
    max_detections=100,
    area="interpolated",
    void_values=frozenset(),  # nothing but a crowd of the same class forgives
)

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol for protocol in (CITYSCAPES, KITTI, WILDDASH, SCANNET, SCANNET_ROB18, COCO)
}

UNOFFICIAL: Final = {metric.name for p in PROTOCOLS.values() for metric in p.metrics if metric.unofficial}
"""Metrics that are marked wherever they stand."""


def corrected(protocol: Protocol) -> Protocol:
    """The protocol that the authors of the official program describe, without its slips. COCO's is left as it is.

    The name tells: ``kitti-corrected``. ``docs/quirks.md`` says where each correction is described.
    """
    if protocol.one_to_one:
        return protocol
    indoor = protocol.name.startswith("scannet")
    void = "all that is no object of an evaluated class forgives" if indoor else "every region of a void label forgives"
    return replace(
        protocol,
        name=f"{protocol.name}-corrected",
        overlaps=tuple(step / 100 for step in range(50, 100, 5)),
        area="steps",
        groups_count=False,
        void_values=None,
        void_objects_forgive=True,
        rest_is_void=indoor,
        small_groups_twice=False,
        corrected=f"overlaps without rounding, stepwise area, {void}, regions of several objects forgive, once",
    )
