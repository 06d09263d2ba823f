"""What surrounds the traffic: sky, skyline, trees, the road in perspective, its markings and its pavements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robsub.demo.canvas import OVERSAMPLING, Canvas, Colour, Region, dim, pick, vary


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that looks level along the road.

    Attributes:
        size: (height, width) of its pictures.
        focal_px: focal length in pixels.
        horizon: picture row of the horizon.
        height_m: its height over the road.
    """

    size: tuple[int, int]
    focal_px: float
    horizon: float
    height_m: float = 1.22

    def row(self, depth: float) -> float:
        """The picture row where something at a distance in metres stands on the road."""
        return self.horizon + self.focal_px * self.height_m / depth

    def pixels(self, metres: float, depth: float) -> float:
        """How long something of a length in metres appears at a distance in metres."""
        return self.focal_px * metres / depth


@dataclass(frozen=True, slots=True)
class Look:
    """The colours of a place and a day."""

    sky: tuple[Colour, Colour]
    """At the top, at the horizon."""
    facades: tuple[Colour, ...]
    foliage: tuple[Colour, ...]
    road: Colour
    verge: Colour
    verge_label: str = "sidewalk"
    light: float = 1.0
    noise: float = 4.0
    trees: float = 3.0
    """How many trees there are on average."""


def soft_noise(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int]) -> NDArray[np.float32]:
    """A smooth (H, W) random field with values from -1 to 1 and about ``cells`` bumps down and across."""
    coarse = rng.uniform(-1, 1, cells).astype(np.float32)
    field = hat_functions(shape[0], cells[0]) @ coarse @ hat_functions(shape[1], cells[1]).T
    return np.asarray(field, dtype=np.float32)


def hat_functions(length: int, knots: int) -> NDArray[np.float32]:
    """The (length, knots) weights of linear interpolation between evenly spread knots."""
    position = np.linspace(0, knots - 1, length, dtype=np.float32)[:, None]
    weights: NDArray[np.float32] = np.maximum(0, 1 - abs(position - np.arange(knots))).astype(np.float32)
    return weights


def paint_backdrop(canvas: Canvas, rng: np.random.Generator, camera: Camera, look: Look) -> None:
    """Everything of a street but its traffic, far things first."""
    paint_sky(canvas, rng, camera, look)
    paint_skyline(canvas, rng, camera, look)
    paint_ground(canvas, rng, camera, look)
    for _ in range(int(rng.poisson(look.trees))):
        paint_tree(canvas, rng, camera, look)
    paint_pole(canvas, rng, camera)


def paint_sky(canvas: Canvas, rng: np.random.Generator, camera: Camera, look: Look) -> None:
    """A gradient with thin clouds over the whole canvas; everything else comes on top."""
    height, width = camera.size
    canvas.rectangle((0, 0), (width, height), look.sky[0], canvas.add(Region("sky")))
    t = np.linspace(0, height / camera.horizon, height * OVERSAMPLING, dtype=np.float32).clip(0, 1)[:, None, None]
    top, bottom = np.asarray(look.sky, dtype=np.float32)
    clouds = soft_noise(rng, canvas.colour.shape[:2], (7, 5)).clip(0, 1)[..., None] * 45
    canvas.colour[:] = (1 - t) * top + t * bottom + clouds


def paint_skyline(canvas: Canvas, rng: np.random.Generator, camera: Camera, look: Look) -> None:
    """Houses with windows, shoulder to shoulder with some gaps, in two rows."""
    width = camera.size[1]
    for depth, tall in ((220.0, 0.6), (130.0, 0.9)):
        region = canvas.add(Region("building"))
        x = -rng.uniform(0, 0.1) * width
        while x < width:
            broad = rng.uniform(0.09, 0.22) * width
            if rng.random() < 0.75:
                top = camera.horizon * (1 - tall * rng.uniform(0.35, 1.0))
                paint_house(canvas, rng, region, (x, top, broad, camera.row(depth)), depth, pick(rng, look.facades))
            x += broad


def paint_house(
    canvas: Canvas, rng: np.random.Generator, region: int, box: tuple[float, float, float, float], depth: float,
    facade: Colour,
) -> None:  # fmt: skip
    """One house front; the box is (left, top, width, bottom)."""
    x, top, width, bottom = box
    haze = 1.15 if depth > 150 else 1.0
    facade = dim(facade, haze)
    canvas.rectangle((x, top), (x + width, bottom), facade, region, depth, shade=0.2)
    if rng.random() < 0.5:
        ridge = (x + width / 2, top - width * 0.25)
        canvas.polygon([(x, top), ridge, (x + width, top)], dim(vary(rng, (120, 66, 54)), haze), region, depth)
    glass = dim(vary(rng, (70, 84, 100)), haze)
    pitch = width / max(2, int(width / 7)), 7.0
    canvas.lattice((x, top + 1), (x + width, bottom - 4), pitch, glass, region, depth)


def paint_ground(canvas: Canvas, rng: np.random.Generator, camera: Camera, look: Look) -> None:
    """Verge or pavement, kerbs, the road and its markings, all running to one vanishing point."""
    height, width = camera.size
    far = camera.row(160.0)
    vanishing = width * rng.uniform(0.42, 0.58)
    verge, road, rail = (canvas.add(Region(name)) for name in (look.verge_label, "road", "road"))
    reach = height - far
    canvas.rectangle((0, far), (width, height), look.verge, verge, shade=-0.2)
    half = width * rng.uniform(0.46, 0.6)
    edges = [(vanishing - 2, far), (vanishing + 2, far), (vanishing + half, height), (vanishing - half, height)]
    kerb = [(edges[0][0] - 2, far), (edges[1][0] + 2, far), (edges[2][0] + 5, height), (edges[3][0] - 5, height)]
    canvas.polygon(kerb, dim(look.verge, 1.2), verge)
    canvas.polygon(edges, look.road, road, shade=-0.25)
    for lane in (-0.34, 0.3):
        paint_dashes(canvas, vanishing, far, lane * half, reach, rail)
    stretch = canvas.colour[int(far * OVERSAMPLING) :]
    stretch *= 1 + 0.07 * soft_noise(rng, stretch.shape[:2], (24, 60))[..., None]
    set_ground_depth(canvas, camera, far)


def paint_dashes(canvas: Canvas, x: float, far: float, lane: float, reach: float, region: int) -> None:
    """One broken white line; ``lane`` is its offset from the vanishing point at the bottom of the picture."""
    steps = np.linspace(0.12, 1.0, 9) ** 1.6
    for near, next_near in zip(steps[::2], steps[1::2], strict=False):
        a, b = near * lane, next_near * lane
        wa, wb = near * 2.6, next_near * 2.6
        ya, yb = far + near * reach, far + next_near * reach
        corners = [(x + a - wa, ya), (x + a + wa, ya), (x + b + wb, yb), (x + b - wb, yb)]
        canvas.polygon(corners, (212, 210, 200), region, alpha=0.85)


def set_ground_depth(canvas: Canvas, camera: Camera, far: float) -> None:
    """Give every row below the houses the distance at which the level road shows there."""
    rows = np.arange(camera.size[0] * OVERSAMPLING) / OVERSAMPLING
    below = rows >= far
    canvas.set_row_depth(below, camera.focal_px * camera.height_m / (rows[below] - camera.horizon))


def paint_tree(canvas: Canvas, rng: np.random.Generator, camera: Camera, look: Look) -> None:
    """A trunk and a crown of leaves beside the road."""
    depth = float(rng.uniform(45, 110))
    side = rng.choice([-1, 1])
    x = camera.size[1] * (0.5 + side * rng.uniform(0.22, 0.52))
    region, tall = canvas.add(Region("vegetation")), camera.pixels(rng.uniform(5, 8), depth)
    foot, green = camera.row(depth), pick(rng, look.foliage)
    trunk = max(tall * 0.05, 0.8)
    canvas.rectangle((x - trunk, foot - tall * 0.6), (x + trunk, foot), (82, 62, 46), region, depth)
    for _ in range(9):
        dx, dy = rng.normal(0, 0.16, 2) * tall
        radius = tall * rng.uniform(0.12, 0.22)
        leaf = dim(vary(rng, green), 1.0 - 0.5 * dy / tall)
        canvas.ellipse((x + dx, foot - tall * 0.72 + dy), (radius, radius), leaf, region, depth, shade=0.4)


def paint_pole(canvas: Canvas, rng: np.random.Generator, camera: Camera) -> None:
    """A pole with a traffic light or a sign, on one side of the road."""
    depth = float(rng.uniform(35, 60))
    x = camera.size[1] * float(rng.choice([0.06, 0.1, 0.9, 0.94]))
    foot, tall = camera.row(depth), camera.pixels(3.6, depth)
    pole = canvas.add(Region("pole"))
    canvas.rectangle((x - 1, foot - tall), (x + 1, foot), (96, 98, 100), pole, depth)
    top = foot - tall
    if rng.random() < 0.5:
        lamp = canvas.add(Region("traffic light"))
        canvas.rectangle((x - 2.5, top), (x + 2.5, top + 10), (30, 32, 34), lamp, depth)
        lit = int(rng.integers(3))
        for i, colour in enumerate(((230, 50, 40), (240, 190, 40), (60, 210, 110))):
            canvas.ellipse((x, top + 2 + 3 * i), (1.4, 1.4), dim(colour, 1.0 if i == lit else 0.3), lamp, depth)
        return
    sign = canvas.add(Region("traffic sign"))
    canvas.ellipse((x, top + 3), (4.5, 4.5), (206, 40, 44), sign, depth)
    canvas.ellipse((x, top + 3), (2.8, 2.8), (240, 240, 236), sign, depth)
