"""Prediction stores made of ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from dataset_adapters import rle
from dataset_adapters.base import Split
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.registry import get_adapter
from evaluators.protocol import PROTOCOLS
from robsub.predictions import PredictionWriter


def write_ground_truth_store(data_root: Path, name: str, split: str, path: Path, *, frames: int | None = None) -> Path:
    """Write the first frames' ground truth as predictions: every region that the benchmark's protocol looks for."""
    adapter = get_adapter(name, data_root)
    groups = PROTOCOLS[name].groups_count
    with PredictionWriter(path, "rank-00000", {"dataset": name, "split": split}) as writer:
        for frame in adapter.frames(cast(Split, split))[:frames]:
            truth = adapter.ground_truth(frame)
            objects = [s for s in truth.segments if s.label.evaluated and (groups or not s.is_group)]
            writer.add(frame.name, truth.size, [Prediction(s.label.name, 0.9, rle.box(s.rle), s.rle) for s in objects])
    return path
