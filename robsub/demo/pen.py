"""A pen draws one object in the coordinates of its own box, so that shapes are written once for every size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robsub.demo.canvas import Canvas, Colour, Point

UNUSUAL_COLOURS: tuple[Colour, ...] = ((236, 70, 170), (60, 230, 210), (250, 225, 40), (150, 60, 225))


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws into a box of the canvas: (0, 0) is the box's top left corner, (1, 1) its bottom right.

    Attributes:
        canvas: where it draws.
        region: index of the object's region.
        box: (x, y, width, height) in picture pixels.
        depth: the object's distance in metres.
        mirrored: left and right are swapped.
    """

    canvas: Canvas
    region: int
    box: tuple[float, float, float, float]
    depth: float = np.inf
    mirrored: bool = False

    @property
    def aspect(self) -> float:
        """Width of the box over its height."""
        return self.box[2] / self.box[3]

    def body_colour(self, rng: np.random.Generator, colour: Colour) -> Colour:
        """The colour of the object's body: the usual one given, or a strange one if the region is unusual."""
        if not self.canvas.region(self.region).unusual:
            return colour
        return UNUSUAL_COLOURS[int(rng.integers(len(UNUSUAL_COLOURS)))]

    def other(self, region: int, box: tuple[float, float, float, float]) -> Pen:
        """A pen for another object whose box is given in this one's coordinates as (x, y, width, height)."""
        x, y, w, h = box
        left = 1 - x - w if self.mirrored else x
        bx, by, bw, bh = self.box
        return Pen(self.canvas, region, (bx + left * bw, by + y * bh, w * bw, h * bh), self.depth, self.mirrored)

    def polygon(self, *points: Point, colour: Colour, shade: float = 0.2, part: str | None = None) -> None:
        """A filled polygon."""
        corners = [self._place(p) for p in points]
        self.canvas.polygon(corners, colour, self.region, self.depth, shade=shade, part=part)

    def rectangle(
        self, x0: float, y0: float, x1: float, y1: float, colour: Colour, *, shade: float = 0.2, part: str | None = None
    ) -> None:
        """A filled upright rectangle."""
        corner, opposite = self._place((x0, y0)), self._place((x1, y1))
        self.canvas.rectangle(corner, opposite, colour, self.region, self.depth, shade=shade, part=part)

    def disc(
        self, x: float, y: float, radius: float, colour: Colour, *, shade: float = 0.1, part: str | None = None
    ) -> None:
        """A filled circle, round on screen; its radius is a share of the box's height."""
        r = radius * self.box[3]
        self.canvas.ellipse(self._place((x, y)), (r, r), colour, self.region, self.depth, shade=shade, part=part)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour, *, shade: float = 0.15) -> None:
        """A filled ellipse with radii as shares of the box's width and height."""
        radii = (rx * self.box[2], ry * self.box[3])
        self.canvas.ellipse(self._place((x, y)), radii, colour, self.region, self.depth, shade=shade)

    def bar(self, start: Point, end: Point, width: float, colour: Colour, *, shade: float = 0.0) -> None:
        """A thick line with square ends; its width is a share of the box's height."""
        a, b = np.asarray(self._place(start)), np.asarray(self._place(end))
        along = (b - a) / max(float(np.hypot(*(b - a))), 1e-6)
        side = np.array([-along[1], along[0]]) * max(width * self.box[3], 1.0) / 2
        corners: Sequence[Point] = [(float(p[0]), float(p[1])) for p in (a + side, b + side, b - side, a - side)]
        self.canvas.polygon(corners, colour, self.region, self.depth, shade=shade)

    def _place(self, point: Point) -> Point:
        x, y, w, h = self.box
        u = 1 - point[0] if self.mirrored else point[0]
        return x + u * w, y + point[1] * h
