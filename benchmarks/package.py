"""How fast submissions are written and verified: against Pillow, NumPy and zipfile, on one machine, on the same masks.

    python -m benchmarks.package [--frames 40] [--per-frame 30] [--full]

The usual way is what detectron2, mmdetection and the ROB devkit do: a Pillow PNG of each dense mask, file by file, and
then a zip of the folder. Its clock starts from dense masks, ours from the store. ``--full`` also packs and verifies
Cityscapes' test set, 1525 frames.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.made_frames import HEIGHT, WIDTH, _drawn, _ellipse
from dataset_adapters import rle
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import ROAD_LABELS
from dataset_adapters.registry import get_adapter
from robsub.package import package
from robsub.predictions import PredictionStore, PredictionWriter
from robsub.verify import verify

DISTINCT = 300
"""Different masks; a large store repeats them."""
TEST_FRAMES = 1525

Row = tuple[str, float, float]
"""What was timed, seconds a mask, and how many times as fast as the usual way."""


def main() -> None:
    """Make the data, time every way, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--per-frame", type=int, default=30)
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        print_table(list(rows(root / "part", options.frames, options.per_frame)))
        if options.full:
            print_full(root / "full", options.per_frame)


def rows(root: Path, frames: int, per_frame: int) -> Iterator[Row]:
    """Writing, then verifying: the usual way, ours on one core, and ours as it comes."""
    predictions = make_data(root, frames, per_frame)
    count = frames * per_frame
    usual = usual_way(root / "usual", [p for found in predictions for p in found]) / count
    yield "write: Pillow PNGs, then zipfile", usual, 1.0
    adapter, store = get_adapter("cityscapes", root), PredictionStore(root / "store")
    out = root / "submission.zip"
    for name, workers in (("one core", 1), (f"{os.cpu_count()} cores", None)):
        both, _ = timed(lambda w=workers: package(adapter, "test", store, out, overwrite=True, workers=w))  # type: ignore[misc]
        check, report = timed(lambda w=workers: verify(adapter, out, "test", workers=w))  # type: ignore[misc]
        assert report.ok, report.text()
        yield f"write: robsub package, {name}", (both - check) / count, usual / ((both - check) / count)
    opened = open_all(out) / count
    yield "verify: Pillow and NumPy open each mask", opened, 1.0
    for name, workers in (("one core", 1), (f"{os.cpu_count()} cores", None)):
        seconds, _ = timed(lambda w=workers: verify(adapter, out, "test", workers=w))  # type: ignore[misc]
        yield f"verify: robsub verify, {name}", seconds / count, opened / (seconds / count)
    foreign, seconds = root / "usual.zip", open_all(root / "usual.zip") / count
    yield "the usual way's own masks: Pillow and NumPy", seconds, 1.0
    for name, workers in (("one core", 1), (f"{os.cpu_count()} cores", None)):
        ours, _ = timed(lambda w=workers: verify(adapter, foreign, "test", workers=w))  # type: ignore[misc]
        yield f"the usual way's own masks: robsub verify, {name}", ours / count, seconds / (ours / count)


def print_full(root: Path, per_frame: int) -> None:
    """Pack and verify a whole test set."""
    make_data(root, TEST_FRAMES, per_frame)
    adapter, store = get_adapter("cityscapes", root), PredictionStore(root / "store")
    seconds, done = timed(lambda: package(adapter, "test", store, root / "s.zip"))
    memory = sum(resource.getrusage(k).ru_maxrss for k in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    assert done.report.ok, done.report.text()
    print(f"\n{TEST_FRAMES * per_frame:,} masks packed and verified in {seconds:.0f} s")
    print(f"largest memory of the main process and of one other, together: {memory:.0f} MB")


def make_data(root: Path, frames: int, per_frame: int) -> list[list[Prediction]]:
    """Photos and a store; the predictions of each frame."""
    random = np.random.default_rng(0)
    masks = [rle.encode(_drawn(_ellipse(random), random)) for _ in range(min(DISTINCT, frames * per_frame))]
    names = [label.name for label in ROAD_LABELS.evaluated]
    folder = root / "cityscapes" / "leftImg8bit" / "test" / "ulm"
    folder.mkdir(parents=True)
    (root / "cityscapes" / "frames_expected.json").write_text(json.dumps({"test": frames}))
    Image.new("L", (WIDTH, HEIGHT)).save(root / "photo.png")
    made = []
    with PredictionWriter(root / "store", "all", {"dataset": "cityscapes", "split": "test"}) as writer:
        for number in range(frames):
            frame = f"ulm_{number:06}_000019"
            os.link(root / "photo.png", folder / f"{frame}_leftImg8bit.png")
            chosen = random.integers(len(masks), size=per_frame)
            scores = random.random(per_frame)
            made.append([
                Prediction(str(random.choice(names)), float(s), rle.box(masks[i]), masks[i])
                for i, s in zip(chosen, scores, strict=True)
            ])  # fmt: skip
            writer.add(frame, (HEIGHT, WIDTH), made[-1])
    return made


def usual_way(folder: Path, predictions: list[Prediction]) -> float:
    """Seconds for PNGs and zip, in Cityscapes' layout; the dense masks are made beforehand."""
    (folder / "masks").mkdir(parents=True)
    seconds, lines = 0.0, {}
    per_frame = len(predictions) // len(list((folder.parent / "cityscapes").rglob("*_leftImg8bit.png")))
    for number, p in enumerate(predictions):
        frame, index = f"ulm_{number // per_frame:06}_000019", number % per_frame
        dense = rle.decode(p.rle).astype(np.uint8) * np.uint8(255)
        path = folder / "masks" / f"{frame}_{index:03}.png"
        seconds += timed(lambda image=dense, to=path: Image.fromarray(image).save(to))[0]  # type: ignore[misc]
        line = f"masks/{path.name} {ROAD_LABELS.by_name[p.label].id} {p.score}\n"
        lines[frame] = lines.get(frame, "") + line
    for frame, text in lines.items():
        (folder / f"{frame}_pred.txt").write_text(text)
    return seconds + timed(lambda: zip_folder(folder))[0]


def zip_folder(folder: Path) -> None:
    """The folder as a zip beside it."""
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, path.relative_to(folder))


def open_all(path: Path) -> float:
    """Seconds to do with each mask what a checker must: open it as gray, look at its size, values and area."""
    begin = time.perf_counter()
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".png"):
                with Image.open(io.BytesIO(archive.read(name))) as image:
                    mask = np.asarray(image.convert("L"))
                assert mask.shape == (HEIGHT, WIDTH) and ((mask == 0) | (mask == 255)).all() and np.count_nonzero(mask)
    return time.perf_counter() - begin


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came out."""
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def print_table(table: list[Row]) -> None:
    """One line a row."""
    print(f"Masks of {HEIGHT} x {WIDTH}; {multiprocessing.cpu_count()} cores, NumPy {np.__version__}")
    width = max(len(name) for name, _, _ in table)
    print(f"{'':<{width}}  {'ms/mask':>8}  {'times':>6}")
    for name, seconds, ratio in table:
        print(f"{name:<{width}}  {1000 * seconds:>8.2f}  {f'{ratio:.1f}x':>6}")


if __name__ == "__main__":
    main()
