"""Does the Non-Local RoI block let a RoI be judged by the others of its image?

Run ``python -m benchmarks.context``. It makes scenes in which white boxes are of class ``day`` or ``night`` by the lamp
that stands at the other end of the image, red over blue or blue over red: a box's own pixels tell nothing, the lamp is
beyond the receptive field of any feature that a box is pooled from, and the colours' amounts are the same in both. It
trains the same small network with and without the block and prints how many boxes each classifies rightly; 50 % is a
guess. What a network without the block could still use is what GroupNorm's statistics carry over the whole image.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace

import torch
from torch import Tensor
from torchvision.ops import box_iou

from robsub.config import load_recipe
from robsub.model.mask_rcnn import MaskRCNN, build_model
from robsub.recipe import InferenceConfig

SIZE = (64, 448)
LAMP, BOX = 24, 24
"""Sides in pixels."""
FAR = 240
"""Column from which boxes stand; lamps end before column 64. A feature of P5 sees 128 pixels to each side."""
CLASSES = ("red over blue", "blue over red", "day", "night")
WARMUP = 30


def scene(seed: int) -> tuple[Tensor, dict[str, Tensor]]:
    """An image (3, H, W) in [0, 1] and its target, as ``MaskRCNN.losses`` takes them."""
    draw = torch.Generator().manual_seed(seed)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high, (1,), generator=draw))

    image = 0.4 + 0.1 * torch.randn(3, *SIZE, generator=draw)
    ids = torch.zeros(SIZE, dtype=torch.int16)
    night = number(0, 2)
    places = [(number(4, 40), number(2, SIZE[0] - LAMP - 2))]
    places += [(FAR + i * 68 + number(0, 40), number(2, SIZE[0] - BOX - 2)) for i in range(number(1, 4))]
    for value, (x, y) in enumerate(places, start=1):
        image[:, y : y + BOX, x : x + BOX] = 0.0 if value == 1 else 0.9
        ids[y : y + BOX, x : x + BOX] = value
    (x, y), half = places[0], LAMP // 2
    image[0 if not night else 2, y : y + half, x : x + LAMP] = 1
    image[2 if not night else 0, y + half : y + LAMP, x : x + LAMP] = 1
    return image.clamp(0, 1), {
        "boxes": torch.tensor([(x, y, x + BOX, y + BOX) for x, y in places], dtype=torch.float32),
        "labels": torch.tensor([1 + night] + [3 + night] * (len(places) - 1)),
        "ids": ids,
        "values": torch.arange(1, len(places) + 1),
    }


def build(heads: tuple[str, ...], seed: int) -> MaskRCNN:
    """The demo's small network."""
    torch.manual_seed(seed)
    config = replace(load_recipe("demo").model, nl_heads=heads, min_size=SIZE[0], max_size=SIZE[1], roi_batch=32)
    return build_model(config, InferenceConfig(score_threshold=0.01), 1 + len(CLASSES))


def train(model: MaskRCNN, steps: int, batch: int = 4) -> float:
    """Train on scenes 0, 1, 2, ...; returns CPU seconds."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=WARMUP / steps)
    start = time.process_time()
    model.train()
    for step in range(steps):
        images, targets = zip(*(scene(step * batch + i) for i in range(batch)), strict=True)
        losses = model.losses(images, targets)
        optimizer.zero_grad()
        torch.autograd.backward(list(losses.values()))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5)
        optimizer.step()
        schedule.step()
    return time.process_time() - start


def accuracy(model: MaskRCNN, scenes: int) -> tuple[float, float]:
    """Share of lamps, and of boxes, whose best-scoring detection there has the right class; on scenes never seen."""
    model.eval()
    right = torch.zeros(2)
    count = torch.zeros(2)
    for seed in range(scenes):
        image, target = scene(10_000_000 + seed)
        found = model.detect([image])[0]
        overlap = box_iou(target["boxes"], found.boxes) > 0.5
        for label, near in zip(target["labels"].tolist(), overlap, strict=True):
            kind = int(label > 2)
            count[kind] += 1
            right[kind] += bool(near.any()) and int(found.labels[near][found.scores[near].argmax()]) == label
    lamps, boxes = (right / count).tolist()
    return lamps, boxes


def main() -> None:
    """Train both networks and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
    print("| block before | seed | lamps right | boxes right | CPU s |\n|---|---|---|---|---|")
    for seed in arguments.seeds:
        for heads in (("box",), ()):
            model = build(heads, seed)
            seconds = train(model, arguments.steps)
            lamps, boxes = accuracy(model, arguments.scenes)
            print(
                f"| {' and '.join(heads) or 'no head'} | {seed} | {lamps:.0%} | {boxes:.0%} | {seconds:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
