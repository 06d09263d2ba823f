"""ADE20K 2021_17_01: streets and rooms with JSON, instance masks and ``_seg.png`` (CSAILVision/ADE20K README).

Classes have an index into the full list and a WordNet name. Instances of ``_seg.png`` are told apart by the rank of its
blue values, which differs from their id in the JSON, as in the real files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.ade20k import RELEASE, VISIBLE
from robsub.demo.backdrop import Camera
from robsub.demo.canvas import Scene
from robsub.demo.deck import INDOOR_CARDS, TRAFFIC_CARDS, Deck, generator
from robsub.demo.looks import CITY, DUSK, SUBURB
from robsub.demo.native import outline, save_image, save_json
from robsub.demo.rooms import RARE_PIECES, room_scene, room_style
from robsub.demo.street import StreetPlan, street_scene

OCCLUDED = 128
"""Value of an instance mask where something stands in front of the object."""
STREET_SIZES = ((96, 144), (104, 160), (96, 176))
ROOM_SIZES = ((96, 128), (112, 150), (120, 120))
ROOM_FOLDERS = ("home_or_hotel/bedroom", "home_or_hotel/living_room", "work_place/office")
SPLITS = {"training": "train", "validation": "val"}
TRAFFIC = tuple(card for card in TRAFFIC_CARDS if card != "train")  # no class of the joint space has ADE's trains


@dataclass(frozen=True, slots=True)
class AdeClass:
    """A class of the full list: ``name_ndx`` and the WordNet synonyms; the first of them is the annotator's word."""

    index: int
    name: str


CLASSES: dict[str, AdeClass] = {
    "person": AdeClass(1831, "person, individual, someone, somebody, mortal, soul"),
    "rider": AdeClass(1831, "person, individual, someone, somebody, mortal, soul"),
    "car": AdeClass(401, "car, auto, automobile, machine, motorcar"),
    "truck": AdeClass(2880, "truck, motortruck"),
    "bus": AdeClass(327, "bus, autobus, coach, charabanc, double-decker, jitney, motorbus, motorcoach, omnibus"),
    "motorcycle": AdeClass(1563, "minibike, motorbike"),
    "bicycle": AdeClass(187, "bicycle, bike, wheel, cycle"),
    "cabinet": AdeClass(350, "cabinet"),
    "bed": AdeClass(165, "bed"),
    "chair": AdeClass(471, "chair"),
    "sofa": AdeClass(2473, "sofa, couch, lounge"),
    "table": AdeClass(2684, "table"),
    "door": AdeClass(774, "door"),
    "window": AdeClass(3055, "windowpane, window"),
    "bookshelf": AdeClass(239, "bookcase"),
    "picture": AdeClass(1735, "painting, picture"),
    "counter": AdeClass(627, "counter"),
    "desk": AdeClass(724, "desk"),
    "curtain": AdeClass(687, "curtain, drape, drapery, mantle, pall"),
    "refrigerator": AdeClass(2096, "refrigerator, icebox"),
    "toilet": AdeClass(2793, "toilet, can, commode, crapper, pot, potty, stool, throne"),
    "sink": AdeClass(2388, "sink"),
    "bathtub": AdeClass(155, "bathtub, bathing tub, bath, tub"),
    "wall": AdeClass(2978, "wall"),
    "floor": AdeClass(976, "floor, flooring"),
    "building": AdeClass(312, "building, edifice"),
    "sky": AdeClass(2420, "sky"),
    "vegetation": AdeClass(2855, "tree"),
    "terrain": AdeClass(1125, "grass"),
    "road": AdeClass(2131, "road, route"),
    "sidewalk": AdeClass(2377, "sidewalk, pavement"),
    "traffic light": AdeClass(2836, "traffic light, traffic signal, stoplight"),
    "traffic sign": AdeClass(2380, "signboard, sign"),
    "static": AdeClass(64, "ashcan, trash can, garbage can, wastebin, ash bin, ash-bin, ashbin, dustbin, trash barrel"),
}
"""Label of a scene -> class; what has none, such as poles and rare furniture, stays unannotated."""
PART_CLASSES: dict[str, AdeClass] = {
    "wheel": AdeClass(3035, "wheel"),
    "window": AdeClass(3050, "window"),
    "windshield": AdeClass(3057, "windshield"),
    "door": AdeClass(774, "door"),
    "handle": AdeClass(1180, "handle"),
    "headlight": AdeClass(1213, "headlight"),
    "taillight": AdeClass(2700, "taillight"),
    "license plate": AdeClass(1439, "license plate"),
}


@dataclass(slots=True)
class Thing:
    """One entry of the JSON: its class, its visible and whole (H, W) masks, and what it is a part of."""

    kind: AdeClass
    visible: NDArray[np.bool_]
    extent: NDArray[np.bool_]
    is_part_of: int | None = None
    parts: list[int] = field(default_factory=list)


def write(root: Path, seed: int, counts: tuple[int, ...], tick: Callable[[], object]) -> dict[str, int]:
    """Write the data set; ``counts`` are the frames of training and validation. Returns the frames of each split."""
    for split, count in zip(SPLITS, counts, strict=True):
        for index in range(count):
            _write_frame(root, seed, split, index)
            tick()
    train, val = counts
    return {"train": train, "val": val, "trainval": train + val}


def _write_frame(root: Path, seed: int, split: str, index: int) -> None:
    rng = generator(seed, "ade20k", split, index)
    if index % 2:
        place, scene = ROOM_FOLDERS[index // 2 % len(ROOM_FOLDERS)], paint_room(rng, seed, split, index)
    else:
        place, scene = "urban/street", paint_street(rng, seed, split, index)
    folder = f"{RELEASE}/images/ADE/{split}/{place}"
    name = f"ADE_{SPLITS[split]}_{index + 1:08d}"
    things = list_things(scene)
    save_image(root / folder / f"{name}.jpg", scene.photo)
    save_json(root / folder / f"{name}.json", annotation(scene, things, folder, name))
    save_image(root / folder / f"{name}_seg.png", segmentation(things, scene.size, parts=False))
    if any(thing.is_part_of is not None for thing in things):
        save_image(root / folder / f"{name}_parts_1.png", segmentation(things, scene.size, parts=True))
    for number, thing in enumerate(things):
        values = np.where(thing.visible, VISIBLE, np.where(thing.extent, OCCLUDED, 0)).astype(np.uint8)
        save_image(root / folder / mask_name(name, number), values)


def paint_street(rng: np.random.Generator, seed: int, split: str, index: int) -> Scene:
    """A street scene; every size and three looks occur."""
    size = STREET_SIZES[int(rng.integers(len(STREET_SIZES)))]
    hand = Deck(TRAFFIC, seed, f"ade-streets-{split}", largest_hand=6).deal(index // 2, int(rng.integers(3, 7)))
    camera = Camera(size, 4.4 * size[0], size[0] * 0.42)
    look = (CITY, SUBURB, DUSK)[int(rng.integers(3))]
    return street_scene(rng, camera, look, StreetPlan(hand, clutter=int(rng.random() < 0.5)))


def paint_room(rng: np.random.Generator, seed: int, split: str, index: int) -> Scene:
    """A room; every size occurs, and now and then a rare piece."""
    size = ROOM_SIZES[int(rng.integers(len(ROOM_SIZES)))]
    names = Deck(INDOOR_CARDS, seed, f"ade-rooms-{split}", largest_hand=6).deal(index // 2, int(rng.integers(3, 7)))
    if split == "training" and index % 3 == 0:
        names += Deck(RARE_PIECES, seed, "ade-rare").deal(index // 3)
    return room_scene(rng, size, room_style(rng), names)


def list_things(scene: Scene) -> list[Thing]:
    """Everything visible that has a class: whole objects and stuff first, then their parts."""
    things: list[Thing] = []
    number_of: dict[int, int] = {}
    for index, region in enumerate(scene.regions):
        visible = scene.ids == index
        if region.label in CLASSES and visible.any():
            number_of[index] = len(things)
            things.append(Thing(CLASSES[region.label], visible, scene.extents[index]))
    for part in scene.parts:
        if part.name in PART_CLASSES and part.whole in number_of:
            whole = number_of[part.whole]
            things[whole].parts.append(len(things))
            things.append(Thing(PART_CLASSES[part.name], part.mask, part.mask, is_part_of=whole))
    return things


def segmentation(things: Sequence[Thing], size: tuple[int, int], *, parts: bool) -> NDArray[np.uint8]:
    """The (H, W, 3) class and instance coding of the whole objects, or of their parts.

    Red is ``class // 256 * 10``, green ``class % 256``, blue rises with the instance from 1 to 255.
    """
    shown = [thing for thing in things if (thing.is_part_of is not None) == parts]
    pixels = np.zeros((*size, 3), dtype=np.uint8)
    for rank, thing in enumerate(shown, start=1):
        blue = int(np.floor(rank * 255 / len(shown) + 0.5))
        pixels[thing.visible] = (thing.kind.index // 256 * 10, thing.kind.index % 256, blue)
    return pixels


def annotation(scene: Scene, things: Sequence[Thing], folder: str, name: str) -> dict[str, Any]:
    """The content of the frame's JSON."""
    group, place = folder.split("/")[-2:]
    objects = [describe(thing, number, name) for number, thing in enumerate(things)]
    return {
        "annotation": {
            "filename": f"{name}.jpg",
            "folder": folder,
            "imsize": [*scene.size, 3],
            "source": {"folder": "demo", "filename": f"{name}.jpg", "origin": "robsub demo"},
            "scene": ["outdoor" if group == "urban" else "indoor", group, place],
            "object": objects,
        }
    }


def describe(thing: Thing, number: int, name: str) -> dict[str, Any]:
    """One object of the JSON. The real files write a single part as a bare number, and so does this."""
    edges = (thing.extent[0], thing.extent[-1], thing.extent[:, 0], thing.extent[:, -1])
    corners = outline(thing.extent)
    return {
        "id": number,
        "name": thing.kind.name,
        "name_ndx": thing.kind.index,
        "hypernym": [],
        "raw_name": thing.kind.name.split(",")[0],
        "attributes": [],
        "depth_ordering_rank": number + 1,
        "occluded": "yes" if (thing.extent & ~thing.visible).any() else "no",
        "crop": str(int(any(edge.any() for edge in edges))),
        "parts": {
            "hasparts": thing.parts[0] if len(thing.parts) == 1 else thing.parts,
            "ispartof": [] if thing.is_part_of is None else thing.is_part_of,
            "part_level": int(thing.is_part_of is not None),
        },
        "instance_mask": mask_name(name, number),
        "polygon": {"x": [x for x, _ in corners], "y": [y for _, y in corners]},
        "saved_date": "01-Jan-2021 00:00:00",
    }


def mask_name(name: str, number: int) -> str:
    """Path of an instance mask, relative to the frame's folder."""
    return f"{name}/instance_{number:03d}_{name}.png"
