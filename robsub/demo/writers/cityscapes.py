"""Cityscapes: photos, fine annotations, disparities and cameras, by city (cityscapesScripts README)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.labels import ROAD_LABELS
from robsub.demo.backdrop import Camera
from robsub.demo.canvas import Scene
from robsub.demo.deck import TRAFFIC_CARDS, Deck, generator
from robsub.demo.looks import CITY
from robsub.demo.native import instance_map, label_map, save_image, save_json
from robsub.demo.street import StreetPlan, street_scene

SIZE = (96, 192)
CITIES = {"train": ("aachen", "bremen", "ulm"), "val": ("frankfurt", "lindau"), "test": ("berlin", "bonn")}
EGO, RECTIFICATION_BORDER, OUT_OF_ROI = (
    ROAD_LABELS.by_name[name].id for name in ("ego vehicle", "rectification border", "out of roi")
)
VALUES_PER_PIXEL = 256
"""A disparity of one pixel in the PNG: p = 256 d + 1, and p = 0 is invalid."""


@dataclass(frozen=True, slots=True)
class Rig:
    """A city's stereo camera: its left camera and the baseline in metres."""

    camera: Camera
    baseline_m: float

    def to_json(self) -> dict[str, dict[str, float]]:
        """The camera file's content."""
        _, width = self.camera.size
        focal = self.camera.focal_px
        return {
            "extrinsic": {
                "baseline": self.baseline_m, "pitch": 0.0, "roll": 0.0, "x": 1.7, "y": 0.1, "yaw": 0.0,
                "z": self.camera.height_m,
            },
            "intrinsic": {"fx": focal, "fy": focal, "u0": width / 2, "v0": self.camera.horizon},
        }  # fmt: skip


def write(root: Path, seed: int, counts: tuple[int, ...], tick: Callable[[], object]) -> dict[str, int]:
    """Write the data set; ``counts`` are the frames of train, val and test. Returns the frames of each split."""
    for split, count in zip(CITIES, counts, strict=True):
        for index in range(count):
            _write_frame(root, seed, split, index)
            tick()
    train, val, test = counts
    return {"train": train, "val": val, "trainval": train + val, "test": test}


def _write_frame(root: Path, seed: int, split: str, index: int) -> None:
    city = CITIES[split][index % len(CITIES[split])]
    stem = f"{split}/{city}/{city}_{index // len(CITIES[split]):06d}_000019"
    rng = generator(seed, "cityscapes", split, index)
    rig = city_rig(seed, city)
    hand = Deck(TRAFFIC_CARDS, seed, f"cityscapes-{split}", largest_hand=6).deal(index, int(rng.integers(3, 7)))
    plan = StreetPlan(hand, groups=int(rng.random() < 0.3), clutter=int(rng.random() < 0.4), bonnet=0.07)
    scene = street_scene(rng, rig.camera, CITY, plan)
    labels, instances = annotate(scene, annotated=split != "test")
    save_image(root / f"leftImg8bit/{stem}_leftImg8bit.png", scene.photo)
    save_image(root / f"gtFine/{stem}_gtFine_labelIds.png", labels)
    save_image(root / f"gtFine/{stem}_gtFine_instanceIds.png", instances)
    save_image(root / f"disparity/{stem}_disparity.png", disparity_map(rng, scene, rig))
    save_json(root / f"camera/{stem}_camera.json", rig.to_json())


def city_rig(seed: int, city: str) -> Rig:
    """The camera of the car that drove through a city."""
    rng = generator(seed, "rig", city)
    height, _ = SIZE
    focal = round(height * float(rng.uniform(4.5, 4.8)), 3)
    return Rig(Camera(SIZE, focal, round(height * float(rng.uniform(0.4, 0.44)), 3)), float(rng.uniform(0.209, 0.222)))


def annotate(scene: Scene, *, annotated: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """The label and the instance map; of an unannotated frame they show our own car and the borders alone."""
    labels = label_map(scene, ROAD_LABELS)
    instances = instance_map(scene, ROAD_LABELS, base=1000, first=0, stuff_base=1)
    if not annotated:
        labels[labels != EGO] = 0
        instances[instances != EGO] = 0
    for values in (labels, instances):
        values[[0, -1]] = OUT_OF_ROI
        values[:, -1] = OUT_OF_ROI
        values[:, :2] = RECTIFICATION_BORDER
    return labels, instances


def disparity_map(rng: np.random.Generator, scene: Scene, rig: Rig) -> NDArray[np.uint16]:
    """The 16-bit disparity of a stereo matcher: noisy, without an answer in the sky, in holes and at the left edge."""
    ideal = rig.baseline_m * rig.camera.focal_px / scene.depth
    disparity = ideal * (1 + 0.015 * rng.standard_normal(scene.size, dtype=np.float32))
    values: NDArray[np.uint16] = np.rint(disparity * VALUES_PER_PIXEL + 1).clip(0, 65535).astype(np.uint16)
    invalid = np.isinf(scene.depth) | (rng.random(scene.size) < 0.06)
    invalid[:, : scene.size[1] // 32] = True
    for index, region in enumerate(scene.regions):
        if region.is_object and rng.random() < 0.07:  # a glossy object: mostly no match
            invalid |= (scene.ids == index) & (rng.random(scene.size) < 0.75)
    values[invalid] = 0
    return values
