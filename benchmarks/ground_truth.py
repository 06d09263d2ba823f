"""How fast ground truth is read, and in how much memory.

Run ``python -m benchmarks.ground_truth``. It makes its files in a temporary folder and prints

- the peak memory of listing and indexing many frames, at two numbers of them;
- one frame of 1024 x 2048, cold (PNG to RLE) and warm (from the cache), against ``instances2dict`` of
  cityscapesscripts on the same file, in CPU time of one core. Most of the cold time is the PNG's filters, which both
  undo, so the ratio grows with the number of objects.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset_adapters.options import Options
from dataset_adapters.registry import get_adapter
from robsub.datasets import look

SIZE = (1024, 2048)
ROUNDS = 9
LONG_AGO = 1_500_000_000
"""A time of modification that the cache trusts."""


def street(objects: int) -> NDArray[np.uint16]:
    """A made instance map, (H, W): ragged stuff and objects with uneven outlines, as full as a busy frame."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    ids = np.full(SIZE, 7, dtype=np.uint16)
    ids[:450] = 11
    ragged = np.sin(columns / 37) + np.cos(rows / 23) + random.normal(0, 0.05, SIZE) > 0.3
    ids[ragged & (rows < 450)] = 21
    for number in range(objects):
        middle, radius = random.integers((350, 0), (900, SIZE[1])), random.integers(10, (120, 150))
        y, x = (rows - middle[0]) / radius[0], (columns - middle[1]) / radius[1]
        ids[x * x + y * y + 0.15 * np.sin(9 * np.arctan2(y, x)) < 1] = (24, 26, 33)[number % 3] * 1000 + number
    ids[-60:] = 1
    return ids


def write_frame(root: Path, ids: NDArray[np.uint16]) -> Path:
    """One Cityscapes frame below a data root; returns its instance map."""
    stem = "val/aachen/aachen_000000_000019"
    photo = root / f"cityscapes/leftImg8bit/{stem}_leftImg8bit.png"
    path = root / f"cityscapes/gtFine/{stem}_gtFine_instanceIds.png"
    for file, image in ((photo, Image.new("RGB", SIZE[::-1])), (path, Image.fromarray(ids))):
        file.parent.mkdir(parents=True)
        image.save(file)
        os.utime(file, (LONG_AGO, LONG_AGO))
    return path


def milliseconds(work: Callable[[], object], times: int) -> float:
    """Median CPU time of a call: wall time would count what else the machine does."""
    durations = []
    for _ in range(times):
        start = time.process_time()
        work()
        durations.append(time.process_time() - start)
    return 1000 * statistics.median(durations)


def speed_table(objects: int) -> str:
    """One frame, three ways, in turns."""
    from cityscapesscripts.evaluation.instances2dict import instances2dict

    with tempfile.TemporaryDirectory() as folder:
        path = write_frame(Path(folder), street(objects))
        cold, warm = (get_adapter("cityscapes", Path(folder), Options(cache=c)) for c in (None, Path(folder) / "cache"))
        (frame,) = cold.frames("val")
        ways: dict[str, tuple[Callable[[], object], int]] = {
            "instances2dict": (lambda: instances2dict([str(path)]), 1),
            "cold": (lambda: cold.ground_truth(frame), 5),
            "warm": (lambda: warm.ground_truth(frame), 50),
        }
        warm.ground_truth(frame)
        rounds = [{name: milliseconds(*way) for name, way in ways.items()} for _ in range(ROUNDS)]
    lines = [f"{f'one frame, {objects} objects':<24}{'ms':>10}{'ratio':>10}"]
    for name in ways:
        ms = statistics.median(round[name] for round in rounds)
        ratio = statistics.median(round["instances2dict"] / round[name] for round in rounds)
        lines.append(f"{name:<24}{ms:>10.2f}{ratio:>9.1f}x")
    return "\n".join(lines)


def index_made_frames(root: Path, count: int) -> None:
    """List and index ``count`` KITTI frames that are links to one pair of files, then print this process's peak MB."""
    folders = [root / "kitti/training" / name for name in ("image_2", "instance")]
    ids = np.zeros((64, 128), dtype=np.uint16)
    ids[20:40, 20:60] = 26 * 256 + 1
    for folder, image in zip(folders, (Image.new("RGB", (128, 64)), Image.fromarray(ids)), strict=True):
        folder.mkdir(parents=True)
        image.save(folder / "one.png")
        for number in range(count):
            os.link(folder / "one.png", folder / f"{number:06}_10.png")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    inventory = look(get_adapter("kitti", root, Options(cache=root / "cache")))
    assert sum(inventory.instances["car"].values()) == count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{count:>8} frames: {peak / 1024:>6.0f} MB peak, {(peak - before) / 1024:>5.0f} MB of it for the frames")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="*", default=[2000, 20000], help="numbers of frames to index")
    parser.add_argument("--index", nargs=2, metavar=("FOLDER", "COUNT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.index:
        index_made_frames(Path(arguments.index[0]), int(arguments.index[1]))
        return
    for count in arguments.frames:  # first, for a child's peak counts from its parent's
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, __file__, "--index", folder, str(count)], check=True)
    print(*(speed_table(objects) for objects in (40, 60, 80)), sep="\n")


if __name__ == "__main__":
    main()
