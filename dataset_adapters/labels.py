"""Label tables: every benchmark's ids and names as data, and the joint label space that one model is trained in.

Sources: Cityscapes ``labels.py`` (shared by KITTI and WildDash v1), ScanNet ``evalInstanceLevelSemanticLabeling.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Label:
    """One native label.

    Attributes:
        id: the native label id, as it stands in ground truth and submissions.
        name: the benchmark's own name of it.
        has_instances: objects of it are told apart.
        evaluated: the benchmark's instance metric scores it.
        void: the benchmark ignores its pixels.
    """

    id: int
    name: str
    has_instances: bool = False
    evaluated: bool = False
    void: bool = False


@dataclass(frozen=True)
class LabelTable:
    """The labels of one benchmark, by id and by name."""

    labels: tuple[Label, ...]

    @cached_property
    def by_id(self) -> dict[int, Label]:
        """native id -> label."""
        return {label.id: label for label in self.labels}

    @cached_property
    def by_name(self) -> dict[str, Label]:
        """name -> label."""
        return {label.name: label for label in self.labels}

    @cached_property
    def evaluated(self) -> tuple[Label, ...]:
        """The labels that the benchmark's metric scores, in the order of its table."""
        return tuple(label for label in self.labels if label.evaluated)

    def __iter__(self) -> Iterator[Label]:
        return iter(self.labels)


def _things(*names_by_id: tuple[int, str]) -> tuple[Label, ...]:
    return tuple(Label(i, name, has_instances=True, evaluated=True) for i, name in names_by_id)


def _stuff(*names_by_id: tuple[int, str]) -> tuple[Label, ...]:
    return tuple(Label(i, name) for i, name in names_by_id)


def _void(*names_by_id: tuple[int, str], has_instances: bool = False) -> tuple[Label, ...]:
    return tuple(Label(i, name, has_instances=has_instances, void=True) for i, name in names_by_id)


ROAD_THINGS = _things(
    (24, "person"), (25, "rider"), (26, "car"), (27, "truck"),
    (28, "bus"), (31, "train"), (32, "motorcycle"), (33, "bicycle"),
)  # fmt: skip

ROAD_LABELS = LabelTable(
    _void((0, "unlabeled"), (1, "ego vehicle"), (2, "rectification border"), (3, "out of roi"), (4, "static"))
    + _void((5, "dynamic"), (6, "ground"))
    + _stuff((7, "road"), (8, "sidewalk"))
    + _void((9, "parking"), (10, "rail track"))
    + _stuff((11, "building"), (12, "wall"), (13, "fence"))
    + _void((14, "guard rail"), (15, "bridge"), (16, "tunnel"))
    + _stuff((17, "pole"))
    + _void((18, "polegroup"))
    + _stuff((19, "traffic light"), (20, "traffic sign"), (21, "vegetation"), (22, "terrain"), (23, "sky"))
    + ROAD_THINGS[:5]
    + _void((29, "caravan"), (30, "trailer"), has_instances=True)
    + ROAD_THINGS[5:]
    + _void((-1, "license plate"))
)
"""Cityscapes' 34 labels and the license plate; also KITTI's and WildDash v1's (``labels.py`` of cityscapesScripts)."""

INDOOR_THINGS = _things(
    (3, "cabinet"), (4, "bed"), (5, "chair"), (6, "sofa"), (7, "table"), (8, "door"), (9, "window"),
    (10, "bookshelf"), (11, "picture"), (12, "counter"), (14, "desk"), (16, "curtain"), (24, "refrigerator"),
    (28, "shower curtain"), (33, "toilet"), (34, "sink"), (36, "bathtub"), (39, "otherfurniture"),
)  # fmt: skip

ROAD_CLASSES = tuple(label.name for label in ROAD_THINGS)
INDOOR_CLASSES = tuple(label.name for label in INDOOR_THINGS)
JOINT_CLASSES = ROAD_CLASSES + INDOOR_CLASSES
"""The 26 classes of the one model, 8 of the road and 18 indoor. Class i of the network is JOINT_CLASSES[i - 1]; 0 is
background."""
