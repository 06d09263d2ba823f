"""Hazards change the picture as they should, and the labels only where they bend it."""

from __future__ import annotations

import numpy as np
import pytest

from dataset_adapters.wilddash import HAZARDS
from robsub.demo.backdrop import Camera
from robsub.demo.canvas import MIN_VISIBLE, Scene
from robsub.demo.hazards import PHOTO_HAZARDS, befall, with_hazard
from robsub.demo.looks import CITY
from robsub.demo.street import StreetPlan, street_scene

CAMERA = Camera((96, 192), 440.0, 40.0)
PLAN = StreetPlan(("car", "person", "bus", "train"))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return street_scene(np.random.default_rng(0), CAMERA, CITY, PLAN)


@pytest.mark.parametrize("hazard", sorted(PHOTO_HAZARDS))
def test_photo_hazards_leave_labels_alone_and_grow_with_severity(scene: Scene, hazard: str) -> None:
    low, high = (befall(scene, np.random.default_rng(1), hazard, high=high) for high in (False, True))
    changes = [np.abs(s.photo.astype(int) - scene.photo).mean() for s in (low, high)]
    assert 1 < changes[0] < changes[1]
    assert high.ids is scene.ids


def test_exposure_and_blur_do_what_they_are_called(scene: Scene) -> None:
    over, under, blur = (
        befall(scene, np.random.default_rng(1), hazard, high=True)
        for hazard in ("overexposure", "underexposure", "blur")
    )
    assert under.photo.mean() < 0.5 * scene.photo.mean() < scene.photo.mean() < over.photo.mean()
    edges = [np.abs(np.diff(s.photo.astype(int), axis=1)).mean() for s in (blur, scene)]
    assert edges[0] < 0.7 * edges[1]


def test_distortion_bends_photo_and_labels_alike(scene: Scene) -> None:
    bent = befall(scene, np.random.default_rng(1), "distortion", high=True)
    assert (bent.ids != scene.ids).mean() > 0.1
    assert not bent.ids[0, 0]
    objects = [i for i in np.unique(bent.ids) if scene.regions[i].is_object]
    assert objects
    for index in objects:
        assert (bent.ids == index).sum() >= MIN_VISIBLE
        before, after = (s.photo[s.ids == index].mean(axis=0) for s in (scene, bent))
        np.testing.assert_allclose(after, before, atol=20)  # the label still covers the object's own colours


@pytest.mark.parametrize("hazard", ["coverage", "hood", "occlusion", "variations"])
def test_scene_hazards_change_what_is_painted(hazard: str) -> None:
    usual = street_scene(np.random.default_rng(0), CAMERA, CITY, PLAN)
    high = street_scene(np.random.default_rng(0), CAMERA, *with_hazard(CITY, PLAN, hazard, high=True))
    assert np.abs(high.photo.astype(int) - usual.photo).mean() > 1
    labels = {high.regions[i].label for i in np.unique(high.ids)}
    assert ("ego vehicle" in labels) == (hazard == "hood")
    assert ("fence" in labels) == (hazard == "occlusion")


def test_every_hazard_of_the_benchmark_is_known() -> None:
    assert set(HAZARDS) == {*PHOTO_HAZARDS, "distortion", "coverage", "hood", "occlusion", "variations"}
