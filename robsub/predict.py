"""Predict: fill a prediction store with a checkpoint's detections; resumes, and shards under torchrun."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from dataset_adapters import rle
from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.problems import InputError
from robsub import __version__
from robsub.config import recipe_from_dict
from robsub.files import atomic_path, file_digest, read_json, write_json
from robsub.model.attention import attend, attention_record, draw_attention
from robsub.model.detections import Detections
from robsub.model.mask_rcnn import MaskRCNN, build_model
from robsub.model.paste import paste_to_rle
from robsub.model.weights_fit import require_finite, require_fit
from robsub.photos import read_photo
from robsub.pictures import sheet
from robsub.predictions import MANIFEST, PredictionWriter, remove_store
from robsub.recipe import InferenceConfig
from robsub.training.checkpoint import checkpoint_file, load_checkpoint
from robsub.training.distributed import join_run, leave_cores
from robsub.training.mishaps import OUT_OF_MEMORY, loader_advice

T = TypeVar("T")

PICTURED = 4
"""Objects drawn by ``save_attention``."""
BATCHES_UNDER_WAY = 2
"""Batches whose masks may be waiting while the network goes on."""


@dataclass(frozen=True)
class Predicted:
    """What a prediction has come to."""

    path: Path
    images: int
    """Images of the split that the store holds now."""
    new: int
    """Images that this start has predicted."""
    skipped: tuple[str, ...] = ()
    """What is wrong with the images that did not open."""
    missing_classes: tuple[str, ...] = ()
    """Classes of the data set that the network does not know."""


@dataclass(frozen=True)
class Detector:
    """A checkpoint's network, its inference settings and its classes (class i + 1 of the network is classes[i])."""

    model: MaskRCNN
    inference: InferenceConfig
    classes: tuple[str, ...]

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.model.parameters()).device

    def indices(self, names: Sequence[str]) -> list[int]:
        """The network's labels of some classes; those that it does not know are left out."""
        return [i for i, name in enumerate(self.classes, start=1) if name in names]

    def predictions(self, found: Detections, size: tuple[int, int]) -> Iterator[Prediction]:
        """One image's detections as predictions; ``size`` is the image's (height, width). Empty masks are dropped."""
        masks = paste_to_rle(found.mask_probs.cpu(), found.boxes.cpu(), size, self.inference.mask_threshold)
        rows = zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), masks, strict=True)
        for label, score, (x1, y1, x2, y2), mask in rows:
            if not rle.area(mask):
                continue
            box = (round(x1, 2), round(y1, 2), round(x2, 2), round(y2, 2))
            yield Prediction(self.classes[label - 1], round(score, 6), box, mask)


def load_detector(
    path: Path, state: Mapping[str, Any], device: torch.device, inference: InferenceConfig | None = None
) -> Detector:
    """Build a checkpoint's network and load its weights.

    Args:
        path: where the checkpoint came from, for the error.
        state: what ``load_checkpoint`` read.
        device: where the network goes.
        inference: other settings than the checkpoint's own.

    Raises:
        InputError: the weights do not fit the recipe, naming the settings that differ; or they hold NaN, naming the
            tensor.
    """
    recipe = recipe_from_dict(state["recipe"], "checkpoint", path)
    inference = inference or recipe.inference
    model = build_model(recipe.model, inference, num_classes=1 + len(state["classes"]))
    weights = state["model"]
    require_fit(model.state_dict(), weights, path)
    require_finite(weights, path)
    model.load_state_dict(weights)
    model = model.to(device).to(memory_format=torch.channels_last)  # convolves many small RoIs in 3/4 of the time
    return Detector(model.eval(), inference, tuple(state["classes"]))


def predict(
    adapter: DatasetAdapter,
    split: Split,
    checkpoint: Path,
    out: Path,
    *,
    overwrite: bool = False,
    batch_size: int = 1,
    workers: int = 0,
    skip_broken: bool = False,
    amp: bool = False,
    flip: bool = False,
    sizes: Sequence[int] = (),
) -> Predicted:
    """Predict every image of a split that the store at ``out`` does not hold yet.

    Loading, network and masks overlap; memory is that of a few batches.

    Args:
        adapter: the data set.
        split: its split, with or without ground truth.
        checkpoint: a run's folder or its checkpoint.
        out: the prediction store.
        overwrite: empty the store first.
        batch_size: images that go through the network together.
        workers: processes that load images; 0 loads in a thread.
        skip_broken: go on where an image does not open, and list it in the manifest under ``skipped``; the next start
            tries it again.
        amp: run the network's layers in bfloat16; boxes, scores and masks stay float32.
        flip: see every image mirrored too (``InferenceConfig.flip``).
        sizes: see every image at these shorter sides (``InferenceConfig.sizes``).

    Raises:
        InputError: no data, no checkpoint or one that knows none of the data set's classes, an image that does not
            open, a store of something else, not enough memory.
    """
    leave_cores(workers)
    frames = adapter.frames(split)
    file = checkpoint_file(checkpoint)
    state = load_checkpoint(file)
    unknown = missing_classes(adapter, state["classes"], file)
    inference = recipe_from_dict(state["recipe"], "checkpoint", file).inference
    inference = replace(inference, flip=flip or inference.flip, sizes=tuple(sizes) or inference.sizes)
    manifest = {
        "dataset": adapter.name,
        "split": split,
        "frames_expected": len(frames),
        "checkpoint": file_digest(file),
        "missing_classes": list(unknown),
        "settings": {**asdict(inference), "sizes": list(inference.sizes), "amp": amp},
        "versions": {"robsub": __version__, "torch": str(torch.__version__)},
    }
    with join_run() as process:
        afresh = overwrite and not process.restarted
        # A checkpoint that is refused must not cost the former store.
        detector = load_detector(file, state, process.device, inference) if afresh else None
        process.wait()
        if afresh and process.is_main:
            remove_store(out)
        broken: list[InputError] = []
        with process.main_first():  # it makes the store
            store = PredictionWriter(out, f"rank-{process.rank:05d}", manifest)
        with store as writer:
            process.wait()  # nobody writes before everybody has seen what is there
            missing = [frame for frame in frames if frame.name not in writer.done]
            if missing:
                detector = detector or load_detector(file, state, process.device, inference)
                mine = missing[process.rank :: process.world_size]
                pipeline = Pipeline(detector, adapter, writer, amp=amp, skip_broken=skip_broken)
                with loader_advice("--workers", workers, "the same command goes on with the images that are missing"):
                    broken = pipeline.run(DataLoader(Photos(mine), batch_size, num_workers=workers, collate_fn=list))
        skipped = [str(error) for errors in process.gather(broken) for error in errors]
        if process.is_main:
            list_skipped(out, skipped)
        process.wait()
    return Predicted(out, len(frames) - len(skipped), len(missing) - len(skipped), tuple(skipped), unknown)


def missing_classes(adapter: DatasetAdapter, known: Sequence[str], path: Path) -> tuple[str, ...]:
    """The data set's classes, by their joint names, that a network does not know.

    Args:
        adapter: the data set.
        known: the network's classes.
        path: its checkpoint, for the error.

    Raises:
        InputError: it knows none of them.
    """
    wanted = tuple(dict.fromkeys(adapter.class_map.values()))
    missing = tuple(name for name in wanted if name not in known)
    if missing == wanted:
        raise InputError(
            path, found=f"a network of the classes {', '.join(known) or '(none)'}",
            expected=f"any of {adapter.name}'s: {', '.join(wanted)}", fix="Name another checkpoint or data set.",
        )  # fmt: skip
    return missing


def save_attention(adapter: DatasetAdapter, split: Split, checkpoint: Path, image: str, out: Path) -> Path:
    """Tell of one picture which RoIs its objects attended to in front of each head.

    Args:
        adapter: the data set.
        split: the picture's split.
        checkpoint: a run's folder or its checkpoint.
        image: the picture's name.
        out: folder for ``<image>.json``, all objects with the strongest RoIs, and ``<image>.png``, a row for each of
            the most confident objects and a column for each head.

    Returns:
        The picture's path.

    Raises:
        InputError: no such picture, nothing found on it, or a network without blocks.
    """
    frame = next((frame for frame in adapter.frames(split) if frame.name == image), None)
    if frame is None:
        raise InputError(
            image, found="no such image", expected=f"one of {adapter.name} {split}", fix="Name it as the data set does."
        )
    file = checkpoint_file(checkpoint)
    state = load_checkpoint(file)
    missing_classes(adapter, state["classes"], file)
    with join_run() as process:
        if process.is_main:
            _write_attention(load_detector(file, state, process.device), adapter, frame, file, out)
        process.wait()
    return out / f"{image}.png"


def _write_attention(detector: Detector, adapter: DatasetAdapter, frame: Frame, file: Path, out: Path) -> None:
    photo = read_photo(frame.image)
    found, attention = attend(detector.model, photo, detector.indices(tuple(adapter.class_map.values())))
    if not attention or not len(found):
        raise InputError(
            file, found="no object on that image" if attention else "a network without a Non-Local RoI block",
            expected="objects that look at others", fix="Choose another image, or another checkpoint.",
        )  # fmt: skip
    records = attention_record(found, attention, detector.classes)
    write_json(out / f"{frame.name}.json", {"image": frame.name, "objects": records})
    pixels = photo.permute(1, 2, 0).numpy()
    rows = [[draw_attention(pixels, record, head) for head in attention] for record in records[:PICTURED]]
    with atomic_path(out / f"{frame.name}.png") as temporary:
        sheet(rows, height=max(240, photo.shape[1])).save(temporary, format="PNG")


def list_skipped(store: Path, skipped: Sequence[str]) -> None:
    """Write into a store's manifest which images could not be predicted, and why."""
    manifest = read_json(store / MANIFEST, "the manifest of a prediction store")
    if manifest.get("skipped", []) != list(skipped):
        write_json(store / MANIFEST, {**manifest, "skipped": list(skipped)})


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


class Pipeline:
    """Photos to lines of the store: one thread loads, this one runs the network, a third makes and writes masks.

    Args:
        detector: the network.
        adapter: the data set, whose classes alone compete.
        writer: takes the predictions.
        amp: run the network under autocast to bfloat16.
        skip_broken: collect errors of photos instead of raising the first.
    """

    def __init__(
        self, detector: Detector, adapter: DatasetAdapter, writer: PredictionWriter, *, amp: bool, skip_broken: bool
    ) -> None:
        self.detector = detector
        self.title = adapter.name
        self.classes = detector.indices(tuple(adapter.class_map.values()))
        self.writer = writer
        self.amp = amp
        self.skip_broken = skip_broken

    def run(self, loader: DataLoader[tuple[Frame, Tensor] | InputError]) -> list[InputError]:
        """Predict all batches of ``Photos``; returns the errors of broken ones.

        Raises:
            InputError: a photo does not open, or there is not enough memory.
        """
        broken: list[InputError] = []
        total = len(cast("Photos", loader.dataset))
        with (
            tqdm(total=total, desc=f"predict {self.title}", unit="image", disable=None) as bar,
            ThreadPoolExecutor(1) as masks,
        ):
            writing: deque[Future[None]] = deque()
            for batch in ahead(loader):
                errors = [item for item in batch if isinstance(item, InputError)]
                if errors and not self.skip_broken:
                    raise errors[0]
                broken += errors
                photos = [item for item in batch if not isinstance(item, InputError)]
                if photos:
                    writing.append(masks.submit(self._write, photos, self._detect(photos)))
                while len(writing) > BATCHES_UNDER_WAY:
                    writing.popleft().result()
                bar.update(len(batch))
            for done in writing:
                done.result()
        return broken

    def _detect(self, photos: Sequence[tuple[Frame, Tensor]]) -> list[Detections]:
        device = self.detector.device
        images = [image.to(device, non_blocking=True) for _, image in photos]
        try:
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.amp):
                return self.detector.model.detect(images, self.classes)
        except RuntimeError as error:
            if not any(words in str(error) for words in OUT_OF_MEMORY):
                raise
            raise InputError(
                photos[0][0].image, found=f"not enough memory for {len(photos)} images at a time",
                expected="room for them", fix="Lower --batch-size or --sizes; on a GPU --amp needs half.",
            ) from error  # fmt: skip

    def _write(self, photos: Sequence[tuple[Frame, Tensor]], found: Sequence[Detections]) -> None:
        for (frame, image), detections in zip(photos, found, strict=True):
            size = (image.shape[1], image.shape[2])
            self.writer.add(frame.name, size, self.detector.predictions(detections, size))


def ahead(items: Iterable[T]) -> Iterator[T]:
    """The same items; a thread makes the next one while the last one is used."""
    iterator = iter(items)
    with ThreadPoolExecutor(1) as thread:
        upcoming = thread.submit(next, iterator, None)
        while (item := upcoming.result()) is not None:
            upcoming = thread.submit(next, iterator, None)
            yield item
