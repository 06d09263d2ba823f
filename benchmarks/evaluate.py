"""How fast evaluation is: against cityscapesScripts and pycocotools, in one run, on one machine, on the same data.

    python -m benchmarks.evaluate [--frames 100] [--official-frames 100] [--coco-images 500] [--workers 1]
    python -m benchmarks.evaluate --many 5000     # instead: time and memory of so many frames, 60 predictions each

The official Cityscapes code is slow; ``--official-frames`` times it on fewer frames, the table gives times per frame.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import resource
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.made_coco import make_coco, our_coco, pycocotools_ap
from benchmarks.made_frames import make_frames, make_many
from dataset_adapters.options import Options
from dataset_adapters.registry import get_adapter
from evaluators.bootstrap import Resampling, intervals
from evaluators.matching import match_image
from evaluators.protocol import CITYSCAPES
from evaluators.summary import summarise
from robsub.evaluate import evaluate, open_predictions

CACHE_SETTLES_S = 2.5
ROUNDS = 5
MANY_PREDICTIONS = 60
Row = tuple[str, float, float | None]
"""What, seconds per image, how many times faster than the official code."""


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100, help="made frames of 1024 x 2048")
    parser.add_argument("--official-frames", type=int, help="of which the official code evaluates so many; all")
    parser.add_argument("--coco-images", type=int, default=500, help="made COCO images with 60 detections each")
    parser.add_argument("--workers", type=int, help="processes; all cores")
    parser.add_argument("--many", type=int, help="instead, evaluate so many frames, and print the peak memory")
    options = parser.parse_args()
    if options.many:
        evaluate_many_frames(options.many, options.workers)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_frames(root, options.frames)
        time.sleep(CACHE_SETTLES_S)
        rows = list(cityscapes_rows(root, options.official_frames or options.frames, options.workers))
    print_table(f"Cityscapes' protocol, {options.frames} frames, 25 objects and 50 predictions each", rows)
    print_table(
        f"COCO's protocol, {options.coco_images} images, 60 detections each", list(coco_rows(options.coco_images))
    )


def evaluate_many_frames(count: int, workers: int | None) -> None:
    """Evaluate from a store, with 1000 resamples for the intervals."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_many(root, count, MANY_PREDICTIONS)
        made = peak_memory()
        adapter = get_adapter("cityscapes", root)
        source = open_predictions(root / "store", adapter)
        seconds, result = timed(lambda: evaluate(adapter, "val", source, workers=workers))
        matched = peak_memory()
        drawing, _ = timed(lambda: intervals(result.pool, CITYSCAPES.metrics[:2], Resampling(1000)))
    predictions, cores = result.pool.scores.size, multiprocessing.cpu_count()
    print(f"{count} frames, {predictions} predictions; {cores} cores, NumPy {np.__version__}")
    print(f"evaluated in {seconds:.0f} s, {1000 * seconds / count:.1f} ms/image; 1000 resamples in {drawing:.0f} s")
    print("peak memory in MB, this process and its largest child: "
          f"making {made}, evaluating {matched}, with resamples {peak_memory()}")  # fmt: skip


def cityscapes_rows(root: Path, official_frames: int, workers: int | None) -> Iterator[Row]:
    """The official code, then ours from the zip, and from the store with the cache cold and warm; and our stages.

    In rounds of a part of the official run and a whole one of each of ours, for the machine's pace changes.
    """
    plain = get_adapter("cityscapes", root)
    colds = [get_adapter("cityscapes", root, Options(cache=root / f"cache{i}")) for i in range(ROUNDS)]
    kinds = {
        "8-bit PNG zip, ground truth from PNG": ([plain] * ROUNDS, "submission.zip"),
        "store, cache cold": (colds, "store"),
        "store, cache warm": (colds, "store"),
        "8-bit PNG zip, cache warm": (colds, "submission.zip"),
    }
    official, aps = OfficialRun(root, official_frames), set()
    theirs: list[float] = []
    ours: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(ROUNDS):
        theirs.append(official.match(number))
        for kind, (adapters, predictions) in kinds.items():
            source = open_predictions(root / predictions, adapters[number])
            seconds, result = timed(lambda a=adapters[number], s=source: evaluate(a, "val", s, workers=workers))  # type: ignore[misc]
            ours[kind].append(seconds / result.images)
            aps.add(result.metrics["AP"])
    reducing, ap = timed(official.ap)
    theirs = [matching + reducing / official_frames for matching in theirs]
    if official_frames == len(plain.frames("val")):
        assert all(abs(found - ap) < 1e-9 for found in aps), "the numbers differ"
    yield "cityscapesScripts", statistics.median(theirs), 1.0
    for kind, times in ours.items():
        ratio = statistics.median(a / b for a, b in zip(theirs, times, strict=True))
        yield f"robsub, {kind}, peak {max(peak_memory())} MB", statistics.median(times), ratio
    yield from stages(root)


def stages(root: Path) -> Iterator[Row]:
    """Where the time goes with a warm cache, in one process."""
    adapter = get_adapter("cityscapes", root, Options(cache=root / "cache0"))
    source, frames, labels = open_predictions(root / "store", adapter), adapter.frames("val"), adapter.labels
    read_truth, truths = timed(lambda: [adapter.ground_truth(frame) for frame in frames])
    read, found = timed(lambda: [source.predictions(t.frame, t.size) for t in truths])
    match, images = timed(lambda: [match_image(CITYSCAPES, labels, t, p) for t, p in zip(truths, found, strict=True)])
    reduce, _ = timed(
        lambda: summarise(CITYSCAPES, labels, images, benchmark="b", split="val", images_expected=len(images))
    )
    boot, _ = timed(lambda: summarise(CITYSCAPES, labels, images, benchmark="b", split="val",
                                      images_expected=len(images), resamples=1000))  # fmt: skip
    total = read_truth + read + match + reduce
    for name, seconds in (("ground truth from the cache", read_truth), ("predictions from the store", read),
                          ("matching", match), ("reducing", reduce)):  # fmt: skip
        yield f"  stage: {name}, {100 * seconds / total:.0f} %", seconds / len(frames), None
    yield "  1000 resamples for the intervals (all images)", boot - reduce, None


class OfficialRun:
    """cityscapesScripts on the first frames, in parts; the files that it needs are made before the clock starts."""

    def __init__(self, root: Path, count: int) -> None:
        from tests.evaluators.official import load_official

        self.code, self.matches = load_official(), {}
        args = self.code.args
        args.quiet, args.distanceAvailable, args.predictionPath = True, False, str(native_folder(root))
        self.code.setInstanceLabels(args)
        self.truths = sorted(str(path) for path in (root / "cityscapes").rglob("*_gtFine_instanceIds.png"))[:count]
        self.texts = [str(native_folder(root) / f"{Path(path).name[:17]}_pred.txt") for path in self.truths]

    def match(self, number: int) -> float:
        """Match one part of the frames; seconds per frame."""
        truths, texts = self.truths[number::ROUNDS], self.texts[number::ROUNDS]
        begin = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            instances = self.code.instances2dict(truths)
            self.matches |= self.code.matchGtWithPreds(texts, truths, instances, self.code.args)
        return (time.perf_counter() - begin) / len(truths)

    def ap(self) -> float:
        """AP of all parts."""
        with contextlib.redirect_stdout(io.StringIO()):
            found = self.code.evaluateMatches(self.matches, self.code.args)
            return float(self.code.computeAverages(found, self.code.args)["allAp"])


def native_folder(root: Path) -> Path:
    """The unpacked submission, which is what the official code reads."""
    folder = root / "native"
    if not folder.is_dir():
        with zipfile.ZipFile(root / "submission.zip") as archive:
            archive.extractall(folder)
    return folder


def coco_rows(images: int) -> Iterator[Row]:
    """pycocotools and ours, each from decoded JSON to the twelve numbers, then 1000 resamples."""
    truth, results = make_coco(images)
    theirs, expected = timed(lambda: pycocotools_ap(truth, results))
    ours, result = timed(lambda: our_coco(truth, results))
    assert abs((result.metrics["AP"] or 0) - expected) < 1e-9, "the numbers differ"
    yield "pycocotools", theirs / images, 1.0
    yield "robsub", ours / images, theirs / ours


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came out."""
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def peak_memory() -> tuple[int, int]:
    """Largest resident memory so far, in MB, of this process and of its largest child."""
    own, child = (resource.getrusage(kind).ru_maxrss for kind in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own // 1024, child // 1024


def print_table(title: str, rows: list[Row]) -> None:
    """One line a row."""
    print(f"\n{title}; {multiprocessing.cpu_count()} cores, NumPy {np.__version__}")
    width = max(len(name) for name, _, _ in rows)
    print(f"{'':<{width}}  {'ms/image':>10}  {'times':>7}")
    for name, seconds, ratio in rows:
        print(f"{name:<{width}}  {1000 * seconds:>10.2f}  {'' if ratio is None else f'{ratio:.0f}x':>7}")


if __name__ == "__main__":
    main()
