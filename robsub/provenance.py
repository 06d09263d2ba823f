"""What a result was made from: versions, and digests of the predictions and of the ground truth's list."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from dataset_adapters.base import Frame
from robsub import __version__
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
    """SHA-256 of a source's content: the store's shards, the file, or all files of a directory; empty without one."""
    if isinstance(source, PredictionStore):
        return source.digest()
    path = getattr(source, "path", None)
    if not isinstance(path, Path):
        return ""
    return _folder_digest(path) if path.is_dir() else file_digest(path)


def ground_truth_digest(frames: Sequence[Frame]) -> str:
    """SHA-256 of the list of frames with the size of each annotation file in bytes, whatever the folder."""
    lines = (f"{frame.name} {_size(frame.ground_truth)}\n" for frame in sorted(frames, key=lambda frame: frame.name))
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _size(path: Path | None) -> int:
    return path.stat().st_size if path is not None and path.is_file() else 0


def _folder_digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = (f"{path.relative_to(folder).as_posix()} {file_digest(path)}\n" for path in files)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
