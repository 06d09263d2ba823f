"""The corrected protocols: what their authors describe."""

from __future__ import annotations

import numpy as np
import pytest

from dataset_adapters.scannet import SCANNET_LABELS
from evaluators.assignment import Outcome
from evaluators.curves import precision_recall
from evaluators.protocol import CITYSCAPES, COCO, KITTI, SCANNET, WILDDASH, Protocol, corrected

from .scenes import class_aps, matched, predicted, region

CAR, ELSEWHERE = (0, 0, 20, 20), (60, 0, 20, 20)
IGNORED, FALSE = Outcome.IGNORED, Outcome.FALSE_POSITIVE
ROAD = pytest.mark.parametrize("protocol", [corrected(p) for p in (CITYSCAPES, KITTI, WILDDASH)], ids=lambda p: p.name)


def test_corrected_overlaps_are_the_round_numbers() -> None:
    overlaps = corrected(CITYSCAPES).overlaps
    assert overlaps == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
    assert class_aps(corrected(CITYSCAPES), [region("car", CAR)], [predicted("car", (0, 0, 20, 10), 0.9)])[0] == 0


def test_corrected_area_is_stepwise() -> None:
    scores, hits = np.array([0.9, 0.8, 0.7]), np.array([True, False, True])
    # Recall 0 to 0.5 at precision 1, 0.5 to 1 at precision 2 / 3.
    assert precision_recall(scores, hits, 2, corrected(KITTI).area).average_precision == pytest.approx(
        0.5 + 0.5 * 2 / 3
    )


@ROAD
@pytest.mark.parametrize("name", ["static", "parking", "caravan"])
def test_corrected_void_forgives(protocol: Protocol, name: str) -> None:
    image = matched(protocol, [region("car", CAR), region(name, ELSEWHERE)], [predicted("car", ELSEWHERE, 0.9)])
    assert image.outcomes[0, :, 0].tolist() == [IGNORED] * 10


@ROAD
def test_corrected_instance_0_forgives(protocol: Protocol) -> None:
    group = region("car", ELSEWHERE, native_id=26 * 256, is_group=True)
    image = matched(protocol, [region("car", CAR), group], [predicted("car", ELSEWHERE, 0.9)])
    assert image.outcomes[0, :, 0].tolist() == [IGNORED] * 10
    assert image.objects.size == 1


def test_corrected_small_group_counts_once() -> None:
    # 80 of 200 pixels on a group below 100 pixels, which officially count as 160.
    group, prediction = region("car", (0, 0, 8, 10), is_group=True), predicted("car", (0, 0, 20, 10), 0.9)
    assert matched(CITYSCAPES, [group], [prediction]).outcomes[0, 0, 0] == IGNORED
    assert matched(corrected(CITYSCAPES), [group], [prediction]).outcomes[0, 0, 0] == FALSE


def test_corrected_scannet_forgives_all_but_objects() -> None:
    chairs = [region("chair", CAR, native_id=5001, labels=SCANNET_LABELS),
              region("table", ELSEWHERE, native_id=7001, labels=SCANNET_LABELS)]  # fmt: skip
    on_wall, on_table = predicted("chair", (100, 50, 20, 20), 0.9), predicted("chair", ELSEWHERE, 0.9)
    for protocol, outcomes in ((SCANNET, [FALSE, FALSE]), (corrected(SCANNET), [IGNORED, FALSE])):
        image = matched(protocol, chairs, [on_wall, on_table], labels=SCANNET_LABELS)
        assert image.outcomes[0, 0].tolist() == outcomes


def test_coco_needs_no_correction() -> None:
    assert corrected(COCO) is COCO
