"""How vehicles look, seen from the side or from behind, each drawn into the box of a pen.

A network of 28 x 28 mask pixels learns these in two minutes only if every stroke is at least a ninth of the object's
width: wheels are filled discs, frames are thick.
"""

from __future__ import annotations

import numpy as np

from robsub.demo.canvas import Colour, dim, pick, vary
from robsub.demo.pen import Pen

TYRE: Colour = (26, 26, 28)
RIM: Colour = (150, 152, 156)
GLASS: Colour = (52, 66, 82)
HEADLIGHT: Colour = (250, 244, 200)
TAILLIGHT: Colour = (205, 28, 30)
PLATE: Colour = (225, 225, 215)
CAR_PAINTS: tuple[Colour, ...] = (
    (178, 34, 38), (34, 72, 150), (205, 208, 212), (62, 64, 70), (232, 232, 228), (36, 110, 84), (190, 150, 70),
)  # fmt: skip
CARGO_PAINTS: tuple[Colour, ...] = ((86, 150, 170), (70, 150, 140), (110, 170, 196))
CAB_PAINTS: tuple[Colour, ...] = ((196, 60, 40), (40, 90, 170), (230, 160, 40))
BUS_PAINTS: tuple[Colour, ...] = ((238, 188, 34), (228, 168, 40), (232, 142, 30))
TRAIN_PAINTS: tuple[Colour, ...] = ((206, 36, 44), (196, 30, 60), (186, 44, 36))
MOTORCYCLE_PAINTS: tuple[Colour, ...] = ((200, 40, 30), (30, 60, 140), (40, 40, 44))
FRAME_PAINTS: tuple[Colour, ...] = ((40, 130, 170), (30, 150, 110), (190, 60, 120), (70, 80, 190))


def wheel(pen: Pen, x: float, y: float, radius: float) -> None:
    """A tyre with its rim."""
    pen.disc(x, y, radius, TYRE, part="wheel")
    pen.disc(x, y, radius * 0.5, RIM)


def car_side(pen: Pen, rng: np.random.Generator) -> None:
    """A car driving to the right."""
    paint = pen.body_colour(rng, pick(rng, CAR_PAINTS))
    roof = rng.uniform(0.18, 0.28), rng.uniform(0.55, 0.66)
    pen.polygon((0.06, 0.48), (roof[0], 0.06), (roof[1], 0.04), (0.8, 0.46), colour=dim(paint, 0.95))
    pen.polygon(
        (0.0, 0.5), (0.05, 0.44), (0.78, 0.42), (0.97, 0.54), (1.0, 0.82), (0.0, 0.84), colour=paint, shade=0.45
    )
    pen.polygon((0.14, 0.45), (roof[0] + 0.03, 0.13), (0.42, 0.12), (0.42, 0.44), colour=GLASS, part="window")
    pen.polygon((0.47, 0.44), (0.47, 0.12), (roof[1] - 0.02, 0.12), (0.71, 0.43), colour=GLASS, part="window")
    pen.rectangle(0.0, 0.53, 0.04, 0.64, TAILLIGHT, part="taillight")
    pen.rectangle(0.94, 0.55, 1.0, 0.66, HEADLIGHT, part="headlight")
    wheel(pen, 0.2, 0.81, 0.19)
    wheel(pen, 0.8, 0.81, 0.19)


def car_rear(pen: Pen, rng: np.random.Generator) -> None:
    """A car ahead of us, or one that comes towards us."""
    paint = pen.body_colour(rng, pick(rng, CAR_PAINTS))
    ahead = rng.random() < 0.6
    pen.rectangle(0.06, 0.7, 0.26, 1.0, TYRE, part="wheel")
    pen.rectangle(0.74, 0.7, 0.94, 1.0, TYRE, part="wheel")
    pen.polygon((0.1, 0.44), (0.2, 0.04), (0.8, 0.04), (0.9, 0.44), colour=paint)
    pen.polygon((0.0, 0.56), (0.08, 0.42), (0.92, 0.42), (1.0, 0.56), (1.0, 0.88), (0.0, 0.88), colour=paint, shade=0.5)
    pen.polygon((0.17, 0.41), (0.25, 0.1), (0.75, 0.1), (0.83, 0.41), colour=GLASS, shade=0.5, part="windshield")
    light = TAILLIGHT if ahead else HEADLIGHT
    name = "taillight" if ahead else "headlight"
    pen.rectangle(0.02, 0.52, 0.22, 0.66, light, part=name)
    pen.rectangle(0.78, 0.52, 0.98, 0.66, light, part=name)
    pen.rectangle(0.36, 0.66, 0.64, 0.78, PLATE if ahead else dim(paint, 0.4), part="license plate")


def truck_side(pen: Pen, rng: np.random.Generator) -> None:
    """A lorry with a box body, driving to the right."""
    cargo, cab = pick(rng, CARGO_PAINTS), pen.body_colour(rng, pick(rng, CAB_PAINTS))
    pen.rectangle(0.02, 0.74, 0.98, 0.88, dim(TYRE, 1.6))
    pen.rectangle(0.0, 0.0, 0.68, 0.76, cargo, shade=0.3)
    for x in np.arange(0.1, 0.66, 0.14):
        pen.rectangle(float(x), 0.04, float(x) + 0.02, 0.72, dim(cargo, 0.85))
    pen.rectangle(0.05, 0.28, 0.62, 0.46, (236, 236, 230))
    pen.polygon((0.72, 0.18), (0.92, 0.18), (0.99, 0.5), (0.99, 0.84), (0.72, 0.84), colour=cab, shade=0.4)
    pen.polygon((0.79, 0.24), (0.91, 0.24), (0.97, 0.48), (0.79, 0.48), colour=GLASS, part="window")
    pen.rectangle(0.93, 0.62, 1.0, 0.7, HEADLIGHT, part="headlight")
    for x in (0.14, 0.32, 0.84):
        wheel(pen, x, 0.87, 0.13)


def truck_rear(pen: Pen, rng: np.random.Generator) -> None:
    """The doors of a lorry ahead of us."""
    cargo = pen.body_colour(rng, pick(rng, CARGO_PAINTS))
    pen.rectangle(0.08, 0.8, 0.32, 1.0, TYRE, part="wheel")
    pen.rectangle(0.68, 0.8, 0.92, 1.0, TYRE, part="wheel")
    pen.rectangle(0.0, 0.0, 1.0, 0.82, dim(cargo, 0.75))
    pen.rectangle(0.06, 0.05, 0.47, 0.74, cargo, shade=0.3)
    pen.rectangle(0.53, 0.05, 0.94, 0.74, cargo, shade=0.3)
    pen.rectangle(0.4, 0.36, 0.46, 0.56, TYRE)
    for i in range(6):
        pen.rectangle(i / 6, 0.78, (i + 1) / 6, 0.87, TAILLIGHT if i % 2 else PLATE)


def bus_side(pen: Pen, rng: np.random.Generator) -> None:
    """A city bus driving to the right."""
    paint = pen.body_colour(rng, pick(rng, BUS_PAINTS))
    pen.rectangle(0.0, 0.05, 1.0, 0.9, paint, shade=0.3)
    pen.rectangle(0.01, 0.0, 0.96, 0.1, dim(paint, 1.25))
    pen.rectangle(0.0, 0.68, 1.0, 0.76, vary(rng, (40, 80, 150)))
    for x in (0.03, 0.18, 0.47, 0.62):
        pen.rectangle(x, 0.2, x + 0.13, 0.54, GLASS, shade=0.6, part="window")
    for x in (0.33, 0.78):
        pen.rectangle(x, 0.18, x + 0.11, 0.86, dim(GLASS, 1.35), shade=0.5, part="door")
    pen.rectangle(0.92, 0.16, 1.0, 0.6, dim(GLASS, 0.8), part="windshield")
    wheel(pen, 0.2, 0.89, 0.13)
    wheel(pen, 0.7, 0.89, 0.13)


def bus_front(pen: Pen, rng: np.random.Generator) -> None:
    """A bus that comes towards us."""
    paint = pen.body_colour(rng, pick(rng, BUS_PAINTS))
    pen.rectangle(0.06, 0.86, 0.28, 1.0, TYRE, part="wheel")
    pen.rectangle(0.72, 0.86, 0.94, 1.0, TYRE, part="wheel")
    pen.rectangle(0.0, 0.02, 1.0, 0.93, paint, shade=0.3)
    pen.rectangle(0.12, 0.05, 0.88, 0.18, TYRE)
    pen.rectangle(0.2, 0.08, 0.8, 0.15, vary(rng, (240, 170, 40)))
    pen.rectangle(0.06, 0.22, 0.94, 0.62, GLASS, shade=0.7, part="windshield")
    pen.rectangle(0.06, 0.72, 0.26, 0.82, HEADLIGHT, part="headlight")
    pen.rectangle(0.74, 0.72, 0.94, 0.82, HEADLIGHT, part="headlight")


def train_side(pen: Pen, rng: np.random.Generator) -> None:
    """A tram with slanted ends, a current collector and skirts over its wheels."""
    paint = pen.body_colour(rng, pick(rng, TRAIN_PAINTS))
    pen.bar((0.4, 0.14), (0.5, 0.02), 0.05, TYRE)
    pen.bar((0.5, 0.02), (0.6, 0.14), 0.05, TYRE)
    pen.polygon((0.05, 0.12), (0.95, 0.12), (1.0, 0.62), (0.97, 1.0), (0.03, 1.0), (0.0, 0.62), colour=(236, 234, 228))
    pen.polygon((0.0, 0.62), (1.0, 0.62), (0.97, 0.93), (0.03, 0.93), colour=paint)
    pen.polygon((0.05, 0.26), (0.95, 0.26), (0.975, 0.54), (0.025, 0.54), colour=GLASS, shade=0.6, part="window")
    for x in (0.3, 0.62):
        pen.rectangle(x, 0.22, x + 0.08, 0.9, dim(paint, 0.8), part="door")
    pen.rectangle(0.05, 0.93, 0.95, 1.0, (52, 52, 56))


def train_front(pen: Pen, rng: np.random.Generator) -> None:
    """A tram that comes towards us."""
    paint = pen.body_colour(rng, pick(rng, TRAIN_PAINTS))
    pen.polygon((0.12, 0.06), (0.88, 0.06), (1.0, 0.5), (0.94, 1.0), (0.06, 1.0), (0.0, 0.5), colour=(236, 234, 228))
    pen.polygon((0.0, 0.5), (1.0, 0.5), (0.95, 0.92), (0.05, 0.92), colour=paint)
    pen.polygon((0.16, 0.16), (0.84, 0.16), (0.93, 0.52), (0.07, 0.52), colour=GLASS, shade=0.7, part="windshield")
    pen.rectangle(0.4, 0.0, 0.6, 0.12, (240, 200, 90))
    pen.disc(0.22, 0.74, 0.06, HEADLIGHT)
    pen.disc(0.78, 0.74, 0.06, HEADLIGHT)
    pen.rectangle(0.1, 0.92, 0.9, 1.0, (52, 52, 56))


def motorcycle(pen: Pen, rng: np.random.Generator) -> None:
    """A motorcycle facing right: fat tyres, tank, long seat."""
    paint = pen.body_colour(rng, pick(rng, MOTORCYCLE_PAINTS))
    wheel(pen, 0.19, 0.74, 0.26)
    wheel(pen, 0.81, 0.74, 0.26)
    pen.polygon((0.28, 0.5), (0.66, 0.5), (0.62, 0.84), (0.34, 0.86), colour=(88, 90, 96))
    pen.polygon((0.0, 0.36), (0.38, 0.3), (0.42, 0.48), (0.12, 0.52), colour=(34, 30, 30))
    pen.polygon((0.36, 0.24), (0.62, 0.2), (0.7, 0.42), (0.4, 0.52), colour=paint, shade=0.5)
    pen.bar((0.66, 0.14), (0.82, 0.7), 0.13, (120, 122, 128))
    pen.polygon((0.62, 0.0), (0.74, 0.04), (0.88, 0.3), (0.66, 0.32), colour=dim(paint, 0.85))
    pen.disc(0.84, 0.3, 0.09, HEADLIGHT)


def bicycle(pen: Pen, rng: np.random.Generator) -> None:
    """A bicycle facing right; annotators fill its wheels, so they are light discs within dark rings."""
    paint = pen.body_colour(rng, pick(rng, FRAME_PAINTS))
    for x in (0.22, 0.78):
        pen.disc(x, 0.64, 0.36, TYRE)
        pen.disc(x, 0.64, 0.25, (172, 174, 172))
        pen.disc(x, 0.64, 0.07, TYRE)
    for start, end in (
        ((0.22, 0.64), (0.4, 0.24)), ((0.4, 0.24), (0.66, 0.2)), ((0.4, 0.28), (0.48, 0.66)),
        ((0.48, 0.66), (0.67, 0.22)), ((0.66, 0.1), (0.78, 0.64)), ((0.22, 0.64), (0.48, 0.66)),
    ):  # fmt: skip
        pen.bar(start, end, 0.1, paint)
    pen.rectangle(0.3, 0.12, 0.48, 0.22, (40, 34, 30))
    pen.bar((0.58, 0.05), (0.76, 0.1), 0.1, (50, 50, 54))
