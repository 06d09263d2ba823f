"""TIDE's six kinds: each alone, what mending it gains, and tidecv's counts on the real sample."""

from __future__ import annotations

from typing import Any

import pytest

from dataset_adapters.labels import ROAD_LABELS
from evaluators.error_weights import weigh_errors
from evaluators.errors import DESCRIPTIONS, ErrorKind
from evaluators.pooling import Pool
from evaluators.protocol import CITYSCAPES, COCO, Protocol
from evaluators.result import EvaluationResult

from .scenes import Box, matched, predicted, region
from .test_coco import ours, sample

__all__ = ["ours", "sample"]

CAR, HALF, EDGE, FAR = (0, 0, 20, 20), (0, 0, 20, 9), (0, 0, 4, 4), (100, 50, 20, 20)


def kinds(protocol: Protocol, *predictions: tuple[str, Box, float]) -> list[ErrorKind]:
    image = matched(protocol, [region("car", CAR)], [predicted(*p) for p in predictions])
    return [ErrorKind(kind) for kind in image.errors]


@pytest.mark.parametrize("protocol", [CITYSCAPES, COCO], ids=lambda p: p.name)
@pytest.mark.parametrize(
    ("name", "at", "kind"),
    [
        ("car", CAR, ErrorKind.NONE),
        ("bus", CAR, ErrorKind.CLASS),
        ("car", HALF, ErrorKind.LOCATION),
        ("bus", HALF, ErrorKind.BOTH),
        ("car", EDGE, ErrorKind.BACKGROUND),
        ("car", FAR, ErrorKind.BACKGROUND),
    ],
)
def test_each_kind(protocol: Protocol, name: str, at: Box, kind: ErrorKind) -> None:
    assert kinds(protocol, (name, at, 0.9)) == [kind]


@pytest.mark.parametrize("protocol", [CITYSCAPES, COCO], ids=lambda p: p.name)
def test_one_more_of_a_found_object_is_a_duplicate(protocol: Protocol) -> None:
    assert kinds(protocol, ("car", CAR, 0.5), ("car", CAR, 0.9)) == [ErrorKind.DUPLICATE, ErrorKind.NONE]


def test_what_is_ignored_is_no_error() -> None:
    group = region("car", (60, 0, 40, 40), is_group=True)
    image = matched(CITYSCAPES, [region("car", CAR), group], [predicted("car", (62, 2, 20, 20), 0.9)])
    assert image.errors.tolist() == [ErrorKind.NONE]


def gains(*predictions: tuple[str, Box, float]) -> dict[str, Any]:
    """Kind -> count and gain, with two cars in the image and class bus left without an object."""
    truth = [region("car", CAR), region("car", FAR)]
    pool = Pool.of(CITYSCAPES, ROAD_LABELS, [matched(CITYSCAPES, truth, [predicted(*p) for p in predictions])])
    return {name: (weight.count, weight.gain) for name, weight in weigh_errors(pool).items() if weight.count}


def test_a_gain_is_that_of_the_mended_curve() -> None:
    # Found at 0.9, and half a car at 0.8: AP is 0.5 * 1 up to recall 0.5. Mended, both cars are found: AP 1.
    assert gains(("car", CAR, 0.9), ("car", (100, 50, 20, 9), 0.8)) == {"Loc": (1, pytest.approx(0.5))}
    assert gains(("car", CAR, 0.9), ("bus", FAR, 0.8)) == {"Cls": (1, pytest.approx(0.5))}


def test_the_order_of_equal_predictions_leaves_no_trace() -> None:
    """TIDE gives an object to the best of those that would find it, and here both are."""
    predictions: list[tuple[str, Box, float]] = [("bus", CAR, 0.5), ("car", (0, 0, 20, 9), 0.5)]
    assert gains(*predictions) == gains(*reversed(predictions))


def test_only_the_best_of_several_finds_the_object() -> None:
    half = (100, 50, 20, 9)
    assert gains(("car", CAR, 0.9), ("car", half, 0.8), ("car", half, 0.7)) == {"Loc": (2, pytest.approx(0.5))}


def test_an_object_is_found_at_overlap_a_half() -> None:
    image = matched(
        CITYSCAPES, [region("car", (0, 0, 20, 30))],
        [predicted("car", (0, 0, 20, 20), 0.9), predicted("car", (10, 0, 20, 20), 0.8)],
    )  # fmt: skip
    assert image.errors.tolist() == [ErrorKind.NONE, ErrorKind.LOCATION]
    assert (image.found.tolist(), image.targets.tolist()) == ([True], [-1, -1])  # nothing is left to be found


def test_missed_objects_are_not_asked_for() -> None:
    assert gains(("car", CAR, 0.9)) == {"Miss": (1, pytest.approx(0.5))}


def test_false_positives_are_taken_away() -> None:
    gained = gains(("car", CAR, 0.9), ("car", FAR, 0.8), ("car", (50, 30, 20, 20), 0.95))
    assert gained == {"Bkg": (1, pytest.approx(1 - (0.5 * (0.5 + 0) / 2 + 0.5 * (2 / 3 + 0.5) / 2)))}


def test_no_object_gives_no_weight() -> None:
    pool = Pool.of(CITYSCAPES, ROAD_LABELS, [matched(CITYSCAPES, [], [predicted("car", CAR, 0.9)])])
    assert weigh_errors(pool)["Bkg"].count == 1
    assert weigh_errors(pool)["Bkg"].gain is None


def test_counts_of_tidecv_on_the_real_sample(ours: EvaluationResult) -> None:
    # tidecv at 49a5d2a, TIDE().evaluate(..., mode=TIDE.MASK) on the same two files.
    theirs = {"Cls": 76, "Loc": 82, "Both": 7, "Dupe": 0, "Bkg": 4, "Miss": 109}
    assert {name: weight.count for name, weight in ours.errors.items()} == theirs
    assert list(theirs) == [name for name, _ in DESCRIPTIONS.values()]
    # Its mean counts a class without objects as 0: its AP50 is 51.80 instead of COCO's 56.23, its Loc 11.60.
    assert (ours.errors["Loc"].gain or 0) * 51.80081 / 56.22884 == pytest.approx(0.1160072, rel=1e-3)
