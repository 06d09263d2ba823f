"""What must hold for every scene, whatever the protocol."""

from __future__ import annotations

import json
import pickle
from random import Random

import pytest

from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import ROAD_LABELS
from dataset_adapters.rle import box
from evaluators.matching import ImageMatches, match_image
from evaluators.protocol import CITYSCAPES, KITTI, WILDDASH, Protocol
from evaluators.result import EvaluationResult
from evaluators.summary import summarise

from .scenes import RandomScene

SCENES = [RandomScene(seed) for seed in range(100, 110)]
road_protocols = pytest.mark.parametrize("protocol", [CITYSCAPES, KITTI, WILDDASH], ids=lambda p: p.name)


def matches(protocol: Protocol, predictions: list[list[Prediction]]) -> list[ImageMatches]:
    return [match_image(protocol, ROAD_LABELS, s.truth, p) for s, p in zip(SCENES, predictions, strict=True)]


def result(protocol: Protocol, images: list[ImageMatches]) -> EvaluationResult:
    sets = {scene.frame: frozenset({"negative"} if i % 3 else {"blur/low"}) for i, scene in enumerate(SCENES)}
    return summarise(
        protocol, ROAD_LABELS, images, benchmark="road", split="val", images_expected=10, frame_sets=sets
    )  # fmt: skip


@road_protocols
def test_ground_truth_as_prediction_gives_one(protocol: Protocol) -> None:
    perfect = [
        [Prediction(r.label.name, 0.5 + i / 100, box(r.rle), r.rle) for i, r in enumerate(scene.truth.segments)
         if not r.is_group or protocol.groups_count]
        for scene in SCENES
    ]  # fmt: skip
    metrics = result(protocol, matches(protocol, perfect)).metrics
    assert metrics == pytest.approx(dict.fromkeys(metrics, 1.0))


@road_protocols
def test_no_prediction_gives_zero(protocol: Protocol) -> None:
    metrics = result(protocol, matches(protocol, [[] for _ in SCENES])).metrics
    assert metrics == dict.fromkeys(metrics, 0.0)


@road_protocols
@pytest.mark.parametrize("seed", range(3))
def test_order_and_workers_leave_no_trace(protocol: Protocol, seed: int) -> None:
    random = Random(seed)
    shuffled = [random.sample(scene.predictions, len(scene.predictions)) for scene in SCENES]
    images = matches(protocol, shuffled)
    random.shuffle(images)
    cuts = sorted(random.sample(range(len(images)), 3))
    shards = [images[i:j] for i, j in zip([0, *cuts], [*cuts, None], strict=True)]
    collected = [image for shard in shards for image in pickle.loads(pickle.dumps(shard))]
    plain = result(protocol, matches(protocol, [scene.predictions for scene in SCENES]))
    assert 0 < (plain.metrics["AP"] or 0) < 1
    assert json.dumps(result(protocol, collected).to_json()) == json.dumps(plain.to_json())
