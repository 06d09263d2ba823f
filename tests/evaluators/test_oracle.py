"""Bit for bit the numbers of cityscapesScripts' own evaluator, on random scenes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dataset_adapters.labels import ROAD_LABELS
from dataset_adapters.rle import decode
from evaluators.matching import match_image
from evaluators.pooling import Pool
from evaluators.protocol import CITYSCAPES

from .scenes import RandomScene

MODULE = "cityscapesscripts.evaluation.evalInstanceLevelSemanticLabeling"


@pytest.fixture
def official(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The official module; NumPy 2.4 took away ``in1d``, which is now called ``isin``."""
    module = pytest.importorskip(MODULE)
    monkeypatch.setattr(np, "in1d", np.isin, raising=False)
    return module


def write(scene: RandomScene, folder: Path) -> tuple[str, str]:
    """One scene as files; returns the paths of its text file and its instance map."""
    lines = []
    for i, prediction in enumerate(scene.predictions):
        Image.fromarray(decode(prediction.rle).astype(np.uint8) * 255).save(folder / f"{scene.frame}_{i}.png")
        lines.append(f"{scene.frame}_{i}.png {ROAD_LABELS.by_name[prediction.label].id} {prediction.score}\n")
    text, truth = folder / f"{scene.frame}.txt", folder / f"{scene.frame}_gtFine_instanceIds.png"
    text.write_text("".join(lines))
    Image.fromarray(scene.ids).save(truth)
    return str(text), str(truth)


def official_aps(official: Any, scenes: list[RandomScene], folder: Path) -> NDArray[np.float64]:
    """(modes, classes, overlaps) AP, with the scenes' distances filled in where the public code leaves them empty."""
    args = copy.copy(official.args)
    args.quiet, args.distanceAvailable, args.predictionPath = True, True, str(folder)
    official.setInstanceLabels(args)
    paths = [write(scene, folder) for scene in scenes]
    instances = official.instances2dict([truth for _, truth in paths])
    for scene, (_, truth) in zip(scenes, paths, strict=True):
        segments = {s.native_id: s for s in scene.truth.segments}
        for instance in (i for of_label in instances[truth].values() for i in of_label):
            if segment := segments.get(instance["instID"]):
                instance.update(medDist=segment.distance_m, distConf=segment.stereo_density)
    matches = official.matchGtWithPreds([text for text, _ in paths], [truth for _, truth in paths], instances, args)
    aps: NDArray[np.float64] = official.evaluateMatches(matches, args)
    return aps


@pytest.mark.parametrize("seeds", [range(12), range(12, 24), range(24, 36)])
def test_same_bits_as_official_evaluator(official: Any, tmp_path: Path, seeds: range) -> None:
    scenes = [RandomScene(seed) for seed in seeds]
    ours = Pool.of(
        CITYSCAPES, ROAD_LABELS, [match_image(CITYSCAPES, ROAD_LABELS, s.truth, s.predictions) for s in scenes]
    ).average_precisions()
    theirs = official_aps(official, scenes, tmp_path)
    assert np.unique(theirs[~np.isnan(theirs)]).size > 40, "the scenes are too poor to tell"
    np.testing.assert_array_equal(ours, theirs)
