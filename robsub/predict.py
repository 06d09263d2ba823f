"""Predict: fill a prediction store with a checkpoint's detections; resumes, and shards under torchrun."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.problems import InputError
from robsub import __version__
from robsub.config import recipe_from_dict
from robsub.files import file_digest
from robsub.model.detections import Detections
from robsub.model.mask_rcnn import MaskRCNN, build_model
from robsub.model.paste import paste_to_rle
from robsub.photos import read_photo
from robsub.predictions import MANIFEST, PredictionWriter
from robsub.recipe import InferenceConfig
from robsub.training.checkpoint import checkpoint_file, load_checkpoint
from robsub.training.distributed import join_run, leave_cores


@dataclass(frozen=True)
class Predicted:
    """What a prediction has come to."""

    path: Path
    images: int
    """Images of the split that the store holds now."""
    new: int
    """Images that this start has predicted."""


@dataclass(frozen=True)
class Detector:
    """A checkpoint's network, its inference settings and its classes (class i + 1 of the network is classes[i])."""

    model: MaskRCNN
    inference: InferenceConfig
    classes: tuple[str, ...]

    def indices(self, names: Sequence[str]) -> list[int]:
        """The network's labels of some classes; those that it does not know are left out."""
        return [i for i, name in enumerate(self.classes, start=1) if name in names]

    def predictions(self, found: Detections, size: tuple[int, int]) -> Iterator[Prediction]:
        """One image's detections as predictions; ``size`` is the image's (height, width). Empty masks are dropped."""
        masks = paste_to_rle(found.mask_probs.cpu(), found.boxes.cpu(), size, self.inference.mask_threshold)
        rows = zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), masks, strict=True)
        for label, score, (x1, y1, x2, y2), mask in rows:
            box = (round(x1, 2), round(y1, 2), round(x2, 2), round(y2, 2))
            yield Prediction(self.classes[label - 1], round(score, 6), box, mask)


def load_detector(path: Path, state: Mapping[str, Any], device: torch.device) -> Detector:
    """Build a checkpoint's network and load its weights.

    Args:
        path: where the checkpoint came from, for the error.
        state: what ``load_checkpoint`` read.
        device: where the network goes.

    Raises:
        InputError: the weights do not fit the recipe.
    """
    recipe = recipe_from_dict(state["recipe"], "checkpoint", path)
    model = build_model(recipe.model, recipe.inference, num_classes=1 + len(state["classes"]))
    try:
        model.load_state_dict(state["model"])
    except RuntimeError as error:
        raise InputError(
            path, found=" ".join(str(error).split())[:300],
            expected="weights of the network that its recipe describes", fix="Name another with --checkpoint.",
        ) from error  # fmt: skip
    return Detector(model.to(device).eval(), recipe.inference, tuple(state["classes"]))


def predict(
    adapter: DatasetAdapter,
    split: Split,
    checkpoint: Path,
    out: Path,
    *,
    overwrite: bool = False,
    batch_size: int = 1,
    workers: int = 0,
) -> Predicted:
    """Predict every image of a split that the store at ``out`` does not hold yet.

    Args:
        adapter: the data set.
        split: its split, with or without ground truth.
        checkpoint: a run's folder or its checkpoint.
        out: the prediction store.
        overwrite: empty the store first.
        batch_size: images that go through the network together.
        workers: processes that load images.

    Raises:
        InputError: no data, no checkpoint, an image that does not open, a store of something else.
    """
    leave_cores(workers)
    frames = adapter.frames(split)
    file = checkpoint_file(checkpoint)
    state = load_checkpoint(file)
    manifest = {
        "dataset": adapter.name,
        "split": split,
        "frames_expected": len(frames),
        "checkpoint": file_digest(file),
        "settings": asdict(recipe_from_dict(state["recipe"], "checkpoint", file).inference),
        "versions": {"robsub": __version__, "torch": str(torch.__version__)},
    }
    with join_run() as process:
        if overwrite and process.is_main:
            remove_store(out)
        process.wait()
        with PredictionWriter(out, f"rank-{process.rank:05d}", manifest) as writer:
            process.wait()  # nobody writes before everybody has seen what is there
            missing = [frame for frame in frames if frame.name not in writer.done]
            if missing:
                detector = load_detector(file, state, process.device)
                mine = missing[process.rank :: process.world_size]
                _fill(writer, detector, adapter, mine, batch_size, workers)
        process.wait()
    return Predicted(out, len(frames), len(missing))


def remove_store(path: Path) -> None:
    """Delete a prediction store, and nothing that is not one.

    Raises:
        InputError: the folder holds something else.
    """
    if not path.exists():
        return
    foreign = [p.name for p in path.iterdir() if p.name != MANIFEST and p.suffix not in (".jsonl", ".tmp")]
    if foreign or not (path / MANIFEST).is_file():
        raise InputError(
            path, found=f"a folder with {foreign[0] if foreign else 'no manifest.json'}", expected="a prediction store",
            fix="Robsub deletes nothing else; choose another folder with --out.",
        )  # fmt: skip
    shutil.rmtree(path)


class Photos(Dataset[tuple[Frame, Tensor] | InputError]):
    """The photos of some frames, (3, H, W) uint8 RGB; a broken file's error is returned, not raised."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> tuple[Frame, Tensor] | InputError:
        frame = self.frames[index]
        try:
            return frame, read_photo(frame.image)
        except InputError as error:
            return error


def _fill(
    writer: PredictionWriter,
    detector: Detector,
    adapter: DatasetAdapter,
    frames: Sequence[Frame],
    batch_size: int,
    workers: int,
) -> None:
    classes = detector.indices(tuple(adapter.class_map.values()))
    loader = DataLoader(Photos(frames), batch_size, num_workers=workers, collate_fn=list)
    with tqdm(total=len(frames), desc=f"predict {adapter.name}", unit="image", disable=None) as bar:
        for batch in loader:
            photos = []
            for item in batch:
                if isinstance(item, InputError):
                    raise item
                photos.append(item)
            found = detector.model.detect([image for _, image in photos], classes)
            for (frame, image), detections in zip(photos, found, strict=True):
                size = (image.shape[1], image.shape[2])
                writer.add(frame.name, size, detector.predictions(detections, size))
                bar.update()
