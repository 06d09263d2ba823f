"""COCO's protocol: the published numbers of the real sample, and pycocotools on random scenes, number by number."""

from __future__ import annotations

import contextlib
import io
import json
import re
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO as CocoData
from pycocotools.cocoeval import COCOeval

from dataset_adapters import rle
from dataset_adapters.ground_truth import GroundTruth, Prediction
from dataset_adapters.labels import ROAD_LABELS, LabelTable
from dataset_adapters.registry import get_adapter
from evaluators.matching import match_image
from evaluators.protocol import COCO
from evaluators.result import EvaluationResult
from evaluators.summary import summarise
from robsub.evaluate import evaluate, open_predictions

from .scenes import RandomScene, matched, predicted, region

SUMMARY = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
"""The order in which pycocotools prints."""


def matched_all(
    truths: list[GroundTruth], predictions: dict[str, list[Prediction]], labels: LabelTable
) -> EvaluationResult:
    matches = [match_image(COCO, labels, truth, predictions[truth.frame]) for truth in truths]
    return summarise(COCO, labels, matches, benchmark="coco", split="val", images_expected=len(truths))


def official(truth: dict[str, Any], results: list[dict[str, Any]]) -> tuple[list[float], Any]:
    """The twelve numbers of pycocotools, and its precision array."""
    data = CocoData()
    data.dataset = deepcopy(truth)  # it writes into what it is given
    with contextlib.redirect_stdout(io.StringIO()):
        data.createIndex()
        run = COCOeval(data, data.loadRes(deepcopy(results)), "segm")
        run.evaluate(), run.accumulate(), run.summarize()
    return run.stats.tolist(), run.eval["precision"]


Sample = tuple[dict[str, Any], list[dict[str, Any]]]
"""Annotations and results, as decoded JSON."""


@pytest.fixture(scope="module")
def sample(shared: Path) -> Sample:
    folder = shared / "realdata" / "coco_val2014_100"
    truth = json.loads((folder / "instances_val2014_100.json").read_text())
    return truth, json.loads((folder / "instances_val2014_fakesegm100_results.json").read_text())


def through_files(root: Path, truth: dict[str, Any], results: list[dict[str, Any]]) -> EvaluationResult:
    """What a user gets: the annotations in COCO's layout with blank photos, the results as JSON."""
    annotations, photos = root / "coco" / "annotations", root / "coco" / "images" / "val2014"
    annotations.mkdir(parents=True)
    photos.mkdir(parents=True)
    (annotations / "instances_val2014.json").write_text(json.dumps(truth))
    (root / "results.json").write_text(json.dumps(results))
    for image in truth["images"]:
        Image.new("L", (image["width"], image["height"])).save(photos / image["file_name"])
    adapter = get_adapter("coco", root)
    return evaluate(adapter, "val", open_predictions(root / "results.json", adapter), allow_missing=True, workers=1)


@pytest.fixture(scope="module")
def ours(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> EvaluationResult:
    return through_files(tmp_path_factory.mktemp("coco"), *sample)


def test_published_numbers_of_the_real_sample(shared: Path, ours: EvaluationResult) -> None:
    text = (shared / "realdata/coco_val2014_100/cocoapi_results/val2014_fake_eval_res.txt").read_text()
    published = [float(number) for number in re.findall(r"\] = (\d\.\d+)", text.partition("type=bbox")[0])]
    assert {name: round(ours.metrics[name] or 0, 3) for name in SUMMARY} == dict(zip(SUMMARY, published, strict=True))


def test_every_number_of_pycocotools_on_the_real_sample(sample: Sample, ours: EvaluationResult) -> None:
    stats, precision = official(*sample)
    assert [ours.metrics[name] for name in SUMMARY] == pytest.approx(stats, abs=1e-12)
    assert ours.pool is not None
    theirs = precision[..., -1].mean(axis=1).transpose(2, 1, 0)  # (areas, classes, overlaps), -1 without objects
    np.testing.assert_allclose(np.nan_to_num(ours.pool.average_precisions(), nan=-1), theirs, atol=1e-12)


def test_an_object_without_a_pixel_is_missed_as_in_pycocotools(sample: Sample, tmp_path: Path) -> None:
    truth, results = sample
    sliver = {**truth["annotations"][0], "id": 1, "segmentation": [[1, 1, 1.1, 1, 1.1, 1.1]], "area": 2000.0}
    changed = truth | {"annotations": [*truth["annotations"], sliver]}
    stats, _ = official(changed, results)
    assert stats != official(truth, results)[0]
    got = through_files(tmp_path, changed, results)
    assert [got.metrics[name] for name in SUMMARY] == pytest.approx(stats, abs=1e-12)


def number_of(index: int, scenes: list[RandomScene]) -> int:
    return len(scenes) - index


def as_coco(scenes: list[RandomScene]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Random road scenes as COCO would have them: groups are crowds, void is nothing, ids run against the names."""
    numbered = [(number_of(i, scenes), scene) for i, scene in enumerate(scenes)]
    order = {label.name: i + 1 for i, label in enumerate(ROAD_LABELS.evaluated)}
    annotations = [
        {"id": 0, "image_id": i, "category_id": order[s.label.name], "segmentation": s.rle, "area": s.pixels,
         "bbox": coco_mask.toBbox(s.rle).tolist(), "iscrowd": int(s.is_group)}
        for i, scene in numbered for s in scene.truth.segments if s.label.name in order
    ]  # fmt: skip
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
    truth = {
        "images": [{"id": i, "height": s.ids.shape[0], "width": s.ids.shape[1]} for i, s in numbered],
        "categories": [{"id": i, "name": name} for name, i in order.items()],
        "annotations": annotations,
    }
    results = [
        {"image_id": i, "category_id": order[p.label], "segmentation": p.rle, "score": p.score}
        for i, scene in numbered for p in scene.predictions if p.label in order
    ]  # fmt: skip
    return truth, results


@pytest.mark.parametrize("seeds", [range(15), range(15, 30), range(30, 45)])
def test_same_numbers_as_pycocotools_on_random_scenes(seeds: range) -> None:
    scenes = [RandomScene(seed) for seed in seeds]
    truths = [replace(s.truth, number=number_of(i, scenes)) for i, s in enumerate(scenes)]
    ours = matched_all(truths, {s.frame: s.predictions for s in scenes}, ROAD_LABELS)
    stats, _ = official(*as_coco(scenes))
    got = [ours.metrics[name] for name in SUMMARY]
    assert [-1 if value is None else value for value in got] == pytest.approx(stats, abs=1e-12)
    assert 0 < stats[0] < 1


def test_an_empty_mask_is_a_false_positive_as_in_pycocotools(sample: Sample, tmp_path: Path) -> None:
    truth, results = sample
    size = results[0]["segmentation"]["size"]
    nothing = {"size": size, "counts": rle.empty((size[0], size[1]))["counts"].decode()}
    changed = [results[0] | {"segmentation": nothing, "score": 0.9999}, *results]
    stats, _ = official(truth, changed)
    assert stats != official(truth, results)[0]
    got = through_files(tmp_path, truth, changed)
    assert [got.metrics[name] for name in SUMMARY] == pytest.approx(stats, abs=1e-12)
    assert any("1 of" in note and "are empty and are false positives" in note for note in got.notes)


def test_an_annotation_of_id_0_can_be_found_as_it_cannot_in_pycocotools(sample: Sample, tmp_path: Path) -> None:
    truth, results = sample
    ids = {annotation["id"]: number for number, annotation in enumerate(truth["annotations"])}
    from_0 = truth | {"annotations": [a | {"id": ids[a["id"]]} for a in truth["annotations"]]}
    from_1 = truth | {"annotations": [a | {"id": 1 + ids[a["id"]]} for a in truth["annotations"]]}
    found = through_files(tmp_path, from_0, results)
    assert [found.metrics[name] for name in SUMMARY] == pytest.approx(official(from_1, results)[0], abs=1e-12)


CAR = (0, 0, 20, 20)


def test_iou_may_equal_the_overlap() -> None:
    image = matched(COCO, [region("car", CAR)], [predicted("car", (0, 0, 20, 10), 0.9)])
    assert image.outcomes[0, :, 0].tolist() == [1] + [2] * 9


def test_a_prediction_takes_one_object_and_an_object_one_prediction() -> None:
    image = matched(COCO, [region("car", CAR)], [predicted("car", CAR, 0.5), predicted("car", CAR, 0.9)])
    assert image.outcomes[0].T.tolist() == [[2] * 10, [1] * 10]


def test_void_forgives_nothing_and_a_crowd_its_own_class_alone() -> None:
    truth = [region("static", CAR), region("car", (60, 0, 40, 40), is_group=True)]
    predictions = [
        predicted("car", CAR, 0.9),
        predicted("car", (62, 2, 9, 9), 0.8),
        predicted("bus", (62, 2, 9, 9), 0.7),
    ]
    assert matched(COCO, truth, predictions).outcomes[0, 0].tolist() == [2, 0, 2]


def test_only_the_best_100_of_a_class_are_looked_at() -> None:
    misses = [predicted("car", (100, 50, 9, 9), 0.9) for _ in range(100)]
    image = matched(COCO, [region("car", CAR)], [*misses, predicted("car", CAR, 0.1), predicted("bus", CAR, 0.1)])
    assert image.outcomes[0, 0].tolist() == [2] * 100 + [0, 2]
    assert image.found.tolist() == [False]
