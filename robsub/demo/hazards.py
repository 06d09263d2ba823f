"""What makes a driving scene hard: WildDash's hazards, applied to the picture and, where they bend it, to the labels.

Coverage, hood, occlusion and variations are part of the scene when it is painted (``with_hazard``); the others befall
the finished picture (``befall``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from skimage.filters import gaussian
from skimage.transform import warp

from robsub.demo.backdrop import Look, soft_noise
from robsub.demo.canvas import Part, Scene, without_slivers
from robsub.demo.street import StreetPlan

Photo = NDArray[np.float32]
"""(H, W, 3), 0 to 255."""


def with_hazard(look: Look, plan: StreetPlan, hazard: str, *, high: bool) -> tuple[Look, StreetPlan]:
    """Look and plan of a scene with a hazard that is painted with it; unchanged for the other hazards."""
    if hazard == "coverage":
        snow, keep = (226, 230, 238), 0.12 if high else 0.5
        r, g, b = (keep * v + (1 - keep) * s for v, s in zip(look.road, snow, strict=True))
        return replace(look, road=(r, g, b), verge=(228, 232, 240)), plan
    if hazard == "hood":
        return look, replace(plan, bonnet=0.26 if high else 0.14)
    if hazard == "occlusion":
        return look, replace(plan, crowded=True, railing=high)
    if hazard == "variations":
        return look, replace(plan, unusual=1.0 if high else 0.5)
    return look, plan


def befall(scene: Scene, rng: np.random.Generator, hazard: str, *, high: bool) -> Scene:
    """The scene with a hazard that befalls the finished picture; unchanged for the other hazards."""
    if hazard == "distortion":
        return distort(scene, 0.32 if high else 0.14)
    if hazard not in PHOTO_HAZARDS:
        return scene
    photo = PHOTO_HAZARDS[hazard](scene.photo.astype(np.float32), rng, high)
    return replace(scene, photo=np.clip(photo, 0, 255).astype(np.uint8))


def blur(photo: Photo, rng: np.random.Generator, high: bool) -> Photo:
    """Defocus."""
    return _gaussian(photo, 1.8 if high else 0.9)


def overexpose(photo: Photo, rng: np.random.Generator, high: bool) -> Photo:
    """Too much light, with a bloom around what is bright."""
    bright = photo * (2.3 if high else 1.55) + (30 if high else 10)
    return bright + 0.5 * _gaussian(np.maximum(bright - 255, 0), 3.0)


def underexpose(photo: Photo, rng: np.random.Generator, high: bool) -> Photo:
    """Too little light, so that the sensor's noise shows."""
    noise = rng.standard_normal(photo.shape, dtype=np.float32)
    return photo * (0.2 if high else 0.42) + noise * (7 if high else 4)


def particles(photo: Photo, rng: np.random.Generator, high: bool) -> Photo:
    """Falling rain or snow, and the haze that comes with it."""
    height, width, _ = photo.shape
    haze = 0.35 if high else 0.18
    photo = (1 - haze) * photo + haze * 205
    count, length = (170 if high else 70), int(rng.integers(1, 6))
    ys, xs = rng.integers(0, height - length, count), rng.integers(0, width, count)
    for step in range(length):
        photo[ys + step, xs] = 0.35 * photo[ys + step, xs] + 0.65 * 240
    return photo


def screen(photo: Photo, rng: np.random.Generator, high: bool) -> Photo:
    """Our own windscreen: a reflection of the dashboard, and dirt."""
    height, width, _ = photo.shape
    reflection = soft_noise(rng, (height, width), (3, 9)).clip(0, 1) * np.linspace(0.2, 1, height)[:, None]
    photo = photo + (reflection * (130 if high else 70))[..., None].astype(np.float32)
    dirt = soft_noise(rng, (height, width), (14, 26)) > (0.5 if high else 0.72)
    smear = _gaussian(dirt[..., None].astype(np.float32), 0.8) * 0.75
    dirty: Photo = (1 - smear) * photo + smear * np.asarray((92, 80, 62), dtype=np.float32)
    return dirty


PHOTO_HAZARDS: dict[str, Callable[[Photo, np.random.Generator, bool], Photo]] = {
    "blur": blur,
    "overexposure": overexpose,
    "particles": particles,
    "screen": screen,
    "underexposure": underexpose,
}


def distort(scene: Scene, strength: float) -> Scene:
    """Barrel distortion of the picture and of everything that is known about its pixels.

    Args:
        scene: the scene.
        strength: how much farther out the picture's corners are fetched from, relative to its half diagonal.
    """
    height, width = scene.size
    centre = np.array([width - 1, height - 1]) / 2

    def source(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        offset = xy - centre
        radius = np.hypot(*offset.T)[:, None] / np.hypot(*centre)
        bent: NDArray[np.float64] = centre + offset * (1 + strength * (radius**2 - 0.4))
        return bent

    def bend(values: NDArray[np.generic], order: int, outside: float) -> NDArray[np.float64]:
        wide = values.astype(np.float64)
        bent: NDArray[np.float64] = warp(wide, source, order=order, cval=outside, preserve_range=True)  # type: ignore[no-untyped-call]
        return bent

    def bend_mask(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return bend(mask, 0, 0) > 0.5

    ids = without_slivers(np.rint(bend(scene.ids, 0, 0)).astype(np.int16), scene.regions)
    depth = np.where(np.isinf(scene.depth), -1, scene.depth)
    depth = bend(depth, 0, -1).astype(np.float32)
    return replace(
        scene,
        photo=bend(scene.photo, 1, 0).astype(np.uint8),
        ids=ids,
        extents=tuple(bend_mask(extent) for extent in scene.extents),
        parts=tuple(Part(p.name, p.whole, bend_mask(p.mask) & (ids == p.whole)) for p in scene.parts),
        depth=np.where(depth < 0, np.inf, depth).astype(np.float32),
    )


def _gaussian(photo: Photo, sigma: float) -> Photo:
    soft = gaussian(photo, sigma, channel_axis=2, preserve_range=True)  # type: ignore[no-untyped-call]
    return np.asarray(soft, dtype=np.float32)
