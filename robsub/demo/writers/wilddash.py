"""WildDash v1: flat folders in Cityscapes' coding, and the table of hazards and negatives that robsub reads."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataset_adapters.labels import ROAD_LABELS
from dataset_adapters.wilddash import FRAME_SETS_FILE, HAZARDS
from robsub.demo.backdrop import Camera
from robsub.demo.canvas import Scene
from robsub.demo.deck import TRAFFIC_CARDS, Deck, generator
from robsub.demo.hazards import befall, with_hazard
from robsub.demo.looks import WORLD
from robsub.demo.native import instance_map, label_map, outline, save_image, save_json
from robsub.demo.negatives import negative_scene
from robsub.demo.street import StreetPlan, street_scene

SIZE = (108, 192)
COUNTRIES = ("at", "br", "cn", "de", "in", "mx", "us", "za")
HAZARD_SHARE = 0.45
NEGATIVE_EVERY = 12
"""Frames 4, 16, 28, ... are negatives, so that training and validation both have some."""
FOLDERS = {"val": "wd_val_01", "bench": "wd_bench_01"}


@dataclass(frozen=True, slots=True)
class Conditions:
    """What befalls a frame: a hazard or none, whether it is severe, whether the frame is a negative."""

    hazard: str | None
    high: bool
    negative: bool

    def row(self, frame: str) -> dict[str, str | int]:
        """The frame's row of the table."""
        severity = "high" if self.high else "low"
        hazards = {name: severity if name == self.hazard else "none" for name in HAZARDS}
        return {"frame": frame, "negative": int(self.negative), **hazards}


def write(root: Path, seed: int, counts: tuple[int, ...], tick: Callable[[], object]) -> dict[str, int]:
    """Write the data set; ``counts`` are annotated frames and test frames. Returns the frames of each split."""
    rows = []
    for part, count in zip(FOLDERS, counts, strict=True):
        for index in range(count):
            frame = frame_name(part, index, count)
            conditions = frame_conditions(seed, part, index)
            _write_frame(root / FOLDERS[part], seed, part, index, frame, conditions)
            rows.append(conditions.row(frame))
            tick()
    with (root / FRAME_SETS_FILE).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ("frame", "negative", *HAZARDS), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    annotated, test = counts
    return {"train": annotated - annotated // 5, "val": annotated // 5, "trainval": annotated, "test": test}


def frame_name(part: str, index: int, count: int) -> str:
    """``<country><number>_100000``, in name order; the two folders share no name."""
    per_country = -(-count // len(COUNTRIES))
    country, number = divmod(index, per_country)
    return f"{COUNTRIES[country]}{number + (5000 if part == 'bench' else 0):04d}_100000"


def frame_conditions(seed: int, part: str, index: int) -> Conditions:
    """The conditions of a frame; every hazard comes up equally often."""
    rng = generator(seed, "conditions", part, index)
    if index % NEGATIVE_EVERY == 4:
        return Conditions(None, high=False, negative=True)
    if rng.random() >= HAZARD_SHARE:
        return Conditions(None, high=False, negative=False)
    (hazard,) = Deck(HAZARDS, seed, f"hazards-{part}").deal(index)
    return Conditions(hazard, high=bool(rng.random() < 0.5), negative=False)


def _write_frame(folder: Path, seed: int, part: str, index: int, frame: str, conditions: Conditions) -> None:
    rng = generator(seed, "wilddash", part, index)
    scene = paint(rng, seed, part, index, conditions)
    save_image(folder / f"{frame}.png", scene.photo)
    if part == "val":
        instances = instance_map(scene, ROAD_LABELS, base=1000, first=0, stuff_base=1)
        save_image(folder / f"{frame}_labelIds.png", label_map(scene, ROAD_LABELS))
        save_image(folder / f"{frame}_instanceIds.png", instances)
        save_json(folder / f"{frame}_polygons.json", polygons(scene))


def paint(rng: np.random.Generator, seed: int, part: str, index: int, conditions: Conditions) -> Scene:
    """The scene of one frame, under its conditions."""
    camera = Camera(SIZE, 4.6 * SIZE[0], SIZE[0] * float(rng.uniform(0.38, 0.46)))
    if conditions.negative:
        return negative_scene(rng, camera, index // NEGATIVE_EVERY)
    hand = Deck(TRAFFIC_CARDS, seed, f"wilddash-{part}", largest_hand=6).deal(index, int(rng.integers(3, 7)))
    look, plan = WORLD[int(rng.integers(len(WORLD)))], StreetPlan(hand, groups=int(rng.random() < 0.15))
    if conditions.hazard is None:
        return street_scene(rng, camera, look, plan)
    look, plan = with_hazard(look, plan, conditions.hazard, high=conditions.high)
    return befall(street_scene(rng, camera, look, plan), rng, conditions.hazard, high=conditions.high)


def polygons(scene: Scene) -> dict[str, Any]:
    """The content of ``_polygons.json``: size, and the outline of everything that is annotated."""
    height, width = scene.size
    objects = []
    for index, region in enumerate(scene.regions[1:], start=1):
        mask = scene.ids == index
        if mask.any():
            label = region.label + "group" * region.is_group
            objects.append({"label": label, "polygon": outline(mask)})
    return {"imgHeight": height, "imgWidth": width, "objects": objects}
