"""Evaluate: match every frame of a split, in as many processes as there are cores, and reduce to one result."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.problems import InputError
from dataset_adapters.registry import get_adapter
from dataset_adapters.submission_reader import NativeSubmission
from evaluators.matching import ImageMatches, match_image
from evaluators.protocol import PROTOCOLS, Protocol
from evaluators.result import EvaluationResult, summarise
from robsub import __version__
from robsub.places import store_path
from robsub.predictions import MANIFEST, PredictionSource, open_store

NegAP = Literal["hazards", "negative"]


@dataclass(frozen=True)
class _Job:
    """All that a worker process needs to match a frame."""

    adapter: DatasetAdapter
    protocol: Protocol
    source: PredictionSource

    def match(self, frame: Frame) -> ImageMatches:
        truth = self.adapter.ground_truth(frame)
        predictions = self.source.predictions(frame.name, truth.size) or []
        return match_image(self.protocol, self.adapter.labels, truth, predictions)


def open_predictions(path: Path, adapter: DatasetAdapter) -> PredictionSource:
    """A store, or a native zip or directory of the adapter's benchmark.

    Raises:
        InputError: nothing is there, or nothing that robsub reads.
    """
    if (path / MANIFEST).is_file():
        return open_store(path, adapter.name)
    if not path.exists():
        raise InputError(
            path, found="no such file or folder", expected=f"predictions of {adapter.title}",
            fix=f"Make them with 'robsub predict --dataset {adapter.name}', or name others with --predictions.",
        )  # fmt: skip
    if adapter.submission is None:
        raise InputError(
            path, found="no prediction store", expected=f"one: {adapter.title} has no native submission layout",
            fix="Predict with 'robsub predict'.",
        )  # fmt: skip
    return NativeSubmission(path, adapter.submission, adapter.labels)


def evaluate_many(
    datasets: Sequence[str],
    split: Split,
    data_root: Path,
    predictions: Path | None,
    *,
    allow_missing: bool = False,
    workers: int | None = None,
    neg_ap: NegAP = "hazards",
) -> Iterator[EvaluationResult]:
    """``evaluate`` data sets by name, their predictions at ``predictions`` or else at their default places."""
    for name in datasets:
        adapter = get_adapter(name, data_root)
        source = open_predictions(predictions or store_path(name, split), adapter)
        yield evaluate(adapter, split, source, allow_missing=allow_missing, workers=workers, neg_ap=neg_ap)


def evaluate(
    adapter: DatasetAdapter,
    split: Split,
    source: PredictionSource,
    *,
    allow_missing: bool = False,
    workers: int | None = None,
    neg_ap: NegAP = "hazards",
) -> EvaluationResult:
    """Score predictions of a split by its benchmark's own protocol.

    Args:
        adapter: the data set.
        split: an annotated split.
        source: the predictions.
        allow_missing: score frames without predictions as empty instead of refusing.
        workers: processes; None takes all cores. The result is the same for any number.
        neg_ap: which reading of the paper's NegAP (docs/quirks.md).

    Raises:
        InputError: the split is not there or has no ground truth; predictions are missing or cannot be read.
    """
    protocol = protocol_of(adapter)
    frames = adapter.frames(split)
    missing = missing_frames(frames, source)
    if missing and not allow_missing:
        raise InputError(
            f"predictions of {adapter.name} {split}",
            found=f"none for {len(missing)} of {len(frames)} images, first {missing[0]}",
            expected="predictions for every image; an image without objects has an empty list",
            fix="Predict the rest with 'robsub predict', or count them as empty with --allow-missing.",
        )  # fmt: skip
    matches = list(_match_all(_Job(adapter, protocol, source), frames, workers))
    expected = adapter.frames_expected(split)
    return summarise(
        protocol,
        adapter.labels,
        matches,
        benchmark=adapter.name,
        split=split,
        images_expected=expected,
        frame_sets=adapter.frame_sets(),
        provenance={"robsub": __version__, "numpy": np.__version__},
        notes=_notes(adapter, frames, missing, expected),
        neg_ap=neg_ap,
    )


def protocol_of(adapter: DatasetAdapter) -> Protocol:
    """The benchmark's own protocol.

    Raises:
        InputError: the data set is training data without a protocol.
    """
    if adapter.name not in PROTOCOLS:
        raise InputError(
            adapter.root, found=f"{adapter.title}, a data set without a benchmark of its own",
            expected=f"one of {', '.join(PROTOCOLS)}", fix="Choose one of these with --dataset.",
        )  # fmt: skip
    return PROTOCOLS[adapter.name]


def missing_frames(frames: Sequence[Frame], source: PredictionSource) -> list[str]:
    """Names of the frames that the source has no predictions for, in order."""
    there = set(source.frames())
    return [frame.name for frame in frames if frame.name not in there]


def _match_all(job: _Job, frames: Sequence[Frame], workers: int | None) -> Iterator[ImageMatches]:
    count = min(workers or os.cpu_count() or 1, len(frames))
    bar = {"total": len(frames), "desc": f"evaluate {job.adapter.name}", "unit": "image", "disable": None}
    if count == 1 or len(frames) < 16:  # starting processes takes longer than that few images
        yield from tqdm(map(job.match, frames), **bar)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _start_worker, (job,)) as pool:
        yield from tqdm(pool.map(_match_one, frames, chunksize=4), **bar)


_job: _Job


def _start_worker(job: _Job) -> None:
    global _job
    _job = job


def _match_one(frame: Frame) -> ImageMatches:
    return _job.match(frame)


def _notes(adapter: DatasetAdapter, frames: Sequence[Frame], missing: Sequence[str], expected: int) -> list[str]:
    notes = []
    if len(frames) != expected:
        notes.append(f"{len(frames)} of the split's {expected} images are on this disk.")
    if missing:
        notes.append(f"{len(missing)} images without predictions count as empty.")
    return notes
