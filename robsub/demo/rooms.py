"""Indoor scenes: a room with its floor in perspective, things on its wall, furniture from back to front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from robsub.demo import furniture
from robsub.demo.backdrop import soft_noise
from robsub.demo.canvas import Canvas, Colour, Region, Scene, dim, pick, vary
from robsub.demo.pen import Pen
from robsub.demo.street import hidden_share


@dataclass(frozen=True, slots=True)
class Piece:
    """One kind of furniture.

    Attributes:
        paint: draws it.
        size: (width, height) at the back wall, as shares of the picture's height.
        hangs: it hangs on the wall at this height of its top edge, a share of the wall; None stands on the floor.
        at_wall: it stands against the back wall.
    """

    paint: Callable[[Pen, np.random.Generator], None]
    size: tuple[float, float]
    hangs: float | None = None
    at_wall: bool = False


PIECES: dict[str, Piece] = {
    "bed": Piece(furniture.bed, (0.6, 0.32)),
    "chair": Piece(furniture.chair, (0.31, 0.38)),
    "sofa": Piece(furniture.sofa, (0.56, 0.3)),
    "table": Piece(furniture.table, (0.46, 0.27)),
    "door": Piece(furniture.door, (0.28, 0.56), at_wall=True),
    "window": Piece(furniture.window, (0.34, 0.3), hangs=0.16),
    "picture": Piece(furniture.picture, (0.26, 0.21), hangs=0.22),
    "bookshelf": Piece(furniture.bookshelf, (0.36, 0.5), at_wall=True),
    "cabinet": Piece(furniture.cabinet, (0.36, 0.32)),
    "toilet": Piece(furniture.toilet, (0.24, 0.33)),
    "refrigerator": Piece(furniture.refrigerator, (0.26, 0.52), at_wall=True),
    "counter": Piece(furniture.counter, (0.6, 0.28), at_wall=True),
    "desk": Piece(furniture.desk, (0.46, 0.36)),
    "curtain": Piece(furniture.curtain, (0.24, 0.54), hangs=0.06),
    "shower curtain": Piece(furniture.shower_curtain, (0.3, 0.54), hangs=0.06),
    "sink": Piece(furniture.sink, (0.3, 0.32)),
    "bathtub": Piece(furniture.bathtub, (0.56, 0.24)),
    "otherfurniture": Piece(furniture.other_furniture, (0.2, 0.18)),
}
"""The 18 classes of ScanNet."""

COMMON_PIECES = (
    "bed", "chair", "sofa", "table", "door", "window", "picture", "bookshelf", "cabinet", "toilet",
)  # fmt: skip
"""The classes that a tiny network sees often enough to learn; the others are rare, in training data alone."""
RARE_PIECES = tuple(name for name in PIECES if name not in COMMON_PIECES)

WALLS: tuple[Colour, ...] = ((206, 198, 180), (188, 200, 204), (204, 190, 190), (190, 202, 182), (212, 208, 200))
FLOORS: tuple[Colour, ...] = ((136, 104, 74), (110, 104, 98), (160, 140, 116), (96, 84, 80))


@dataclass(frozen=True, slots=True)
class RoomStyle:
    """What all pictures of a room share.

    Attributes:
        wall: colour of its walls.
        floor: colour of its floor.
        planks: floor boards that run away from the viewer; else plain carpet.
        light: exposure.
    """

    wall: Colour
    floor: Colour
    planks: bool
    light: float


def room_style(rng: np.random.Generator) -> RoomStyle:
    """A random room."""
    return RoomStyle(
        pick(rng, WALLS, 6), pick(rng, FLOORS, 8), bool(rng.random() < 0.6), float(rng.uniform(0.84, 1.08))
    )


@dataclass(frozen=True, slots=True)
class Placed:
    """A piece at its place; the box is (x, y, width, height) in pixels."""

    name: str
    box: tuple[float, float, float, float]

    @property
    def foot(self) -> float:
        """The row that it stands on."""
        return self.box[1] + self.box[3]


def room_scene(rng: np.random.Generator, size: tuple[int, int], style: RoomStyle, names: Sequence[str]) -> Scene:
    """Paint a room of (height, width) with the named pieces in it."""
    canvas = Canvas(size)
    skirting = size[0] * float(rng.uniform(0.6, 0.68))
    paint_shell(canvas, rng, style, skirting)
    placed: list[Placed] = []
    for name in names:
        tries = [place(rng, name, size, skirting) for _ in range(16)]
        placed.append(min(tries, key=lambda p: sum(hidden_share(p.box, q.box) for q in placed)))
    # What hangs is behind what stands, and what stands nearer hides what is farther off.
    for piece in sorted(placed, key=lambda p: (PIECES[p.name].hangs is None, p.foot)):
        paint_piece(canvas, rng, piece)
    if rng.random() < 0.25:
        paint_box(canvas, rng)
    return canvas.finish(rng, light=style.light, noise=3.5)


def place(rng: np.random.Generator, name: str, size: tuple[int, int], skirting: float) -> Placed:
    """A random place for a piece: on the wall, against it, or on the floor, larger the nearer it is."""
    height, width = size
    piece = PIECES[name]
    near = 0.0 if piece.hangs is not None or piece.at_wall else float(rng.uniform(0.1, 1.0))
    scale = height * (0.96 + 0.42 * near) * float(rng.uniform(0.92, 1.1))
    w, h = piece.size[0] * scale, piece.size[1] * scale
    x = float(rng.uniform(-0.12 * w, width - 0.88 * w))
    if piece.hangs is not None:
        return Placed(name, (x, skirting * piece.hangs * float(rng.uniform(0.7, 1.3)), w, h))
    foot = skirting + (height - skirting) * (0.06 + 0.9 * near)
    return Placed(name, (x, foot - h, w, h))


def paint_shell(canvas: Canvas, rng: np.random.Generator, style: RoomStyle, skirting: float) -> None:
    """Wall, a corner with the side wall, skirting board and floor."""
    height, width = canvas.size
    wall, floor = canvas.add(Region("wall")), canvas.add(Region("floor"))
    canvas.rectangle((0, 0), (width, height), style.wall, wall, 4.0, shade=0.12)
    corner = width * float(rng.choice([0.0, 0.1, 0.16]))
    canvas.polygon([(0, 0), (corner, 0), (corner, skirting), (0, height)], dim(style.wall, 0.86), wall, 3.0)
    boards = [(corner, skirting), (width, skirting), (width, height), (0, height)]
    canvas.polygon(boards, style.floor, floor, 3.0, shade=-0.3)
    if style.planks:
        paint_planks(canvas, style, floor, skirting, boards)
    canvas.rectangle((corner, skirting - 3), (width, skirting), (236, 234, 228), wall, 4.0)
    canvas.colour *= 1 + 0.06 * soft_noise(rng, canvas.colour.shape[:2], (5, 6))[..., None]


def paint_planks(
    canvas: Canvas, style: RoomStyle, floor: int, skirting: float, boards: Sequence[tuple[float, float]]
) -> None:
    """Every second board a little darker, all running to a vanishing point above the skirting board."""
    height, width = canvas.size
    meet = (width / 2, skirting - 0.7 * height)
    left = boards[0][0]
    for i in range(-10, 12, 2):
        ends = [width / 2 + (i + j) * width * 0.1 for j in (0, 1)]
        share = (skirting - meet[1]) / (height - meet[1])
        starts = [meet[0] + (x - meet[0]) * share for x in ends]
        if starts[0] >= left:
            corners = [(starts[0], skirting), (starts[1], skirting), (ends[1], height), (ends[0], height)]
            canvas.polygon(corners, dim(style.floor, 0.8), floor, 3.0, alpha=0.5)


def paint_piece(canvas: Canvas, rng: np.random.Generator, placed: Placed) -> None:
    """One piece with its shadow on the floor or the wall."""
    x, y, w, h = placed.box
    if PIECES[placed.name].hangs is None:
        canvas.ellipse((x + w / 2, y + h), (w * 0.54, h * 0.07), (20, 18, 18), None, alpha=0.45)
    else:
        canvas.rectangle((x + 1.5, y + 1.5), (x + w + 1.5, y + h + 1.5), (20, 18, 18), None, alpha=0.25)
    region = canvas.add(Region(placed.name, is_object=True))
    pen = Pen(canvas, region, placed.box, 4.0, mirrored=bool(rng.random() < 0.5))
    PIECES[placed.name].paint(pen, rng)


def paint_box(canvas: Canvas, rng: np.random.Generator) -> None:
    """A cardboard box that nobody annotated, near the viewer."""
    height, width = canvas.size
    side = height * float(rng.uniform(0.12, 0.17))
    x, y = float(rng.uniform(0, width - side)), height - side * float(rng.uniform(0.9, 1.2))
    if canvas.is_free((x, y, x + side, y + side)):
        card = vary(rng, (178, 140, 96))
        canvas.rectangle((x, y), (x + side, y + side), card, 0, 2.0, shade=0.2)
        canvas.rectangle((x + side * 0.42, y), (x + side * 0.58, y + side), dim(card, 1.25), 0, 2.0)
