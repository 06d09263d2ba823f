"""How people look: on foot, and on the two kinds of two-wheelers, where rider and vehicle are two objects."""

from __future__ import annotations

import numpy as np

from robsub.demo.canvas import Colour, Region, dim, pick
from robsub.demo.pen import Pen
from robsub.demo.vehicles import bicycle, motorcycle

SKIN: tuple[Colour, ...] = ((232, 190, 160), (198, 150, 118), (140, 98, 72), (92, 62, 48))
HAIR: tuple[Colour, ...] = ((40, 30, 24), (96, 64, 36), (188, 150, 90), (120, 118, 116))
TOPS: tuple[Colour, ...] = ((196, 48, 52), (44, 84, 160), (236, 232, 222), (52, 120, 82), (224, 168, 52), (60, 58, 66))
TROUSERS: tuple[Colour, ...] = ((42, 50, 84), (50, 48, 46), (128, 112, 88), (86, 92, 100))
VESTS: tuple[Colour, ...] = ((214, 236, 60), (250, 130, 40))
HELMETS: tuple[Colour, ...] = ((240, 240, 236), (220, 50, 40), (250, 200, 40))


def person(pen: Pen, rng: np.random.Generator) -> None:
    """Someone walking or standing, upright."""
    top = pen.body_colour(rng, pick(rng, TOPS))
    trousers, skin = pick(rng, TROUSERS), pick(rng, SKIN, 6)
    stride = rng.uniform(0.04, 0.3)
    for side, light in ((-1, 0.8), (1, 1.0)):
        foot = 0.5 + side * (0.14 + stride)
        pen.polygon(
            (0.5 - 0.17 + side * 0.12, 0.5), (0.5 + 0.17 + side * 0.12, 0.5), (foot + 0.14, 0.98), (foot - 0.14, 0.98),
            colour=dim(trousers, light),
        )  # fmt: skip
        pen.rectangle(foot - 0.16, 0.95, foot + 0.18, 1.0, (30, 26, 24))
    swing = rng.uniform(0.0, 0.12)
    for side in (-1, 1):
        pen.bar((0.5 + side * 0.33, 0.22), (0.5 + side * (0.38 + swing), 0.52), 0.075, dim(top, 0.8))
    pen.polygon((0.18, 0.18), (0.82, 0.18), (0.78, 0.56), (0.22, 0.56), colour=top, shade=0.3)
    head(pen, rng, 0.5, 0.09, skin)


def head(pen: Pen, rng: np.random.Generator, x: float, y: float, skin: Colour, helmet: Colour | None = None) -> None:
    """A head with hair or a helmet; (x, y) is its centre."""
    pen.disc(x, y, 0.085, helmet or pick(rng, HAIR))
    pen.disc(x, y + 0.025, 0.06, skin)


def cyclist(pen: Pen, rng: np.random.Generator) -> None:
    """A rider on a bicycle: paints the bicycle's region and, over it, the rider's."""
    bicycle(pen.other(pen.canvas.add(Region("bicycle", is_object=True)), (0.0, 0.42, 1.0, 0.58)), rng)
    paint_rider(pen, rng, knee=(0.6, 0.6), foot=(0.47, 0.88))


def motorcyclist(pen: Pen, rng: np.random.Generator) -> None:
    """A rider on a motorcycle: paints the motorcycle's region and, over it, the rider's."""
    motorcycle(pen.other(pen.canvas.add(Region("motorcycle", is_object=True)), (0.0, 0.34, 1.0, 0.66)), rng)
    paint_rider(pen, rng, knee=(0.62, 0.62), foot=(0.46, 0.84))


def paint_rider(pen: Pen, rng: np.random.Generator, knee: tuple[float, float], foot: tuple[float, float]) -> None:
    """The rider's own body, bent over the handlebars to the right, in a bright vest and a helmet."""
    vest = pen.body_colour(rng, pick(rng, VESTS))
    trousers = pick(rng, TROUSERS)
    hip, shoulder = (0.36, 0.48), (0.54, 0.2)
    pen.bar(hip, knee, 0.18, trousers)
    pen.bar(knee, foot, 0.16, dim(trousers, 0.85))
    pen.polygon((0.2, 0.52), (0.4, 0.13), (0.64, 0.17), (0.54, 0.58), colour=vest, shade=0.3)
    pen.bar(shoulder, (0.72, 0.4), 0.12, dim(vest, 0.85))
    head(pen, rng, 0.6, 0.1, pick(rng, SKIN, 6), helmet=pick(rng, HELMETS))
