"""The bootstrap: each resample is the evaluation of the images that it drew, and the intervals mean what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dataset_adapters.labels import ROAD_LABELS
from evaluators.bootstrap import Draws, Resampling, intervals, resampled_means
from evaluators.matching import match_image
from evaluators.pooling import MEAN, Pool
from evaluators.protocol import CITYSCAPES, COCO, KITTI, Protocol, corrected

from .scenes import RandomScene, matched, predicted, region

PROTOCOLS = (CITYSCAPES, KITTI, corrected(CITYSCAPES), COCO)
each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.name)
SCENES = [RandomScene(seed) for seed in range(200, 208)]


def pool_of(protocol: Protocol) -> Pool:
    """The scenes, whose scores often tie; for COCO, where the order of ties matters, they are told apart."""
    step = 1e-6 if protocol is COCO else 0.0
    predictions = [[replace(p, score=p.score + i * step) for i, p in enumerate(s.predictions)] for s in SCENES]
    return Pool.of(
        protocol,
        ROAD_LABELS,
        [match_image(protocol, ROAD_LABELS, s.truth, p) for s, p in zip(SCENES, predictions, strict=True)],
    )


def drawn(pool: Pool, draw: Draws) -> Pool:
    """The pool of the drawn images, each as often as it was drawn and under a name of its own."""
    images = [
        replace(image, frame=f"{image.frame} {copy}")
        for image, times in zip(pool.images, draw, strict=True)
        for copy in range(times)
    ]
    return Pool.of(pool.protocol, pool.labels, images)


@each_protocol
def test_a_resample_is_the_evaluation_of_its_images(protocol: Protocol) -> None:
    pool, draws = pool_of(protocol), Resampling(6, seed=3).draws(len(SCENES))
    draws = np.concatenate([np.ones((1, len(SCENES)), dtype=np.int32), draws])
    samples = resampled_means(pool, protocol.metrics, draws)
    for number, draw in enumerate(draws):
        expected = drawn(pool, draw).table(protocol.metrics)[MEAN]
        got = {name: values[number] for name, values in samples.items()}
        wanted = {name: np.nan if value is None else value for name, value in expected.items()}
        assert got == pytest.approx(wanted, abs=1e-12, nan_ok=True)


@each_protocol
def test_the_interval_holds_the_value_and_has_a_width(protocol: Protocol) -> None:
    pool = pool_of(protocol)
    low, high = intervals(pool, protocol.metrics, Resampling(200))["AP"]
    value = pool.table(protocol.metrics)[MEAN]["AP"]
    assert value is not None and low < value < high
    assert intervals(pool, protocol.metrics, Resampling(200))["AP"] == (low, high)
    assert intervals(pool, protocol.metrics, Resampling(200, seed=1))["AP"] != (low, high)


def test_more_images_make_it_narrower() -> None:
    def width(count: int) -> float:
        random = np.random.default_rng(5)
        car = (0, 0, 40, 25)
        images = [
            matched(KITTI, [region("car", car)], [predicted("car", car, 0.9)] * int(random.random() < 0.5), f"{i:04}")
            for i in range(count)
        ]
        low, high = intervals(Pool.of(KITTI, ROAD_LABELS, images), KITTI.metrics, Resampling(400))["AP"]
        return high - low

    # The AP is the share of found cars, a binomial's: the 95 % interval is about 4 * sqrt(0.25 / n) wide.
    assert width(100) == pytest.approx(4 * 0.05, rel=0.2)
    assert width(400) == pytest.approx(4 * 0.025, rel=0.2)


def test_nothing_to_draw_gives_no_interval() -> None:
    assert intervals(Pool.of(KITTI, ROAD_LABELS, []), KITTI.metrics, Resampling(10)) == {}
    assert intervals(pool_of(KITTI), KITTI.metrics, Resampling(0)) == {}
