"""The label tables hold every id of their benchmark once, and the joint space loses none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from dataset_adapters.ade20k import AdePlaces
from dataset_adapters.ade20k_classes import ADE_CLASSES
from dataset_adapters.base import DatasetAdapter
from dataset_adapters.joint_space import (
    BACKGROUND,
    IGNORED,
    coverage,
    native_labels,
    submitted_label,
    training_role,
)
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


PROFILES = [profile for adapter in ADAPTERS.values() for profile in adapter.all_profiles()]


def named(adapter: type[DatasetAdapter]) -> str:
    return f"{adapter.name} {adapter.profile}".strip()


@pytest.mark.parametrize("adapter", PROFILES, ids=named)
def test_every_trained_label_has_a_joint_class(adapter: type[DatasetAdapter]) -> None:
    assert set(adapter.class_map) <= set(adapter.labels.by_name)
    assert set(adapter.class_map.values()) <= set(JOINT_CLASSES)
    assert len(adapter.labels.by_id) == len(adapter.labels.by_name) == len(adapter.labels.labels)


@pytest.mark.parametrize("adapter", PROFILES, ids=named)
def test_no_native_label_is_lost_or_doubled_on_the_way_to_the_joint_space(adapter: type[DatasetAdapter]) -> None:
    reached = [label for name in JOINT_CLASSES for label in native_labels(adapter, name)]
    unreached = [label for label in adapter.labels if training_role(adapter, label) in (IGNORED, BACKGROUND)]
    assert sorted(label.id for label in (*reached, *unreached)) == sorted(label.id for label in adapter.labels)


@pytest.mark.parametrize("adapter", [a for a in PROFILES if a.name in BENCHMARKS], ids=named)
def test_a_class_comes_back_as_the_label_that_it_was(adapter: type[DatasetAdapter]) -> None:
    classes = INDOOR_CLASSES if adapter.name == "scannet" else ROAD_CLASSES
    back = [submitted_label(adapter, name) for name in classes]
    assert [adapter.class_map[label.name] for label in back if label] == list(classes)
    if named(adapter) != "wilddash v2":  # pickups go out as trucks, vans as cars, and nobody learns the ego vehicle
        assert back == list(adapter.labels.evaluated)


def test_void_is_ignored_and_stuff_is_background() -> None:
    roles = {label.name: training_role(ADAPTERS["cityscapes"], label) for label in ROAD_LABELS}
    assert (roles["road"], roles["caravan"], roles["ego vehicle"], roles["car"]) == (
        BACKGROUND, IGNORED, IGNORED, "car"
    )  # fmt: skip
    counted = Counter(role if role in (IGNORED, BACKGROUND) else "class" for role in roles.values())
    assert counted == {"class": 8, IGNORED: 16, BACKGROUND: 11}


def test_ade20k_lacks_four_classes_and_has_27_of_places_100() -> None:
    native = coverage({"ade20k": ADAPTERS["ade20k"]})
    assert [name for name, labels in native.items() if not labels["ade20k"]] == [
        "rider", "train", "shower curtain", "otherfurniture",
    ]  # fmt: skip
    assert len(ADE_CLASSES) == len(ADAPTERS["ade20k"].labels.by_id) == 28
    assert (len(AdePlaces.labels.labels), AdePlaces.labels.by_id[5].name) == (27, "door")
    assert all(set(c.source) <= set("PJCN") and "P" in c.source for c in ADE_CLASSES)


def test_ade20k_pairs_are_those_of_the_official_table(shared: Path) -> None:
    path = shared / "realdata/ade20k/ade20k_2021/utils/ade20k_instance_catid_mapping.txt"
    rows = [line.split() for line in path.read_text().splitlines()[1:]]
    official = {(int(places), int(index)) for places, _, index in rows}
    assert {(c.places, c.index) for c in ADE_CLASSES} <= official
