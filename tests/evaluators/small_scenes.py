"""Small scenes that Hypothesis can shrink: a few rectangles of ground truth, painted in order, and of predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataset_adapters.cityscapes import decode_instance_id
from dataset_adapters.ground_truth import GroundTruth, Prediction, Segment
from dataset_adapters.labels import ROAD_LABELS
from dataset_adapters.rle import area, box, encode, from_id_map

HEIGHT, WIDTH = 40, 50
VALUES = (26000, 26001, 26002, 24000, 24001, 26, 24, 29000, 29, 30, 0, 3, 4, 5, 7, 11)
"""Cars, persons, groups of both, caravans told apart and not, void, and stuff."""

Rectangle = tuple[int, int, int, int]


@dataclass
class SmallScene:
    """A scene in Cityscapes' coding."""

    frame: str
    ids: NDArray[np.uint16]
    truth: GroundTruth
    predictions: list[Prediction]


def dense(rectangle: Rectangle) -> NDArray[np.bool_]:
    x, y, width, height = rectangle
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    mask[y : y + height, x : x + width] = True
    return mask


@st.composite
def rectangles(draw: st.DrawFn) -> Rectangle:
    """Coarse, so that equal overlaps and sizes at the bounds happen."""
    x, y = draw(st.integers(0, 8)) * 5, draw(st.integers(0, 6)) * 5
    return x, y, draw(st.sampled_from((5, 9, 10, 20, 25, 40, 50))), draw(st.sampled_from((5, 10, 11, 12, 20, 25, 40)))


@st.composite
def small_scenes(draw: st.DrawFn) -> SmallScene:
    """Any scene of up to six regions and eight predictions."""
    ids = np.full((HEIGHT, WIDTH), 7, dtype=np.uint16)
    for value, rectangle in draw(st.lists(st.tuples(st.sampled_from(VALUES), rectangles()), max_size=6)):
        ids[dense(rectangle)] = value
    places = [(value, mask) for value, mask in from_id_map(ids).items()]
    segments = []
    for value, mask in places:
        label_id, is_group = decode_instance_id(value)
        label = ROAD_LABELS.by_id[label_id]
        if label.has_instances or label.void:
            distance = draw(st.sampled_from((-1.0, 20.0, 50.0, 50.5, 100.0, 130.0)))
            density = 0.0 if distance < 0 else draw(st.sampled_from((0.4, 0.5, 1.0)))
            segments.append(
                Segment(value, label, area(mask), mask, is_group and label.has_instances, distance, density)
            )
    return SmallScene(
        frame="ulm_000000_000019",
        ids=ids,
        truth=GroundTruth("ulm_000000_000019", (HEIGHT, WIDTH), tuple(segments)),
        predictions=draw(st.lists(predictions(ids), max_size=8)),
    )


@st.composite
def predictions(draw: st.DrawFn, ids: NDArray[np.uint16]) -> Prediction:
    """A rectangle, or a region of the ground truth as it is or cut in two."""
    mask = dense(draw(rectangles()))
    if draw(st.booleans()):
        region = ids == draw(st.sampled_from(sorted(set(ids.ravel().tolist()))))
        mask = region if draw(st.booleans()) or not (region & mask).any() else region & mask
    score = draw(st.sampled_from((0.1, 0.5, 0.5000000000000001, 0.9)))
    rle = encode(mask)
    return Prediction(draw(st.sampled_from(("car", "person", "bus"))), score, box(rle), rle)
