"""How fast images of 1024 x 2048 with their targets reach the network, against the usual torchvision way.

Run ``python -m benchmarks.data``. It makes Cityscapes frames in a temporary folder and prints CPU time of one core per
image, which does not count what else the machine does; N loader processes deliver N times as many. The usual way is
that of torchvision's detection tutorial and references: decode the 16-bit PNG, one dense mask per object, boxes from
the masks, flip, and resize image and masks to the network's input. Both ways end with a flipped image of the network's
size in float32; ours resizes it where the network does, which on a GPU costs the loader nothing (last column).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.ops import masks_to_boxes
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from benchmarks.ground_truth import LONG_AGO, milliseconds, street, write_frame
from dataset_adapters.base import DatasetAdapter, Frame
from dataset_adapters.options import Options
from dataset_adapters.registry import get_adapter
from robsub.model.transform import InputTransform
from robsub.recipe import ModelConfig
from robsub.training.joint_dataset import load_sample

FIRST_OBJECT = 24_000
"""Ids from here on are objects in the made frames."""
CONFIG = ModelConfig()
USUAL = v2.Compose(
    [
        v2.RandomHorizontalFlip(p=1),
        v2.Resize(CONFIG.min_size, max_size=CONFIG.max_size),
        v2.ToDtype(torch.float32, scale=True),
    ]
)


def photo(ids: NDArray[np.uint16]) -> Image.Image:
    """A picture of an instance map with the grain of a camera: a flat one would decode too quickly."""
    random = np.random.default_rng(1)
    colours = random.integers(0, 256, (65536, 3))[ids]
    return Image.fromarray((colours + random.normal(0, 4, colours.shape)).clip(0, 255).astype(np.uint8))


def usual_sample(frame: Frame) -> tuple[Tensor, dict[str, Tensor]]:
    """One frame as torchvision's references load it."""
    with Image.open(frame.image) as file:
        image = tv_tensors.Image(F.pil_to_tensor(file.convert("RGB")))
    assert frame.ground_truth is not None
    with Image.open(frame.ground_truth) as file:
        ids = torch.from_numpy(np.array(file).astype(np.int32))
    values: Tensor = torch.unique(ids)
    values = values[values >= FIRST_OBJECT]
    masks = ids == values[:, None, None]
    boxes = tv_tensors.BoundingBoxes(masks_to_boxes(masks), format="XYXY", canvas_size=ids.shape)
    target = {"boxes": boxes, "masks": tv_tensors.Mask(masks.to(torch.uint8)), "labels": values // 1000}
    result: tuple[Tensor, dict[str, Tensor]] = USUAL(image, target)
    return result


def table(objects: int, times: int) -> str:
    """One frame, the usual way and ours."""
    transform = InputTransform(CONFIG)
    with tempfile.TemporaryDirectory() as folder:
        ids = street(objects)
        write_frame(Path(folder), ids)
        cold, warm = (get_adapter("cityscapes", Path(folder), Options(cache=c)) for c in (None, Path(folder) / "cache"))
        (frame,) = cold.frames("val")
        photo(ids).save(frame.image)
        os.utime(frame.image, (LONG_AGO, LONG_AGO))

        def ours(adapter: DatasetAdapter) -> Tensor:
            image = load_sample(adapter, frame, flip=True).image
            batch: Tensor = transform([image]).tensors
            return batch

        usual = milliseconds(lambda: usual_sample(frame), times)
        decode = milliseconds(lambda: np.asarray(Image.open(frame.image)), times)
        rows = [("torchvision", usual, usual), ("of it, decoding the photo", decode, decode)]
        for name, adapter in (("robsub, first time", cold), ("robsub, from the cache", warm)):
            loader = milliseconds(lambda a=adapter: load_sample(a, frame, flip=True), times)  # type: ignore[misc]
            rows.append((name, milliseconds(lambda a=adapter: ours(a), times), loader))  # type: ignore[misc]
    count = int((np.unique(ids) >= FIRST_OBJECT).sum())
    lines = [f"{f'one image, {count} objects':<28}{'ms':>8}{'ratio':>8}{'loader ms':>12}{'ratio':>8}"]
    for name, whole, loader in rows:
        lines.append(f"{name:<28}{whole:>8.1f}{usual / whole:>7.1f}x{loader:>12.1f}{usual / loader:>7.1f}x")
    return "\n".join(lines)


def main() -> None:
    """Print a table for each number of objects."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, nargs="*", default=[20, 40, 100], help="objects drawn in a frame")
    parser.add_argument("--times", type=int, default=5, help="measurements, of which the median counts")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(*(table(objects, arguments.times) for objects in arguments.objects), sep="\n\n")


if __name__ == "__main__":
    main()
