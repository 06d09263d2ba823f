"""Pictures of predictions: where there is colour, and where there is none."""

from __future__ import annotations

import numpy as np
from PIL import Image

from dataset_adapters import rle
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import JOINT_CLASSES
from robsub.pictures import COLOURS, draw_predictions, outline, sheet

GREY = np.full((40, 60, 3), 128, dtype=np.uint8)


def square(label: str, score: float) -> Prediction:
    mask = np.zeros((40, 60), dtype=bool)
    mask[20:35, 10:50] = True
    return Prediction(label, score, rle.box(rle.encode(mask)), rle.encode(mask))


def test_a_confident_object_is_coloured_inside_its_mask_alone() -> None:
    picture = np.asarray(draw_predictions(GREY, [square("car", 0.9)]))
    assert tuple(picture[34, 30]) == COLOURS["car"]
    assert tuple(picture[28, 30]) not in ((128, 128, 128), COLOURS["car"])
    assert (picture[36:] == 128).all()
    assert np.array_equal(np.asarray(draw_predictions(GREY, [square("car", 0.4)])), GREY)


def test_scale_and_sheet_sizes() -> None:
    picture = draw_predictions(GREY, [square("car", 0.9)], scale=3)
    assert picture.size == (180, 120)
    rows = sheet([[picture, picture], [picture]], height=60)
    assert rows.size[0] == 2 * 90 + 8
    assert rows.mode == "RGB"


def test_outline_is_the_border_of_the_mask() -> None:
    mask = np.zeros((6, 6), dtype=bool)
    mask[1:5, 1:5] = True
    inner = np.zeros_like(mask)
    inner[2:4, 2:4] = True
    assert np.array_equal(outline(mask), mask & ~inner)
    assert outline(np.ones((3, 3), dtype=bool)).sum() == 8


def test_every_class_has_a_colour_of_its_own() -> None:
    assert len(set(COLOURS.values())) == len(JOINT_CLASSES)
    assert isinstance(draw_predictions(GREY, []), Image.Image)
