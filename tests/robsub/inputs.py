"""The official fixtures as every kind of input, and sources that are changed on the way."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import pytest

from dataset_adapters.base import DatasetAdapter, Split
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.registry import get_adapter
from evaluators.result import EvaluationResult
from robsub.evaluate import evaluate, open_predictions
from robsub.predictions import PredictionSource, PredictionWriter

FIXTURES: list[tuple[str, Split]] = [("cityscapes", "val"), ("kitti", "trainval"), ("scannet", "val")]
every_fixture = pytest.mark.parametrize(("benchmark", "split"), FIXTURES, ids=[name for name, _ in FIXTURES])


def adapter_of(shared: Path, benchmark: str) -> DatasetAdapter:
    return get_adapter(benchmark, shared / "fixtures" / benchmark / "dataset")


def native(shared: Path, benchmark: str) -> PredictionSource:
    return open_predictions(shared / "fixtures" / benchmark / "submission", adapter_of(shared, benchmark))


def zipped(shared: Path, benchmark: str, folder: Path) -> Path:
    root = shared / "fixtures" / benchmark / "submission"
    with zipfile.ZipFile(folder / "submission.zip", "w") as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, path.relative_to(root))
    return folder / "submission.zip"


def stored(shared: Path, benchmark: str, split: Split, folder: Path) -> Path:
    adapter, source = adapter_of(shared, benchmark), native(shared, benchmark)
    manifest = {"dataset": benchmark, "split": split, "checkpoint": "", "settings": {}}
    with PredictionWriter(folder / "store", "all", manifest) as writer:
        for frame in adapter.frames(split):
            size = adapter.ground_truth(frame).size
            writer.add(frame.name, size, source.predictions(frame.name, size) or [])
    return folder / "store"


def as_coco(shared: Path, benchmark: str, split: Split, folder: Path) -> Path:
    adapter, source = adapter_of(shared, benchmark), native(shared, benchmark)
    frames = adapter.frames(split)
    detections = [
        {"image_id": frame.name, "category_id": adapter.labels.by_name[p.label].id, "score": p.score,
         "segmentation": {"size": p.rle["size"], "counts": p.rle["counts"].decode()}}
        for frame in frames for p in source.predictions(frame.name, adapter.ground_truth(frame).size) or ()
    ]  # fmt: skip
    images = [{"id": i, "file_name": frame.name} for i, frame in enumerate(frames)]
    path = folder / "results.json"
    path.write_text(json.dumps({"images": images, "annotations": detections}))
    return path


def copied(shared: Path, benchmark: str, folder: Path) -> Path:
    return Path(shutil.copytree(shared / "fixtures" / benchmark / "submission", folder / "submission"))


def first_list(submission: Path) -> Path:
    return min(path for path in submission.rglob("*.txt") if path.read_text().count("\n") > 1)


@dataclass
class Changed:
    """A source whose predictions are changed on the way."""

    source: PredictionSource
    change: Callable[[Prediction], Prediction]
    lost: int = 0
    others: tuple[str, ...] = ()

    def frames(self) -> Collection[str]:
        return [*sorted(self.source.frames())[self.lost :], *self.others]

    def predictions(self, frame: str, size: tuple[int, int]) -> list[Prediction] | None:
        if frame not in self.frames():
            return None
        return [self.change(p) for p in self.source.predictions(frame, size) or ()]

    def count(self, frame: str) -> int:
        return 7 if frame in self.others else self.source.count(frame)

    def notes(self) -> list[str]:
        return self.source.notes()


def evaluate_changed(shared: Path, change: Callable[[Prediction], Prediction], **more: object) -> EvaluationResult:
    source = Changed(native(shared, "kitti"), change, **more)  # type: ignore[arg-type]
    return evaluate(adapter_of(shared, "kitti"), "trainval", source, allow_missing=True, workers=1)
