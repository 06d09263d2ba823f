"""A made COCO task: images of 480 x 640 with a few objects of 80 classes and 60 detections."""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from typing import Any

import numpy as np
from pycocotools.coco import COCO as CocoData
from pycocotools.cocoeval import COCOeval

from dataset_adapters.ground_truth import GroundTruth, Prediction, Segment
from dataset_adapters.labels import Label, LabelTable
from dataset_adapters.rle import Rle, area, box, encode
from evaluators.matching import match_image
from evaluators.protocol import COCO
from evaluators.result import EvaluationResult
from evaluators.summary import summarise

SIZE = (480, 640)
CLASSES, OBJECTS, DETECTIONS = 80, 8, 60

Coco = dict[str, Any]


def make_coco(images: int) -> tuple[Coco, list[Coco]]:
    """COCO's ground truth and results: detections near objects, some of another class, and strays."""
    random = np.random.default_rng(0)
    annotations: list[Coco] = []
    results: list[Coco] = []
    for image in range(images):
        own = []
        for _ in range(OBJECTS):
            ellipse, category = _ellipse(random), int(random.integers(1, CLASSES + 1))
            mask = _mask(ellipse, random)
            own.append((ellipse, category))
            annotations.append({"id": len(annotations) + 1, "image_id": image, "category_id": category, "iscrowd": 0,
                                "segmentation": mask, "area": area(mask), "bbox": _bbox(mask)})  # fmt: skip
        for number in range(DETECTIONS):
            ellipse, category = own[number % OBJECTS] if number < DETECTIONS // 2 else (_ellipse(random), 0)
            if not category or random.random() < 0.2:
                category = int(random.integers(1, CLASSES + 1))
            moved = ellipse + random.normal(0, 3, 4)
            results.append({"image_id": image, "category_id": category, "segmentation": _mask(moved, random),
                            "score": round(float(random.random()), 4)})  # fmt: skip
    truth = {
        "images": [{"id": i, "height": SIZE[0], "width": SIZE[1]} for i in range(images)],
        "categories": [{"id": i, "name": str(i)} for i in range(1, CLASSES + 1)],
        "annotations": annotations,
    }
    return truth, [item for item in results if area(item["segmentation"])]


def _ellipse(random: np.random.Generator) -> Any:
    size = np.exp(random.uniform(np.log(10), np.log(150)))
    return np.array([random.uniform(0, SIZE[1]), random.uniform(0, SIZE[0]), size, size * random.uniform(0.6, 1.4)])


def _mask(ellipse: Any, random: np.random.Generator) -> Rle:
    x, y, half_width, half_height = ellipse
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    rough = 1 + 0.1 * random.random((SIZE[0], 1))
    return encode(((columns - x) / half_width) ** 2 + ((rows - y) / half_height) ** 2 < rough)


def _bbox(mask: Rle) -> list[float]:
    x1, y1, x2, y2 = box(mask)
    return [x1, y1, x2 - x1, y2 - y1]


def pycocotools_ap(truth: Coco, results: list[Coco]) -> float:
    """The AP by pycocotools, from decoded JSON on."""
    data = CocoData()
    data.dataset = truth
    with contextlib.redirect_stdout(io.StringIO()):
        data.createIndex()
        run = COCOeval(data, data.loadRes([dict(item) for item in results]), "segm")
        run.evaluate(), run.accumulate(), run.summarize()
    return float(run.stats[0])


def our_coco(truth: Coco, results: list[Coco]) -> EvaluationResult:
    """The same from the same."""
    labels = LabelTable(tuple(Label(c["id"], c["name"], True, evaluated=True) for c in truth["categories"]))
    segments: dict[int, list[Segment]] = defaultdict(list)
    predictions: dict[int, list[Prediction]] = defaultdict(list)
    for item in truth["annotations"]:
        label = labels.by_id[item["category_id"]]
        segments[item["image_id"]].append(Segment(item["id"], label, item["area"], item["segmentation"]))
    for item in results:
        name = labels.by_id[item["category_id"]].name
        predictions[item["image_id"]].append(Prediction(name, item["score"], (0, 0, 0, 0), item["segmentation"]))
    matches = [
        match_image(COCO, labels, GroundTruth(f"{i['id']:012}", SIZE, tuple(segments[i["id"]])), predictions[i["id"]])
        for i in truth["images"]
    ]
    return summarise(COCO, labels, matches, benchmark="coco", split="val", images_expected=len(matches))
