"""Frames on which a road-scene detector should find nothing: a room, an aquarium, a texture, an empty road."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from robsub.demo.backdrop import Camera, soft_noise
from robsub.demo.canvas import Canvas, Region, Scene, pick, vary
from robsub.demo.looks import DESERT
from robsub.demo.rooms import COMMON_PIECES, room_scene, room_style
from robsub.demo.street import StreetPlan, street_scene


def negative_scene(rng: np.random.Generator, camera: Camera, kind: int) -> Scene:
    """One of the four kinds of frames without any road user; only the empty road has annotated stuff."""
    kind %= 4
    if kind == 0:
        return aquarium(rng, camera.size)
    if kind == 1:
        names = [str(name) for name in rng.permutation(COMMON_PIECES)[:4]]
        return unannotated(room_scene(rng, camera.size, room_style(rng), names))
    if kind == 2:
        return street_scene(rng, camera, DESERT, StreetPlan(()))
    return texture(rng, camera.size)


def unannotated(scene: Scene) -> Scene:
    """The scene with every pixel unlabeled."""
    return replace(
        scene, ids=np.zeros_like(scene.ids), regions=(Region("unlabeled"),), extents=scene.extents[:1], parts=()
    )


def aquarium(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    """Fish and weed in blue water."""
    height, width = size
    canvas = Canvas(size)
    canvas.rectangle((0, 0), (width, height), (34, 110, 170), 0, shade=0.7)
    canvas.polygon([(0, height), (0, height * 0.88), (width, height * 0.82), (width, height)], (206, 184, 130), 0)
    for x in rng.uniform(0, width, 7):
        top = float(rng.uniform(0.3, 0.7)) * height
        sway = float(rng.uniform(-12, 12))
        canvas.polygon([(x - 3, height), (x + sway, top), (x + 4, height)], vary(rng, (40, 130, 74)), 0, shade=0.4)
    for _ in range(7):
        x, y, length = rng.uniform(10, width - 10), rng.uniform(8, height * 0.8), rng.uniform(7, 15)
        paint = pick(rng, ((244, 132, 36), (250, 214, 60), (226, 80, 120), (150, 220, 230)))
        canvas.polygon([(x - length, y), (x - 1.7 * length, y - 6), (x - 1.7 * length, y + 6)], paint, 0)
        canvas.ellipse((x, y), (length, length * 0.5), paint, 0, shade=0.5)
        canvas.ellipse((x + length * 0.55, y - 1), (1.6, 1.6), (20, 20, 30), 0)
    return unannotated(canvas.finish(rng))


def texture(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    """Clouds of colour, as an abstract painting."""
    canvas = Canvas(size)
    for channel in range(3):
        for cells in ((4, 6), (9, 16)):
            canvas.colour[..., channel] += 64 + 60 * soft_noise(rng, canvas.colour.shape[:2], cells)
    return unannotated(canvas.finish(rng))
