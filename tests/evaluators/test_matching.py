"""Each rule of the official matching, one image at a time."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from dataset_adapters.ground_truth import Prediction
from dataset_adapters.problems import InputError
from dataset_adapters.rle import empty
from evaluators.matching import Outcome
from evaluators.protocol import CITYSCAPES

from .scenes import SIZE, Box, class_aps, matched, predicted, region

CAR = (0, 0, 20, 20)
TRUE, FALSE, IGNORED = Outcome.TRUE_POSITIVE, Outcome.FALSE_POSITIVE, Outcome.IGNORED


@pytest.mark.parametrize(
    ("at", "overlaps_met"),
    [((0, 0, 20, 10), 0), ((0, 0, 20, 12), 2), ((0, 0, 20, 19), 9), ((0, 0, 20, 20), 10)],
    ids=["IoU 0.50", "IoU 0.60", "IoU 0.95", "IoU 1"],
)
def test_iou_must_exceed_the_overlap(at: Box, overlaps_met: int) -> None:
    # 0.6 meets 0.5 and 0.55 but not 0.6000000000000001; 0.95 meets 0.9000000000000004 but not 0.9500000000000004.
    aps = class_aps(CITYSCAPES, [region("car", CAR)], [predicted("car", at, 0.9)])
    assert aps == [1.0] * overlaps_met + [0.0] * (10 - overlaps_met)


def test_comparison_can_include_equality() -> None:
    lenient = replace(CITYSCAPES, strict=False)
    assert class_aps(lenient, [region("car", CAR)], [predicted("car", (0, 0, 20, 10), 0.9)])[0] == 1.0


@pytest.mark.parametrize("scores", [(0.3, 0.8, 0.5), (0.8, 0.5, 0.3), (0.5, 0.3, 0.8)])
def test_best_of_several_matches_is_true_and_the_others_false(scores: tuple[float, ...]) -> None:
    image = matched(CITYSCAPES, [region("car", CAR)], [predicted("car", CAR, s) for s in scores])
    by_score = dict(zip(image.scores.tolist(), image.outcomes[0, 0].tolist(), strict=True))
    assert by_score == {0.8: TRUE, 0.5: FALSE, 0.3: FALSE}


def test_predictions_of_other_labels_and_without_a_pixel_are_passed_over() -> None:
    nothing = Prediction("car", 0.9, (0, 0, 0, 0), empty(SIZE))
    others = [predicted(name, CAR, 0.9) for name in ("road", "caravan", "chair")]
    image = matched(CITYSCAPES, [region("car", CAR)], [nothing, *others])
    assert image.scores.size == 0
    assert image.ground_truths[0].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    assert image.hard_false_negatives()[0, :, 2].tolist() == [1] * 10


def test_mask_of_another_size_is_refused() -> None:
    small = Prediction("car", 0.9, (0, 0, 1, 1), empty((10, 10)))
    with pytest.raises(InputError, match=r"10 x 10 pixels.*160 x 96"):
        matched(CITYSCAPES, [], [small])


def outcomes(regions: list[tuple[str, Box, bool]], at: Box, name: str = "car") -> list[int]:
    """Outcomes of one prediction at all overlaps; regions are (label, box, is a group)."""
    truth = [region(label, place, is_group=group) for label, place, group in regions]
    got: list[int] = matched(CITYSCAPES, truth, [predicted(name, at, 0.9)]).outcomes[0, :, 0].tolist()
    return got


@pytest.mark.parametrize(("label", "is_group"), [("static", False), ("car", True), ("caravan", True)])
def test_forgiveness_shrinks_as_the_overlap_grows(label: str, is_group: bool) -> None:
    # 80 % of 400 pixels; the group of 16 x 60 is so large that the IoU with it stays below 0.5.
    assert outcomes([(label, (0, 0, 16, 60), is_group)], CAR) == [IGNORED] * 6 + [FALSE] * 4


def test_exactly_the_overlap_on_void_does_not_forgive() -> None:
    assert outcomes([("static", (0, 0, 10, 20), False)], CAR) == [FALSE] * 10


def test_caravan_forgives_only_as_a_group() -> None:
    assert outcomes([("caravan", CAR, True)], CAR) == [IGNORED] * 10
    assert outcomes([("caravan", CAR, False)], CAR) == [FALSE] * 10


def test_group_forgives_only_its_own_class() -> None:
    assert outcomes([("car", CAR, True)], CAR, name="car") == [IGNORED] * 10
    assert outcomes([("car", CAR, True)], CAR, name="bus") == [FALSE] * 10


def test_small_group_counts_twice() -> None:
    # 80 of 200 pixels on a group below 100 pixels: 0.4 forgives nothing, 0.8 does.
    assert outcomes([("car", (0, 0, 8, 10), True)], (0, 0, 20, 10)) == [IGNORED] * 6 + [FALSE] * 4
    assert outcomes([("car", (0, 0, 8, 20), True)], (0, 0, 20, 10)) == [FALSE] * 10


def test_small_object_is_not_looked_for_and_ignores_its_match() -> None:
    small, enough = (0, 0, 11, 9), (0, 0, 10, 10)
    assert outcomes([("car", small, False)], small) == [IGNORED] * 10
    assert outcomes([("car", enough, False)], enough) == [TRUE] * 10


def test_prediction_that_matches_nothing_is_false() -> None:
    assert outcomes([("car", CAR, False)], (60, 0, 20, 20)) == [FALSE] * 10


LARGE = (0, 0, 40, 25)


@pytest.mark.parametrize(
    ("distance", "density", "counted"),
    [
        (50.0, 0.5, [1, 1, 1]), (50.1, 0.5, [1, 1, 0]), (100.0, 0.5, [1, 1, 0]), (100.1, 1.0, [1, 0, 0]),
        (30.0, 0.49, [1, 0, 0]), (-1.0, 0.0, [1, 0, 0]), (None, None, [1, 0, 0]), (np.inf, 1.0, [1, 0, 0]),
    ],
)  # fmt: skip
def test_distance_bounds_are_inclusive(distance: float | None, density: float | None, counted: list[int]) -> None:
    image = matched(CITYSCAPES, [region("car", LARGE, distance=distance, density=density)], [])
    assert image.ground_truths[:, 2].tolist() == counted
    assert image.has_distances == (distance is not None)


def test_distance_modes_need_1000_pixels() -> None:
    image = matched(CITYSCAPES, [region("car", (0, 0, 37, 27), distance=10.0, density=1.0)], [])
    assert image.ground_truths[:, 2].tolist() == [1, 0, 0]


def test_far_object_ignores_its_match_in_the_near_modes() -> None:
    far = region("car", LARGE, distance=70.0, density=1.0)
    image = matched(CITYSCAPES, [far], [predicted("car", LARGE, 0.9)])
    assert image.outcomes[:, 0, 0].tolist() == [TRUE, TRUE, IGNORED]


def test_image_without_objects_does_not_say_whether_there_are_distances() -> None:
    assert matched(CITYSCAPES, [region("static", CAR)], []).has_distances is None


def test_class_without_objects_is_undefined_and_its_false_positives_are_free() -> None:
    false = predicted("bus", (60, 0, 20, 20), 0.9)
    assert np.isnan(class_aps(CITYSCAPES, [region("car", CAR)], [false], name="bus")).all()


def test_missed_class_has_zero() -> None:
    assert class_aps(CITYSCAPES, [region("car", CAR)], []) == [0.0] * 10


def test_class_with_only_ignored_predictions_has_zero() -> None:
    void = region("static", (60, 0, 20, 20))
    assert class_aps(CITYSCAPES, [region("car", CAR), void], [predicted("car", (60, 0, 20, 20), 0.9)]) == [0.0] * 10


def test_matches_travel_between_processes() -> None:
    image = matched(CITYSCAPES, [region("car", CAR)], [predicted("car", CAR, 0.9)])
    copy = pickle.loads(pickle.dumps(image))
    assert copy.frame == image.frame
    np.testing.assert_array_equal(copy.outcomes, image.outcomes)
