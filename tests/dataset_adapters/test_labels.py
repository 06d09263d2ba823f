"""The label tables hold every id of their benchmark once, and the joint space loses none."""

from __future__ import annotations

import pytest

from dataset_adapters.labels import INDOOR_CLASSES, JOINT_CLASSES, ROAD_CLASSES, ROAD_LABELS
from dataset_adapters.registry import ADAPTERS, BENCHMARKS
from dataset_adapters.scannet import SCANNET_LABELS


def test_joint_space_is_8_road_and_18_indoor_classes() -> None:
    assert (len(ROAD_CLASSES), len(INDOOR_CLASSES), len(set(JOINT_CLASSES))) == (8, 18, 26)


def test_road_table_equals_cityscapesscripts() -> None:
    official = pytest.importorskip("cityscapesscripts.helpers.labels").labels
    theirs = {label.id: (label.name, label.hasInstances, label.ignoreInEval) for label in official}
    assert {label.id: (label.name, label.has_instances, label.void) for label in ROAD_LABELS} == theirs
    evaluated = [label.id for label in official if label.hasInstances and not label.ignoreInEval]
    assert [label.id for label in ROAD_LABELS.evaluated] == evaluated == [24, 25, 26, 27, 28, 31, 32, 33]


def test_scannet_table_is_nyu40_with_18_evaluated() -> None:
    assert [label.id for label in SCANNET_LABELS] == list(range(41))
    assert [label.id for label in SCANNET_LABELS.evaluated] == (
        [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39]
    )


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_trained_label_has_a_joint_class(name: str) -> None:
    adapter = ADAPTERS[name]
    assert set(adapter.class_map) <= set(adapter.labels.by_name)
    assert set(adapter.class_map.values()) <= set(JOINT_CLASSES)
    assert len(adapter.labels.by_id) == len(adapter.labels.by_name) == len(adapter.labels.labels)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_evaluated_label_is_trained_under_its_own_name(name: str) -> None:
    adapter = ADAPTERS[name]
    assert {label.name for label in adapter.labels.evaluated} == set(adapter.class_map)
    assert all(key == value for key, value in adapter.class_map.items())
