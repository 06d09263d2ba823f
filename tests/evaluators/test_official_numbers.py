"""The numbers that the three official programs print for the shared fixtures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset_adapters.base import DatasetAdapter, Split
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.registry import get_adapter
from dataset_adapters.rle import box, encode
from evaluators.matching import match_image
from evaluators.protocol import PROTOCOLS
from evaluators.result import EvaluationResult
from evaluators.summary import summarise


def submitted(adapter: DatasetAdapter, root: Path, frame: str) -> Iterator[Prediction]:
    """A frame's predictions as the official programs read them: a mask that is listed twice keeps its last line."""
    assert adapter.submission is not None
    (text,) = root.rglob(adapter.submission.list_pattern.format(frame=frame))
    lines = (line.split(" ") for line in text.read_text().splitlines())
    for path, (label_id, score) in {path: rest for path, *rest in lines}.items():
        label = adapter.labels.by_id.get(int(float(label_id)))
        if label is not None:
            rle = encode(np.asarray(Image.open(text.parent / path).convert("L")) != 0)
            yield Prediction(label.name, float(score), box(rle), rle)


def evaluated(benchmark: str, split: Split, folder: Path) -> EvaluationResult:
    adapter = get_adapter(benchmark, folder / "dataset")
    protocol = PROTOCOLS[benchmark]
    matches = [
        match_image(
            protocol, adapter.labels, adapter.ground_truth(frame),
            list(submitted(adapter, folder / "submission", frame.name)),
        )
        for frame in adapter.frames(split)
    ]  # fmt: skip
    return summarise(
        protocol, adapter.labels, matches, benchmark=benchmark, split=split, images_expected=len(matches)
    )  # fmt: skip


@pytest.mark.parametrize(("benchmark", "split"), [("cityscapes", "val"), ("kitti", "trainval"), ("scannet", "val")])
def test_official_numbers(shared: Path, benchmark: str, split: Split) -> None:
    folder = shared / "fixtures" / benchmark
    expected = json.loads((folder / "expected.json").read_text())
    classes = expected.pop("classes")
    result = evaluated(benchmark, split, folder)
    assert list(result.metrics)[: len(expected)] == list(expected)
    assert {name: result.metrics[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    assert list(result.classes) == list(classes)
    for name, values in classes.items():
        assert {metric: result.classes[name][metric] for metric in values} == pytest.approx(values, abs=1e-9), name
