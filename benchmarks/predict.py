"""Images per second of a whole prediction: photo file to RLE, against torchvision's Mask R-CNN, in one run.

Run ``python -m benchmarks.predict [--images 6] [--rounds 3]``; minutes on a CPU. Both sides read the same made photos
of 1024 x 2048 and end with 100 detections an image, of random weights, at 800 x 1333. Ours is what ``robsub predict``
runs: the network with blocks before both heads, soft-NMS, voting, and a store on disk; torchvision's is
``maskrcnn_resnet50_fpn`` with its hard NMS and paste, and pycocotools' encode, one step after the other. Seconds are
wall time with all cores, the best round of each; the sides take turns. On a machine with a GPU both run on it, in
float32 and in bfloat16.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as coco_masks
from torch.utils.data import DataLoader
from torchvision.models.detection import maskrcnn_resnet50_fpn

from benchmarks.measure import CPU, CUDA, autocast, memory
from benchmarks.model import CLASSES, full_model
from benchmarks.postprocess import FRAME
from dataset_adapters.base import Frame
from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.registry import get_adapter
from robsub.photos import read_photo
from robsub.predict import Detector, Photos, Pipeline
from robsub.predictions import PredictionStore, PredictionWriter

DETECTIONS = 100


def make_photos(root: Path, count: int) -> list[Frame]:
    """KITTI frames of Cityscapes' size with the grain of a camera."""
    folder = root / "kitti/testing/image_2"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (32, 64, 3), dtype=np.uint8)).resize(FRAME[::-1])
        grain = np.asarray(coarse) + random.normal(0, 4, (*FRAME, 3))
        Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(folder / f"{number:06}_10.png")
    return get_adapter("kitti", root).frames("test")


def ours(root: Path, frames: list[Frame], detector: Detector, amp: bool) -> None:
    """``robsub predict``, without reading the checkpoint."""
    out = Path(tempfile.mkdtemp(dir=root))
    with PredictionWriter(out, "all", {"dataset": "kitti", "split": "test"}) as writer:
        pipeline = Pipeline(detector, get_adapter("kitti", root), writer, amp=amp, skip_broken=False)
        pipeline.classes = list(range(1, CLASSES))
        pipeline.run(DataLoader(Photos(frames), 1, collate_fn=list))
    found = PredictionStore(out).predictions(frames[0].name, FRAME)
    assert found is not None and len(found) > 0.9 * DETECTIONS, "some masks may be empty, but no more than some"


@torch.no_grad()
def theirs(frames: list[Frame], model: torch.nn.Module, device: torch.device, amp: bool) -> None:
    """torchvision's model as its references use it."""
    for frame in frames:
        image = read_photo(frame.image).to(device).float() / 255
        with autocast(device, amp):
            masks = model([image])[0]["masks"][:, 0]
        assert len(masks) == DETECTIONS
        for mask in (masks >= 0.5).cpu().numpy():
            coco_masks.encode(np.asfortranarray(mask))


def measure(device: torch.device, images: int, rounds: int, amp: bool) -> str:
    """One row: images per second of both, and their ratio."""
    model = full_model(("box", "mask"), device, score_threshold=0.0).eval()
    model.to(memory_format=torch.channels_last)  # as ``load_detector`` does
    detector = Detector(model, model.roi_heads.inference, JOINT_CLASSES)
    peer = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=CLASSES, box_score_thresh=0.0)
    peer = peer.to(device).eval()
    with tempfile.TemporaryDirectory() as folder:
        frames = make_photos(Path(folder), images)
        sides = (
            partial(ours, Path(folder), detector=detector, amp=amp),
            partial(theirs, model=peer, device=device, amp=amp),
        )
        for side in sides:
            side(frames[:1])
        turns = [[wall(partial(side, frames)) for side in sides] for _ in range(rounds)]
    a, b = (images / min(seconds) for seconds in zip(*turns, strict=True))
    name = f"{'bfloat16' if amp else 'float32'}, {device}"
    return f"| {name} | robsub {a:.3f} images/s | torchvision {b:.3f} images/s | {a / b:.2f} | {memory(device)} |"


def wall(work: Callable[[], object]) -> float:
    """Seconds on the clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    device = CUDA if torch.cuda.is_available() else CPU
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {arguments.images} images of {FRAME}")
    for amp in (False, True) if device.type == "cuda" else (False,):
        print(measure(device, arguments.images, arguments.rounds, amp), flush=True)


if __name__ == "__main__":
    main()
