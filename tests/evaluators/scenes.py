"""Hand-made and random scenes. Boxes are given as (x, y, width, height) in pixels of a small image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.cityscapes import decode_instance_id
from dataset_adapters.ground_truth import GroundTruth, Prediction, Segment
from dataset_adapters.labels import ROAD_LABELS, LabelTable
from dataset_adapters.rle import Rle, area, box, encode, from_id_map
from evaluators.matching import ImageMatches, match_image
from evaluators.pooling import Pool
from evaluators.protocol import Protocol

SIZE = (96, 160)
Box = tuple[int, int, int, int]


def mask(at: Box) -> Rle:
    x, y, width, height = at
    dense = np.zeros(SIZE, dtype=np.bool_)
    dense[y : y + height, x : x + width] = True
    return encode(dense)


def region(
    name: str,
    at: Box,
    *,
    native_id: int = 26001,
    is_group: bool = False,
    distance: float | None = None,
    density: float | None = None,
    labels: LabelTable = ROAD_LABELS,
) -> Segment:
    rle = mask(at)
    return Segment(native_id, labels.by_name[name], area(rle), rle, is_group, distance, density)


def predicted(name: str, at: Box, score: float) -> Prediction:
    return Prediction(name, score, (at[0], at[1], at[0] + at[2], at[1] + at[3]), mask(at))


def matched(
    protocol: Protocol,
    regions: Sequence[Segment],
    predictions: Sequence[Prediction],
    frame: str = "frame",
    labels: LabelTable = ROAD_LABELS,
) -> ImageMatches:
    return match_image(protocol, labels, GroundTruth(frame, SIZE, tuple(regions)), predictions)


def class_aps(
    protocol: Protocol,
    regions: Sequence[Segment],
    predictions: Sequence[Prediction],
    name: str = "car",
    mode: str = "all",
    labels: LabelTable = ROAD_LABELS,
) -> list[float]:
    """The AP of one class in one image at every overlap that the AP averages over."""
    pool = Pool.of(protocol, labels, [matched(protocol, regions, predictions, labels=labels)])
    classes = [label.name for label in labels.evaluated]
    aps: list[float] = pool.average_precisions()[protocol.mode_index(mode), classes.index(name)].tolist()
    return aps[: len(protocol.overlaps)]


class RandomScene:
    """A crowded road image in Cityscapes' coding: instances, groups, caravans, void, distances, and predictions."""

    EVALUATED = (24, 25, 26, 28)
    BARE = (24, 26, 28, 29, 30, 0, 3, 4, 5, 9, 7, 11)

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.frame = f"ulm_{seed:06}_000019"
        self.ids = self._draw()
        self.truth = GroundTruth(self.frame, SIZE, tuple(self._segments()))
        self.predictions = [self._jittered(s) for s in self.truth.segments if s.label.evaluated for _ in range(2)]
        self.predictions += [self._stray() for _ in range(12)]

    def _box(self) -> tuple[slice, slice]:
        height, width = self.random.integers(6, 60, 2)
        y, x = self.random.integers(0, SIZE[0] - 6), self.random.integers(0, SIZE[1] - 6)
        return slice(y, y + height), slice(x, x + width)

    def _draw(self) -> NDArray[np.uint16]:
        ids = np.full(SIZE, 7, dtype=np.uint16)
        for number in range(22):
            bare = self.random.random() < 0.35
            label = self.random.choice(self.BARE if bare else (*self.EVALUATED, 29))
            ids[self._box()] = label if bare else label * 1000 + number
        return ids

    def _segments(self) -> list[Segment]:
        segments = []
        for value, rle in from_id_map(self.ids).items():
            label_id, is_group = decode_instance_id(value)
            label = ROAD_LABELS.by_id[label_id]
            distance = float(self.random.choice([-1, 20, 50, 70, 100, 130]))
            density = 0.0 if distance < 0 else float(self.random.choice([0.4, 0.5, 0.9]))
            if label.has_instances or label.void:
                group = is_group and label.has_instances
                segments.append(Segment(value, label, area(rle), rle, group, distance, density))
        return segments

    def _score(self) -> float:
        return float(self.random.integers(1, 20)) / 20  # coarse, for ties

    def _jittered(self, segment: Segment) -> Prediction:
        moved = np.roll(self.ids == segment.native_id, self.random.integers(-3, 4, 2), axis=(0, 1))
        return self._prediction(segment.label.name, moved)

    def _stray(self) -> Prediction:
        dense = np.zeros(SIZE, dtype=np.bool_)
        dense[self._box()] = True
        return self._prediction(ROAD_LABELS.by_id[int(self.random.choice(self.EVALUATED))].name, dense)

    def _prediction(self, name: str, dense: NDArray[np.bool_]) -> Prediction:
        rle = encode(dense)
        return Prediction(name, self._score(), box(rle), rle)
