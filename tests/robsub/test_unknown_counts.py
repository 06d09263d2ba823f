"""A data set whose official number of frames is not public: nothing is refused or warned for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataset_adapters.base import COUNTS_FILE, DatasetAdapter
from dataset_adapters.registry import get_adapter
from robsub.config import load_recipe
from robsub.datasets import look
from robsub.evaluate import evaluate
from robsub.package import package
from robsub.predictions import PredictionStore
from robsub.recipe_text import remarks
from tests.dataset_adapters.layouts import painted, scannet_frame
from tests.stores import write_ground_truth_store


@pytest.fixture
def rob2018(tmp_path: Path) -> DatasetAdapter:
    """One validation frame of the ROB 2018 package, with one chair."""
    scannet_frame(tmp_path, painted({38 * 256 + 1: (0, 0)}), folder="scenes_all")
    return get_adapter("scannet", tmp_path)


def test_datasets_shows_it_as_unknown(rob2018: DatasetAdapter) -> None:
    inventory = look(rob2018)
    assert "scannet rob2018: images found of expected: train 0 of ?, val 1 of ?, test 0 of ?" in inventory.text()
    assert inventory.to_json()["splits"]["val"] == {"found": 1, "expected": None}
    assert inventory.problems == []


def test_results_and_archives_take_what_is_there_for_whole(rob2018: DatasetAdapter, tmp_path: Path) -> None:
    store = PredictionStore(write_ground_truth_store(tmp_path, "scannet", "val", tmp_path / "store"))
    result = evaluate(rob2018, "val", store, workers=1)
    assert (result.images, result.images_expected) == (1, 1)
    assert not any("of the split's" in note for note in result.notes)
    written = package(rob2018, "val", store, tmp_path / "s.zip", workers=1)
    assert (written.report.ok, written.manifest["images_expected"]) == (True, 1)


def test_a_folders_own_counts_of_train_and_val_are_those_of_trainval(rob2018: DatasetAdapter) -> None:
    for counts, expected in (
        ({"train": 2, "val": 1}, 3),
        ({"train": 2, "val": 1, "trainval": 9}, 9),
        ({"val": 1}, None),
    ):
        (rob2018.root / COUNTS_FILE).write_text(json.dumps(counts))
        assert rob2018.frames_expected("trainval") == expected


def test_a_recipe_shows_it_as_unknown(rob2018: DatasetAdapter, tmp_path: Path) -> None:
    recipe = load_recipe("demo", ('train.datasets=["scannet"]', 'train.split="trainval"'))
    assert "scannet            1 of ?" in remarks(recipe, tmp_path)
