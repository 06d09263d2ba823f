"""cityscapesScripts' own evaluator on made scenes. NumPy 2.4 took away ``in1d``, which is now called ``isin``."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset_adapters.ground_truth import GroundTruth, Prediction
from dataset_adapters.labels import ROAD_LABELS
from dataset_adapters.rle import decode

MODULE = "cityscapesscripts.evaluation.evalInstanceLevelSemanticLabeling"


class MadeScene(Protocol):
    """An image's name, its (H, W) map of Cityscapes' instance ids, and the same as ground truth, with predictions."""

    frame: str
    ids: NDArray[np.uint16]
    truth: GroundTruth
    predictions: list[Prediction]


def load_official() -> Any:
    """The official module, made to run on today's NumPy."""
    vars(np).setdefault("in1d", np.isin)
    return importlib.import_module(MODULE)


def official_aps(official: Any, scenes: Sequence[MadeScene], folder: Path) -> NDArray[np.float64]:
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


def write(scene: MadeScene, folder: Path) -> tuple[str, str]:
    """One scene as files; returns the paths of its text file and its instance map."""
    lines = []
    for i, prediction in enumerate(scene.predictions):
        Image.fromarray(decode(prediction.rle).astype(np.uint8) * 255).save(folder / f"{scene.frame}_{i}.png")
        lines.append(f"{scene.frame}_{i}.png {ROAD_LABELS.by_name[prediction.label].id} {prediction.score}\n")
    text, truth = folder / f"{scene.frame}.txt", folder / f"{scene.frame}_gtFine_instanceIds.png"
    text.write_text("".join(lines))
    Image.fromarray(scene.ids).save(truth)
    return str(text), str(truth)
