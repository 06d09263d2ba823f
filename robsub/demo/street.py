"""Street scenes: which traffic there is, how far away, where, and who hides whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from robsub.demo import people, vehicles
from robsub.demo.backdrop import Camera, Look, paint_backdrop
from robsub.demo.canvas import Canvas, Colour, Region, Scene, dim, pick
from robsub.demo.pen import Pen

Painter = Callable[[Pen, np.random.Generator], None]


@dataclass(frozen=True, slots=True)
class View:
    """One way to see a kind of traffic.

    Attributes:
        label: label of its region.
        paint: draws it.
        size_m: (width, height) in metres as it is seen.
        reach_m: nearest and farthest distance in metres.
        share: how often this view of its kind is taken.
    """

    label: str
    paint: Painter
    size_m: tuple[float, float]
    reach_m: tuple[float, float]
    share: float = 1.0


TRAFFIC: dict[str, tuple[View, ...]] = {
    "person": (View("person", people.person, (0.62, 1.75), (9, 30)),),
    "cyclist": (View("rider", people.cyclist, (1.7, 1.95), (8.5, 30)),),
    "motorcyclist": (View("rider", people.motorcyclist, (1.8, 1.75), (8.5, 28)),),
    "car": (
        View("car", vehicles.car_rear, (1.85, 1.5), (11, 42), 0.5),
        View("car", vehicles.car_side, (3.9, 1.5), (15, 42), 0.5),
    ),
    "truck": (
        View("truck", vehicles.truck_rear, (2.6, 3.2), (20, 75), 0.4),
        View("truck", vehicles.truck_side, (7.0, 3.3), (28, 95), 0.6),
    ),
    "bus": (
        View("bus", vehicles.bus_front, (2.6, 3.1), (19, 75), 0.4),
        View("bus", vehicles.bus_side, (9.5, 3.1), (38, 100), 0.6),
    ),
    "train": (
        View("train", vehicles.train_front, (2.7, 3.7), (22, 80), 0.3),
        View("train", vehicles.train_side, (15.0, 3.8), (52, 122), 0.7),
    ),
    "motorcycle": (View("motorcycle", vehicles.motorcycle, (2.1, 1.2), (9, 30)),),
    "bicycle": (View("bicycle", vehicles.bicycle, (1.8, 1.1), (9, 26)),),
}
"""Everything that can be on the road. Distances are such that nothing is much smaller than 14 pixels."""

KINDS = tuple(TRAFFIC)


@dataclass(frozen=True, slots=True)
class StreetPlan:
    """What a street scene shows.

    Attributes:
        kinds: the traffic, keys of TRAFFIC.
        groups: how many groups of distant cars or people there are.
        clutter: how many things of no class: bins and boxes (static), carts (dynamic).
        crowded: objects may hide much of each other.
        railing: a railing in the foreground hides parts of the scene.
        unusual: share of objects in a colour that their class never has.
        bonnet: how much of the picture our own bonnet covers, as a share of its height.
    """

    kinds: Sequence[str]
    groups: int = 0
    clutter: int = 0
    crowded: bool = False
    railing: bool = False
    unusual: float = 0.0
    bonnet: float = 0.0


@dataclass(frozen=True, slots=True)
class Actor:
    """One participant of the traffic at its place; the box is (x, y, width, height) in pixels."""

    view: View
    depth: float
    box: tuple[float, float, float, float]


@dataclass(slots=True)
class Stage:
    """Finds places for actors: the camera, and the boxes that are taken."""

    camera: Camera
    crowded: bool
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)

    def place(self, rng: np.random.Generator, view: View) -> Actor:
        """The least crowded of some random places for a view."""
        tries = 2 if self.crowded else 14
        actors = [self._somewhere(rng, view) for _ in range(tries)]
        best = min(actors, key=lambda actor: max((hidden_share(actor.box, b) for b in self.boxes), default=0.0))
        self.boxes.append(best.box)
        return best

    def _somewhere(self, rng: np.random.Generator, view: View) -> Actor:
        depth = float(np.exp(rng.uniform(*np.log(view.reach_m))))
        width, height = (self.camera.pixels(m, depth) for m in view.size_m)
        room = self.camera.size[1]
        margin = min(0.42 * width, 0.3 * room)
        x = float(rng.uniform(margin, room - margin))
        return Actor(view, depth, (x - width / 2, self.camera.row(depth) - height, width, height))


def hidden_share(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Common area of two (x, y, width, height) boxes as a share of the smaller one."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(w, 0.0) * max(h, 0.0) / min(a[2] * a[3], b[2] * b[3])


def street_scene(rng: np.random.Generator, camera: Camera, look: Look, plan: StreetPlan) -> Scene:
    """Paint one street."""
    canvas = Canvas(camera.size)
    paint_backdrop(canvas, rng, camera, look)
    for _ in range(plan.groups):
        paint_group(canvas, rng, camera)
    stage = Stage(camera, plan.crowded)
    actors = [stage.place(rng, choose_view(rng, kind)) for kind in plan.kinds]
    for actor in sorted(actors, key=lambda a: -a.depth):
        paint_actor(canvas, rng, actor, unusual=bool(rng.random() < plan.unusual))
    for _ in range(plan.clutter):
        paint_clutter(canvas, rng, camera)
    if plan.railing:
        paint_railing(canvas)
    if plan.bonnet:
        paint_bonnet(canvas, rng, plan.bonnet)
    return canvas.finish(rng, light=look.light, noise=look.noise)


def choose_view(rng: np.random.Generator, kind: str) -> View:
    """One of the views of a kind, by their shares."""
    views = TRAFFIC[kind]
    return views[int(rng.choice(len(views), p=[v.share for v in views]))]


def paint_actor(canvas: Canvas, rng: np.random.Generator, actor: Actor, *, unusual: bool = False) -> None:
    """One object with the shadow it casts on the road."""
    x, y, width, height = actor.box
    canvas.ellipse((x + width / 2, y + height), (width * 0.55, height * 0.07), (14, 16, 22), None, alpha=0.55)
    region = canvas.add(Region(actor.view.label, is_object=True, unusual=unusual))
    actor.view.paint(Pen(canvas, region, actor.box, actor.depth, mirrored=bool(rng.random() < 0.5)), rng)


def paint_group(canvas: Canvas, rng: np.random.Generator, camera: Camera) -> None:
    """Distant cars, or people, close together: one region, since nobody can tell them apart."""
    cars = rng.random() < 0.6
    view = TRAFFIC["car" if cars else "person"][0]
    depth = float(rng.uniform(75, 95) if cars else rng.uniform(60, 75))
    width, height = (camera.pixels(m, depth) for m in view.size_m)
    region = canvas.add(Region(view.label, is_group=True))
    x = rng.uniform(0.2, 0.8) * camera.size[1]
    for i in range(int(rng.integers(3, 6))):
        box = (x + i * width * 0.85, camera.row(depth) - height, width, height)
        view.paint(Pen(canvas, region, box, depth), rng)


CLUTTER_PAINTS: tuple[Colour, ...] = ((60, 92, 70), (110, 84, 58), (150, 150, 146))


def paint_clutter(canvas: Canvas, rng: np.random.Generator, camera: Camera) -> None:
    """A bin or a box at the roadside, where nothing else stands."""
    depth = float(rng.uniform(14, 30))
    width, height = camera.pixels(0.8, depth), camera.pixels(1.1, depth)
    x = camera.size[1] * float(rng.choice([0.04, 0.12, 0.84, 0.92])) + float(rng.uniform(-4, 4))
    box = (x, camera.row(depth) - height, width, height)
    if not canvas.is_free((x, box[1], x + width, box[1] + height)):
        return
    pen = Pen(canvas, canvas.add(Region(str(rng.choice(["static", "dynamic"])))), box, depth)
    paint = pick(rng, CLUTTER_PAINTS)
    pen.rectangle(0.08, 0.1, 0.92, 1.0, paint)
    pen.rectangle(0.0, 0.0, 1.0, 0.14, dim(paint, 1.3))


def paint_railing(canvas: Canvas) -> None:
    """A bridge's railing close in front of the camera."""
    height, width = canvas.size
    fence, paint = canvas.add(Region("fence")), (74, 82, 78)
    for x in np.arange(0.06, 1.0, 0.19) * width:
        canvas.rectangle((x, 0.3 * height), (x + 0.022 * width, height), paint, fence, 3.0)
    canvas.rectangle((0, 0.3 * height), (width, 0.345 * height), dim(paint, 1.3), fence, 3.0)


def paint_bonnet(canvas: Canvas, rng: np.random.Generator, share: float) -> None:
    """Our own car's bonnet along the bottom edge, with a star on it."""
    height, width = canvas.size
    region, rise = canvas.add(Region("ego vehicle")), height * share
    paint = pick(rng, ((30, 32, 38), (70, 74, 82), (44, 22, 24)))
    canvas.ellipse((width / 2, height + rise * 0.6), (width * 0.62, rise * 1.6), paint, region, shade=0.7)
    canvas.ellipse((width / 2, height - rise * 0.75), (2.2, 2.2), (190, 194, 200), region)
