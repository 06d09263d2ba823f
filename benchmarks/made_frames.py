"""Made frames of Cityscapes' size in Cityscapes' layout, and predictions of them, for timing."""

from __future__ import annotations

import zipfile
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset_adapters.cityscapes import Cityscapes
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import ROAD_LABELS
from dataset_adapters.rle import box, decode, encode
from robsub.predictions import PredictionWriter

HEIGHT, WIDTH = 1024, 2048
OBJECTS, PREDICTIONS = 25, 50
MANIFEST = {"dataset": "cityscapes", "split": "val", "checkpoint": "", "settings": {}}

Ellipse = tuple[float, float, float, float]


def make_frames(root: Path, count: int) -> None:
    """Write data set, store and native zip below ``root``: ``cityscapes``, ``store``, ``submission.zip``."""
    with (
        PredictionWriter(root / "store", "all", MANIFEST) as store,
        zipfile.ZipFile(root / "submission.zip", "w") as archive,
    ):
        for number in range(count):
            frame = f"ulm_{number:06}_000019"
            predictions = _make_frame(root / "cityscapes", frame, np.random.default_rng(number))
            store.add(frame, (HEIGHT, WIDTH), predictions)
            _add_native(archive, root / "masks.png", frame, predictions)


def make_many(root: Path, count: int, predictions: int, distinct: int = 10) -> None:
    """Write data set and store of so many frames, each with so many predictions. The files of a few distinct frames
    stand under many names, so that disk and time suffice."""
    names = [f"ulm_{number:06}_000019" for number in range(count)]
    made = [_make_frame(root / "cityscapes", names[i], np.random.default_rng(i), predictions) for i in range(distinct)]
    with PredictionWriter(root / "store", "all", MANIFEST) as store:
        for number, name in enumerate(names):
            if number >= distinct:
                _link_frame(root / "cityscapes", names[number % distinct], name)
            store.add(name, (HEIGHT, WIDTH), made[number % distinct])


def _link_frame(root: Path, there: str, name: str) -> None:
    for path in root.glob(f"*/val/ulm/{there}_*"):
        path.with_name(path.name.replace(there, name)).hardlink_to(path)


def _make_frame(root: Path, frame: str, random: np.random.Generator, count: int = PREDICTIONS) -> list[Prediction]:
    ids = np.full((HEIGHT, WIDTH), 7, dtype=np.uint16)
    ids[: HEIGHT // 3] = 23
    ids[-60:] = 1
    ellipses = [_ellipse(random) for _ in range(OBJECTS)]
    labels = random.choice([label.id for label in ROAD_LABELS.evaluated], OBJECTS, p=_FREQUENCIES)
    for number, (ellipse, label) in enumerate(zip(ellipses, labels, strict=True)):
        ids[_drawn(ellipse, random)] = label * 1000 + number
    for folder, suffix, image in (
        ("leftImg8bit", "leftImg8bit", Image.new("L", (WIDTH, HEIGHT))),
        ("gtFine", "gtFine_instanceIds", Image.fromarray(ids)),
    ):
        path = root / folder / "val" / "ulm" / f"{frame}_{suffix}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    predictions = []
    for ellipse, label in islice(cycle(zip(ellipses, labels, strict=True)), count):
        moved = tuple(v + random.normal(0, 4) for v in ellipse)
        mask = encode(_drawn(moved, random))  # type: ignore[arg-type]
        predictions.append(Prediction(ROAD_LABELS.by_id[int(label)].name, round(random.random(), 6), box(mask), mask))
    return predictions


_FREQUENCIES = np.array([30, 4, 45, 2, 2, 1, 4, 12]) / 100
"""About Cityscapes' shares of person, rider, car, truck, bus, train, motorcycle, bicycle."""


def _ellipse(random: np.random.Generator) -> Ellipse:
    """x, y, half width, half height; far small objects are the most."""
    size = float(np.exp(random.uniform(np.log(12), np.log(180))))
    return random.uniform(0, WIDTH), random.uniform(HEIGHT / 3, HEIGHT - 60), size, size * random.uniform(0.5, 1.4)


def _drawn(ellipse: Ellipse, random: np.random.Generator) -> NDArray[np.bool_]:
    """An ellipse with a rough edge."""
    x, y, half_width, half_height = ellipse
    top, bottom = max(0, int(y - 1.1 * half_height)), min(HEIGHT, int(y + 1.1 * half_height) + 1)
    left, right = max(0, int(x - 1.1 * half_width)), min(WIDTH, int(x + 1.1 * half_width) + 1)
    rows, columns = np.ogrid[top:bottom, left:right]
    rough = 1 + 0.1 * random.random(rows.shape)
    inside = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    inside[top:bottom, left:right] = ((columns - x) / half_width) ** 2 + ((rows - y) / half_height) ** 2 < rough
    return inside


def _add_native(archive: zipfile.ZipFile, scratch: Path, frame: str, predictions: list[Prediction]) -> None:
    """The frame as an ordinary program writes it: 8-bit PNGs by Pillow."""
    assert Cityscapes.submission is not None
    lines = []
    for index, prediction in enumerate(predictions):
        Image.fromarray(decode(prediction.rle).astype(np.uint8) * 255).save(scratch)
        archive.write(scratch, f"masks/{frame}_{index:03}.png")
        label = ROAD_LABELS.by_name[prediction.label].id
        lines.append(f"masks/{frame}_{index:03}.png {label} {prediction.score}\n")
    archive.writestr(f"{frame}_pred.txt", "".join(lines))
