"""Package: stream a prediction store into a benchmark's native archive, then verify it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.images import image_size
from dataset_adapters.problems import InputError
from dataset_adapters.submission_checks import VerifyReport
from dataset_adapters.submission_writer import SubmissionSummary, write_submission
from robsub.evaluate import missing_frames
from robsub.files import atomic_path, write_json
from robsub.predictions import PredictionSource
from robsub.verify import require_layout, verify


@dataclass(frozen=True)
class Package:
    """A written archive: what went in, and what verification says of it."""

    path: Path
    images: int
    images_expected: int
    summary: SubmissionSummary
    report: VerifyReport


def package(
    adapter: DatasetAdapter,
    split: Split,
    source: PredictionSource,
    out: Path,
    *,
    allow_missing: bool = False,
) -> Package:
    """Write the native submission of a split to ``out`` (a zip) and ``out``.manifest.json, and verify it.

    Raises:
        InputError: images or predictions are missing and ``allow_missing`` is not given; nothing is written then.
    """
    layout = require_layout(adapter)
    frames = adapter.frames(split)
    expected = adapter.frames_expected(split)
    _require_all(adapter, split, frames, expected, source, allow_missing)
    with atomic_path(out) as temporary:
        summary = write_submission(temporary, layout, adapter.labels, _read(frames, source, adapter.name))
        report = verify(adapter, temporary, split, allow_missing=allow_missing)
    sha256 = hashlib.sha256(out.read_bytes()).hexdigest()
    counts = {"benchmark": adapter.name, "split": split, "images": len(frames), "images_expected": expected}
    write_json(out.with_name(f"{out.name}.manifest.json"), {**counts, **summary.to_json(), "sha256": sha256})
    return Package(out, len(frames), expected, summary, report)


def _require_all(
    adapter: DatasetAdapter,
    split: Split,
    frames: list[Frame],
    expected: int,
    source: PredictionSource,
    allow_missing: bool,
) -> None:
    if allow_missing:
        return
    if len(frames) < expected:
        raise InputError(
            adapter.root, found=f"{len(frames)} images of split {split!r}: {expected - len(frames)} are missing",
            expected=f"all {expected}, because {adapter.title}'s server rejects an incomplete archive",
            fix="Complete the data set, or package what is there with --allow-missing.",
        )  # fmt: skip
    if missing := missing_frames(frames, source):
        raise InputError(
            f"predictions of {adapter.name} {split}",
            found=f"none for {len(missing)} of {len(frames)} images, first {missing[0]}",
            expected="predictions for every image",
            fix="Predict the rest with 'robsub predict', or package them as empty with --allow-missing.",
        )  # fmt: skip


def _read(frames: list[Frame], source: PredictionSource, name: str) -> Iterator[tuple[str, list[Prediction]]]:
    for frame in tqdm(frames, desc=f"package {name}", unit="image", disable=None):
        yield frame.name, source.predictions(frame.name, image_size(frame.image)) or []
