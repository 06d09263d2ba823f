"""KITTI 2015: wide photos of differing sizes, one annotated folder and a test folder (the devkit's README)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dataset_adapters.labels import ROAD_LABELS
from robsub.demo.backdrop import Camera
from robsub.demo.deck import TRAFFIC_CARDS, Deck, generator
from robsub.demo.looks import SUBURB
from robsub.demo.native import instance_map, label_map, save_image
from robsub.demo.street import StreetPlan, street_scene

SIZES = ((80, 256), (81, 260), (82, 256), (84, 264))


def write(root: Path, seed: int, counts: tuple[int, ...], tick: Callable[[], object]) -> dict[str, int]:
    """Write the data set; ``counts`` are annotated frames and test frames. Returns the frames of each split."""
    for split, count in zip(("training", "testing"), counts, strict=True):
        for index in range(count):
            _write_frame(root / split, seed, split, index)
            tick()
    annotated, test = counts
    return {"train": annotated - annotated // 5, "val": annotated // 5, "trainval": annotated, "test": test}


def _write_frame(folder: Path, seed: int, split: str, index: int) -> None:
    rng = generator(seed, "kitti", split, index)
    size = SIZES[int(rng.integers(len(SIZES)))]
    camera = Camera(size, 4.6 * size[0], size[0] * float(rng.uniform(0.4, 0.45)))
    hand = Deck(TRAFFIC_CARDS, seed, f"kitti-{split}", largest_hand=7).deal(index, int(rng.integers(3, 8)))
    # The official evaluator takes groups for real objects, so there are few of them.
    plan = StreetPlan(hand, groups=int(rng.random() < 0.03), clutter=int(rng.random() < 0.3))
    scene = street_scene(rng, camera, SUBURB, plan)
    name = f"{index:06d}_10.png"
    save_image(folder / "image_2" / name, scene.photo)
    if split == "training":
        save_image(folder / "semantic" / name, label_map(scene, ROAD_LABELS))
        instances = instance_map(scene, ROAD_LABELS, base=256, first=1, stuff_base=256)
        save_image(folder / "instance" / name, instances)
