"""What a result was made from: versions, and digests of the predictions and of the ground truth."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from dataset_adapters.base import DatasetAdapter, Frame
from robsub import __version__
from robsub.coco_results import CocoResults
from robsub.files import file_digest
from robsub.predictions import PredictionSource, PredictionStore


def versions() -> dict[str, str]:
    """Name -> version of what computes the numbers."""
    return {
        "robsub": __version__,
        "numpy": np.__version__,
        "pycocotools": version("pycocotools"),
        "python": platform.python_version(),
    }


def predictions_digest(source: PredictionSource) -> str:
    """SHA-256 of a source's content: the store's shards, COCO results and what their ids refer to, the file, or all
    files of a directory; empty without one."""
    if isinstance(source, PredictionStore | CocoResults):
        return source.digest()
    path = getattr(source, "path", None)
    if not isinstance(path, Path):
        return ""
    return _folder_digest(path) if path.is_dir() else file_digest(path)


def ground_truth_digest(adapter: DatasetAdapter, frames: Sequence[Frame]) -> str:
    """SHA-256 over the content of all files that the frames' ground truth is read from, photos excepted.

    Names of folders and times do not enter, so that machines with the same data agree. A file of many frames is read
    once; 25,000 small maps take seconds.
    """
    whole, read = hashlib.sha256(), cache(_content)
    for frame in sorted(frames, key=lambda frame: frame.name):
        files = adapter.ground_truth_files(frame) if frame.ground_truth else []
        digests = [read(path) for path in files if path != frame.image]
        whole.update(" ".join([frame.name, *digests, "\n"]).encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def _content(path: Path) -> str:
    return file_digest(path) if path.is_file() else "none"


def _folder_digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = (f"{path.relative_to(folder).as_posix()} {file_digest(path)}\n" for path in files)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
