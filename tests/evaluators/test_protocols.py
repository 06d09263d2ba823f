"""What tells one benchmark's protocol from another's."""

from __future__ import annotations

import numpy as np
import pytest

from dataset_adapters.ground_truth import Segment
from dataset_adapters.scannet import SCANNET_LABELS
from evaluators.pooling import Pool
from evaluators.protocol import CITYSCAPES, KITTI, SCANNET, SCANNET_ROB18, WILDDASH, Protocol

from .scenes import class_aps, matched, predicted, region

CAR, ELSEWHERE = (0, 0, 20, 20), (60, 0, 20, 20)


OFFICIAL = (CITYSCAPES, KITTI, WILDDASH, SCANNET, SCANNET_ROB18)


@pytest.mark.parametrize("protocol", OFFICIAL, ids=lambda protocol: protocol.name)
def test_overlaps_keep_the_rounding_of_arange(protocol: Protocol) -> None:
    assert protocol.overlaps == tuple(np.arange(0.5, 1.0, 0.05))
    assert protocol.overlaps[2] == 0.6000000000000001
    assert len(protocol.overlaps) == 10


def road_ap(protocol: Protocol, *others: Segment, name: str = "car") -> float:
    """AP with a car that is found, other regions, and a false positive with a higher score elsewhere."""
    predictions = [predicted("car", CAR, 0.8), predicted("car", ELSEWHERE, 0.9)]
    return class_aps(protocol, [region("car", CAR), *others], predictions, name)[0]


FALSE_POSITIVE_AP = 0.25


def test_false_positive_costs_without_void() -> None:
    assert road_ap(CITYSCAPES) == FALSE_POSITIVE_AP


@pytest.mark.parametrize(("protocol", "ap"), [(CITYSCAPES, 1.0), (WILDDASH, 1.0), (KITTI, FALSE_POSITIVE_AP)])
@pytest.mark.parametrize(("name", "label_id"), [("static", 4), ("ground", 6), ("out of roi", 3), ("parking", 9)])
def test_kitti_void_labels_do_not_forgive(protocol: Protocol, ap: float, name: str, label_id: int) -> None:
    assert road_ap(protocol, region(name, ELSEWHERE, native_id=label_id * 256)) == ap


@pytest.mark.parametrize("protocol", [CITYSCAPES, WILDDASH, KITTI])
def test_unlabeled_forgives_on_the_road(protocol: Protocol) -> None:
    assert road_ap(protocol, region("unlabeled", ELSEWHERE, native_id=0)) == 1.0


def test_kitti_rule_keeps_its_meaning_on_cityscapes_coding() -> None:
    assert road_ap(KITTI, region("dynamic", ELSEWHERE, native_id=5)) == FALSE_POSITIVE_AP


def test_kitti_numbered_unlabeled_regions() -> None:
    assert road_ap(KITTI, region("unlabeled", ELSEWHERE, native_id=6)) == 1.0
    assert road_ap(KITTI, region("unlabeled", ELSEWHERE, native_id=7)) == FALSE_POSITIVE_AP


@pytest.mark.parametrize(("protocol", "ap"), [(CITYSCAPES, 1.0), (WILDDASH, 1.0), (KITTI, 0.5)])
def test_instance_0_is_an_object_in_kitti(protocol: Protocol, ap: float) -> None:
    group = region("car", ELSEWHERE, native_id=26 * 256, is_group=True)
    assert class_aps(protocol, [region("car", CAR), group], [predicted("car", CAR, 0.8)])[0] == ap


def test_kitti_caravan_with_instance_0_does_not_forgive() -> None:
    assert road_ap(KITTI, region("caravan", ELSEWHERE, native_id=29 * 256, is_group=True)) == FALSE_POSITIVE_AP


def indoor_ap(protocol: Protocol, native_id: int) -> float:
    """AP of a chair that is found, and an unlabeled region on which a chair of a higher score was predicted."""
    truth = [
        region("chair", CAR, native_id=5001, labels=SCANNET_LABELS),
        region("unlabeled", ELSEWHERE, native_id=native_id, labels=SCANNET_LABELS),
    ]
    predictions = [predicted("chair", CAR, 0.8), predicted("chair", ELSEWHERE, 0.9)]
    return class_aps(protocol, truth, predictions, "chair", labels=SCANNET_LABELS)[0]


@pytest.mark.parametrize("native_id", [0, 1, 2, 13, 40])
def test_scannet_unlabeled_does_not_forgive(native_id: int) -> None:
    assert indoor_ap(SCANNET, native_id) == FALSE_POSITIVE_AP


@pytest.mark.parametrize("native_id", [3, 8, 39])
def test_scannet_values_of_evaluated_ids_forgive_every_class(native_id: int) -> None:
    assert indoor_ap(SCANNET, native_id) == 1.0


def test_scannet_instance_0_is_an_object() -> None:
    chair = region("chair", CAR, native_id=5000, is_group=True, labels=SCANNET_LABELS)
    assert class_aps(SCANNET, [chair], [predicted("chair", CAR, 0.8)], "chair", labels=SCANNET_LABELS) == [1.0] * 10
    assert class_aps(SCANNET, [chair], [], "chair", labels=SCANNET_LABELS) == [0.0] * 10


@pytest.mark.parametrize(("native_id", "ap"), [(3, FALSE_POSITIVE_AP), (36, 1.0), (72, 1.0), (73, FALSE_POSITIVE_AP)])
def test_scannet_2018_moves_the_void_values_by_33(native_id: int, ap: float) -> None:
    assert indoor_ap(SCANNET_ROB18, native_id) == ap


@pytest.mark.parametrize("protocol", [KITTI, WILDDASH, SCANNET, SCANNET_ROB18])
def test_only_cityscapes_has_distances(protocol: Protocol) -> None:
    assert [metric.name for metric in protocol.metrics if not metric.unofficial] == ["AP", "AP50"]
    assert [mode.name for mode in protocol.modes] == ["all"]


@pytest.mark.parametrize(
    ("found", "ap25"),
    [
        ([("both", 0.9), ("right", 0.8)], 1.0),  # "both" is taken by the left chair, so the right one has its own
        ([("both", 0.9)], 0.5),
        ([("both", 0.9), ("left", 0.8)], 0.5),  # the left chair takes the better one, its second is false
        ([("left", 0.9), ("both", 0.8)], 1.0),
        ([("left", 0.9), ("both", 0.9)], 1.0),  # of equal scores the larger overlap is taken
        ([("half", 0.9), ("both", 0.9)], 1.0),  # of equal overlaps what can find nothing else
        ([("most", 0.9)], 0.5),
        ([("quarter", 0.9)], 0.0),
    ],
)
def test_below_half_a_prediction_finds_one_object_at_most(found: list[tuple[str, float]], ap25: float) -> None:
    at = {"left": (0, 0, 20, 20), "right": (20, 0, 20, 20), "both": (0, 0, 40, 20)}
    at |= {"half": (0, 0, 10, 20), "most": (0, 0, 20, 8), "quarter": (0, 0, 20, 5)}
    chairs = [
        region("chair", at[s], native_id=5001 + i, labels=SCANNET_LABELS) for i, s in enumerate(("left", "right"))
    ]
    predictions = [predicted("chair", at[place], score) for place, score in found]
    for given in (predictions, predictions[::-1]):
        pool = Pool.of(SCANNET, SCANNET_LABELS, [matched(SCANNET, chairs, given, labels=SCANNET_LABELS)])
        assert pool.table(SCANNET.metrics)["chair"]["AP25"] == ap25
