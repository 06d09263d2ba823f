"""How furniture looks from the front, each piece drawn into the box of a pen; legs and frames are thick on purpose."""

from __future__ import annotations

import numpy as np

from robsub.demo.canvas import Colour, dim, pick, vary
from robsub.demo.pen import Pen

WOOD: tuple[Colour, ...] = ((150, 104, 62), (122, 82, 50), (176, 132, 84))
DARK_WOOD: tuple[Colour, ...] = ((92, 58, 38), (74, 50, 38))
FABRICS: tuple[Colour, ...] = ((70, 98, 138), (142, 60, 64), (84, 116, 92), (96, 92, 104))
LINEN: tuple[Colour, ...] = ((188, 204, 226), (226, 196, 202), (206, 222, 200), (222, 214, 186))
CERAMIC: Colour = (240, 242, 244)
STEEL: Colour = (178, 184, 190)
BRASS: Colour = (216, 178, 84)
BOOKS: tuple[Colour, ...] = (
    (176, 44, 44),
    (40, 86, 146),
    (230, 190, 70),
    (56, 128, 84),
    (220, 214, 200),
    (110, 60, 120),
)


def bed(pen: Pen, rng: np.random.Generator) -> None:
    """A bed from its side: headboard, pillow, blanket."""
    wood, linen = pick(rng, DARK_WOOD), pick(rng, LINEN)
    pen.rectangle(0.0, 0.0, 0.1, 1.0, wood)
    pen.rectangle(0.9, 0.5, 1.0, 1.0, wood)
    pen.rectangle(0.06, 0.72, 0.94, 0.9, dim(wood, 1.2))
    pen.rectangle(0.08, 0.42, 0.93, 0.74, (236, 234, 228))
    pen.polygon((0.34, 0.36), (0.9, 0.36), (0.94, 0.46), (0.94, 0.8), (0.34, 0.8), colour=linen, shade=0.35)
    pen.ellipse(0.21, 0.36, 0.11, 0.12, (248, 246, 242))


def chair(pen: Pen, rng: np.random.Generator) -> None:
    """A chair from its side: back rest, seat, two legs."""
    wood = pick(rng, ((190, 110, 50), (202, 134, 66)))
    pen.polygon((0.0, 0.0), (0.28, 0.0), (0.34, 0.56), (0.06, 0.56), colour=wood, shade=0.3)
    pen.polygon((0.06, 0.6), (0.34, 0.6), (0.27, 1.0), (0.0, 1.0), colour=dim(wood, 0.8))
    pen.polygon((0.7, 0.6), (0.96, 0.6), (1.0, 1.0), (0.74, 1.0), colour=dim(wood, 0.8))
    pen.rectangle(0.06, 0.46, 0.98, 0.68, vary(rng, (170, 52, 46)))


def sofa(pen: Pen, rng: np.random.Generator) -> None:
    """A sofa from the front: back, two cushions, two arm rests."""
    fabric = pick(rng, FABRICS)
    pen.rectangle(0.08, 0.0, 0.92, 0.72, dim(fabric, 0.85), shade=0.3)
    pen.rectangle(0.1, 0.46, 0.495, 0.72, dim(fabric, 1.3))
    pen.rectangle(0.505, 0.46, 0.9, 0.72, dim(fabric, 1.3))
    pen.rectangle(0.08, 0.7, 0.92, 0.92, fabric)
    for x in (0.0, 0.84):
        pen.ellipse(x + 0.08, 0.36, 0.08, 0.1, dim(fabric, 1.1))
        pen.rectangle(x, 0.36, x + 0.16, 0.92, fabric, shade=0.4)
    for x in (0.03, 0.85):
        pen.rectangle(x, 0.92, x + 0.12, 1.0, (44, 34, 28))


def table(pen: Pen, rng: np.random.Generator) -> None:
    """A table: a top seen a little from above, and sturdy legs."""
    wood = pick(rng, WOOD)
    for x in (0.06, 0.82):
        pen.rectangle(x, 0.3, x + 0.12, 1.0, dim(wood, 0.7))
    pen.rectangle(0.02, 0.28, 0.98, 0.42, dim(wood, 0.85))
    pen.polygon((0.12, 0.0), (0.88, 0.0), (1.0, 0.3), (0.0, 0.3), colour=dim(wood, 1.25), shade=-0.2)


def desk(pen: Pen, rng: np.random.Generator) -> None:
    """A desk with a chest of drawers and a screen on it."""
    wood = pick(rng, ((190, 186, 176), (160, 162, 166)))
    pen.rectangle(0.28, 0.0, 0.66, 0.26, (34, 36, 42))
    pen.rectangle(0.43, 0.26, 0.51, 0.34, (60, 62, 66))
    pen.rectangle(0.0, 0.34, 1.0, 0.46, dim(wood, 1.15))
    pen.rectangle(0.03, 0.46, 0.15, 1.0, dim(wood, 0.7))
    pen.rectangle(0.6, 0.46, 0.97, 1.0, dim(wood, 0.85))
    for y in (0.5, 0.67, 0.84):
        pen.rectangle(0.63, y, 0.94, y + 0.12, wood)


def cabinet(pen: Pen, rng: np.random.Generator) -> None:
    """A low cabinet: two doors with knobs below a drawer each."""
    wood = pick(rng, ((206, 178, 130), (190, 160, 112)))
    pen.rectangle(0.0, 0.0, 1.0, 0.1, dim(wood, 0.75))
    pen.rectangle(0.02, 0.08, 0.98, 1.0, dim(wood, 0.72))
    for x in (0.07, 0.53):
        pen.rectangle(x, 0.14, x + 0.4, 0.34, wood)
        pen.rectangle(x, 0.39, x + 0.4, 0.93, wood, part="door")
        pen.rectangle(x + 0.15, 0.21, x + 0.25, 0.27, (60, 50, 40))
    pen.disc(0.42, 0.62, 0.05, (60, 50, 40))
    pen.disc(0.58, 0.62, 0.05, (60, 50, 40))


def bookshelf(pen: Pen, rng: np.random.Generator) -> None:
    """Three shelves of books."""
    wood = pick(rng, DARK_WOOD)
    pen.rectangle(0.0, 0.0, 1.0, 1.0, wood)
    pen.rectangle(0.08, 0.05, 0.92, 0.94, dim(wood, 0.5))
    for floor in (0.31, 0.62, 0.93):
        x = 0.09
        while x < 0.84:
            width = rng.uniform(0.07, 0.13)
            top = floor - rng.uniform(0.17, 0.25)
            pen.rectangle(x, top, min(x + width, 0.91), floor, pick(rng, BOOKS))
            x += width + (0.08 if rng.random() < 0.12 else 0.01)
        pen.rectangle(0.08, floor, 0.92, floor + 0.05, dim(wood, 1.3))


def door(pen: Pen, rng: np.random.Generator) -> None:
    """A closed door in its frame, with two panels and a handle."""
    leaf = pick(rng, ((130, 84, 52), (112, 72, 46), (146, 98, 60)))
    pen.rectangle(0.0, 0.0, 1.0, 1.0, (232, 230, 224))
    pen.rectangle(0.1, 0.05, 0.9, 1.0, leaf)
    for top, bottom in ((0.11, 0.46), (0.56, 0.92)):
        pen.rectangle(0.22, top, 0.78, bottom, dim(leaf, 0.8))
        pen.rectangle(0.27, top + 0.02, 0.78, bottom, dim(leaf, 1.1))
    pen.rectangle(0.74, 0.48, 0.88, 0.53, BRASS, part="handle")


def window(pen: Pen, rng: np.random.Generator) -> None:
    """A window with four panes: sky above, green below."""
    sky = vary(rng, (140, 192, 236))
    pen.rectangle(0.0, 0.0, 1.0, 1.0, (246, 246, 244))
    pen.rectangle(0.09, 0.09, 0.91, 0.91, sky, shade=-0.3)
    pen.polygon((0.09, 0.91), (0.09, 0.68), (0.4, 0.56), (0.66, 0.7), (0.91, 0.6), (0.91, 0.91), colour=(96, 150, 84))
    pen.rectangle(0.46, 0.05, 0.54, 0.95, (246, 246, 244))
    pen.rectangle(0.05, 0.46, 0.95, 0.54, (246, 246, 244))


def picture(pen: Pen, rng: np.random.Generator) -> None:
    """A painting of a landscape at sunset in a gilded frame."""
    pen.rectangle(0.0, 0.0, 1.0, 1.0, vary(rng, (198, 156, 62)))
    pen.rectangle(0.13, 0.14, 0.87, 0.86, pick(rng, ((236, 120, 70), (222, 96, 96), (240, 164, 74))), shade=-0.5)
    pen.polygon((0.13, 0.86), (0.13, 0.62), (0.42, 0.4), (0.62, 0.62), (0.87, 0.5), (0.87, 0.86), colour=(72, 44, 78))
    pen.disc(0.68, 0.34, 0.09, (254, 232, 150))


def toilet(pen: Pen, rng: np.random.Generator) -> None:
    """A toilet: cistern, lid, bowl, foot."""
    white = vary(rng, CERAMIC, 5)
    pen.rectangle(0.08, 0.0, 0.92, 0.36, dim(white, 0.94))
    pen.rectangle(0.42, 0.06, 0.58, 0.12, STEEL)
    pen.polygon((0.22, 0.6), (0.78, 0.6), (0.7, 1.0), (0.3, 1.0), colour=dim(white, 0.82), shade=0.3)
    pen.ellipse(0.5, 0.56, 0.48, 0.22, white)
    pen.ellipse(0.5, 0.53, 0.33, 0.13, (112, 132, 150))


def refrigerator(pen: Pen, rng: np.random.Generator) -> None:
    """A fridge: a small door above a tall one, with long handles."""
    steel = pick(rng, ((196, 204, 212), (176, 186, 198)), 8)
    pen.rectangle(0.0, 0.0, 1.0, 0.97, dim(steel, 0.7))
    pen.rectangle(0.03, 0.02, 0.97, 0.34, steel, shade=0.3, part="door")
    pen.rectangle(0.03, 0.37, 0.97, 0.95, steel, shade=0.3, part="door")
    pen.rectangle(0.1, 0.14, 0.2, 0.31, (70, 76, 84), part="handle")
    pen.rectangle(0.1, 0.41, 0.2, 0.64, (70, 76, 84), part="handle")
    pen.rectangle(0.08, 0.95, 0.92, 1.0, (40, 40, 44))


def counter(pen: Pen, rng: np.random.Generator) -> None:
    """A kitchen counter: a stone top with an overhang, white fronts."""
    pen.rectangle(0.03, 0.14, 0.97, 1.0, (214, 218, 216))
    for x in (0.05, 0.29, 0.53, 0.77):
        pen.rectangle(x, 0.26, x + 0.19, 0.92, (240, 242, 238), part="door")
        pen.rectangle(x + 0.05, 0.3, x + 0.14, 0.35, STEEL, part="handle")
    pen.rectangle(0.0, 0.0, 1.0, 0.18, vary(rng, (70, 74, 76)), shade=0.5)


def curtain(pen: Pen, rng: np.random.Generator) -> None:
    """A heavy curtain in folds below its rod."""
    drape(pen, rng, pick(rng, ((150, 70, 92), (110, 86, 140))))


def shower_curtain(pen: Pen, rng: np.random.Generator) -> None:
    """A bright curtain with dots on a steel rod."""
    drape(pen, rng, vary(rng, (190, 232, 236), 6))
    for x, y in rng.uniform((0.12, 0.16), (0.88, 0.92), (9, 2)):
        pen.disc(float(x), float(y), 0.045, (70, 150, 200))


def drape(pen: Pen, rng: np.random.Generator, cloth: Colour) -> None:
    """Cloth in vertical folds, wider at the bottom."""
    folds = int(rng.integers(4, 6))
    for i in range(folds):
        a, b = i / folds, (i + 1) / folds
        light = 1.12 if i % 2 else 0.86
        pen.polygon(
            (0.05 + 0.9 * a, 0.04), (0.05 + 0.9 * b, 0.04), (b, 1.0), (a, 1.0), colour=dim(cloth, light), shade=0.15
        )
    pen.rectangle(0.0, 0.0, 1.0, 0.06, (110, 100, 90))


def sink(pen: Pen, rng: np.random.Generator) -> None:
    """A wash basin on its pedestal, with a tap."""
    white = vary(rng, CERAMIC, 5)
    pen.bar((0.5, 0.3), (0.5, 0.02), 0.12, STEEL)
    pen.bar((0.5, 0.06), (0.68, 0.1), 0.1, STEEL)
    pen.polygon((0.38, 0.5), (0.62, 0.5), (0.66, 1.0), (0.34, 1.0), colour=dim(white, 0.8))
    pen.polygon((0.0, 0.24), (1.0, 0.24), (0.82, 0.56), (0.18, 0.56), colour=white, shade=0.4)
    pen.ellipse(0.5, 0.28, 0.38, 0.07, (150, 166, 178))


def bathtub(pen: Pen, rng: np.random.Generator) -> None:
    """A tub full of water, with a tap at its end."""
    white = vary(rng, CERAMIC, 5)
    pen.bar((0.9, 0.3), (0.9, 0.03), 0.12, STEEL)
    pen.polygon((0.0, 0.3), (1.0, 0.3), (0.92, 1.0), (0.08, 1.0), colour=dim(white, 0.95), shade=0.4)
    pen.ellipse(0.5, 0.34, 0.5, 0.14, white)
    pen.ellipse(0.5, 0.35, 0.42, 0.09, (116, 186, 214))


def other_furniture(pen: Pen, rng: np.random.Generator) -> None:
    """A round stool of bright plastic."""
    paint = pick(rng, ((60, 180, 120), (250, 140, 40)))
    pen.polygon((0.12, 0.2), (0.88, 0.2), (1.0, 1.0), (0.0, 1.0), colour=dim(paint, 0.8), shade=0.4)
    pen.ellipse(0.5, 0.2, 0.44, 0.2, paint)
