"""ScanNet: scenes of a few frames each, in the layout of ``scannet_frames_25k`` (BenchmarkScripts/README.md)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dataset_adapters.scannet import SCANNET_LABELS
from robsub.demo.deck import INDOOR_CARDS, Deck, generator
from robsub.demo.native import instance_map, label_map, save_image
from robsub.demo.rooms import RARE_PIECES, room_scene, room_style

SIZES = ((96, 128), (120, 160))
"""The two cameras; both 4:3."""
FRAMES_PER_SCENE = 4
FIRST_SCENE = {"train": 0, "val": 600, "test": 707}
RARE_EVERY = 3
"""Every third training frame has one of the rare pieces too."""


def write(root: Path, seed: int, counts: tuple[int, ...], tick: Callable[[], object]) -> dict[str, int]:
    """Write the data set; ``counts`` are the frames of train, val and test. Returns the frames of each split."""
    for split, count in zip(FIRST_SCENE, counts, strict=True):
        for index in range(count):
            _write_frame(root, seed, split, index)
            tick()
        scenes = sorted({scene_name(split, index) for index in range(count)})
        (root / f"scannetv2_{split}.txt").write_text("".join(f"{s}\n" for s in scenes), encoding="utf-8")
    train, val, test = counts
    return {"train": train, "val": val, "trainval": train + val, "test": test}


def scene_name(split: str, index: int) -> str:
    """The scene that a split's frame belongs to."""
    return f"scene{FIRST_SCENE[split] + index // FRAMES_PER_SCENE:04d}_00"


def _write_frame(root: Path, seed: int, split: str, index: int) -> None:
    scene_of_frame = scene_name(split, index)
    room = generator(seed, "room", scene_of_frame)
    size, style = SIZES[int(room.integers(len(SIZES)))], room_style(room)
    rng = generator(seed, "scannet", split, index)
    names = Deck(INDOOR_CARDS, seed, f"scannet-{split}", largest_hand=6).deal(index, int(rng.integers(3, 7)))
    if split == "train" and index % RARE_EVERY == 0:
        names += Deck(RARE_PIECES, seed, "scannet-rare").deal(index // RARE_EVERY)
    scene = room_scene(rng, size, style, names)
    folder = root / ("scannet_frames_test" if split == "test" else "scannet_frames_25k") / scene_of_frame
    name = f"{index % FRAMES_PER_SCENE * 100:06d}"
    save_image(folder / f"color/{name}.jpg", scene.photo)
    if split != "test":
        instances = instance_map(scene, SCANNET_LABELS, base=1000, first=1, stuff_base=1000)
        save_image(folder / f"label/{name}.png", label_map(scene, SCANNET_LABELS))
        save_image(folder / f"instance/{name}.png", instances)
