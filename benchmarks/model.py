"""How fast the model's parts are, against what they replace, and what the Non-Local RoI block adds.

Run ``python -m benchmarks.model``; ``--whole`` adds training steps and forward passes of the full network at
800 x 1333 (minutes on a CPU). On a machine with a GPU the network's rows are measured there, in float32 and bfloat16.

Times are CPU seconds of this process over all its threads (on a GPU: seconds between synchronisations), the best of a
few rounds in which the contenders take turns, so that ratios hold on a shared machine too.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_masks
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.detection.roi_heads import paste_masks_in_image

from robsub.model.mask_rcnn import MaskRCNN, build_model
from robsub.model.paste import paste_to_rle
from robsub.model.postprocess import ScoredBoxes, box_voting, soft_nms
from robsub.model.roi_heads import BOX_SIDE, MASK_SIDE, build_roi_heads
from robsub.recipe import InferenceConfig, ModelConfig

CLASSES = 27
SIZE = (800, 1333)
FRAME = (1024, 2048)
CPU, CUDA = torch.device("cpu"), torch.device("cuda")

Work = Callable[[], Any]
Array = NDArray[np.float64]


def seconds(contenders: Mapping[str, Work], rounds: int, device: torch.device = CPU) -> dict[str, float]:
    """The best time of each contender; they take turns, after one turn that does not count."""
    best = dict.fromkeys(contenders, float("inf"))
    for turn in range(rounds + 1):
        for name, work in contenders.items():
            start = clock(device)
            work()
            if turn:
                best[name] = min(best[name], clock(device) - start)
    return best


def clock(device: torch.device) -> float:
    """CPU seconds of this process, or seconds when the GPU has done everything."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def autocast(device: torch.device, amp: bool) -> AbstractContextManager[Any]:
    """Autocast to bfloat16, or nothing."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if amp else nullcontext()


def row(name: str, times: Mapping[str, float], note: str = "") -> None:
    """Print what one row of the table says: the second contender's time over the first's."""
    (first, a), (second, b) = times.items()
    print(f"| {name} | {first} {1e3 * a:.1f} ms | {second} {1e3 * b:.1f} ms | {b / a:.2f} | {note} |", flush=True)


def block_rows(device: torch.device, rounds: int, amp: bool) -> None:
    """Each head with and without the block in front, on pooled RoIs: forward, and forward and backward."""
    for head, count in (("box", 512), ("box", 1000), ("mask", 128)):
        works, flops = {}, {}
        side = BOX_SIDE if head == "box" else MASK_SIDE
        training = count != 1000
        pooled = torch.randn(count, 256, side, side, device=device, requires_grad=training)
        for name, heads in (("without", ()), ("with", (head,))):
            parts = build_roi_heads(ModelConfig(nl_heads=heads), InferenceConfig(), CLASSES).to(device)
            block = getattr(parts, f"{head}_roi_pool").block if heads else torch.nn.Identity()
            network = torch.nn.Sequential(block, getattr(parts, f"{head}_head"))
            works[name] = head_work(network, pooled, training, device, amp)
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                network(pooled)
            flops[name] = counter.get_total_flops()
        more = f"FLOPs x {flops['with'] / flops['without']:.2f}"
        what = "forward and backward" if training else "forward"
        row(f"{head} head, {count} RoIs, {what}{', bfloat16' if amp else ''}", seconds(works, rounds, device), more)


def head_work(network: torch.nn.Module, pooled: Tensor, training: bool, device: torch.device, amp: bool) -> Work:
    """One pass of pooled RoIs through a head."""

    def work() -> None:
        with torch.set_grad_enabled(training), autocast(device, amp):
            loss = network(pooled).float().square().mean()
        if training:
            torch.autograd.backward(loss)

    return work


def plain_soft_nms(boxes: Array, scores: Array, threshold: float = 0.5) -> tuple[Array, Array]:
    """Detectron's loop for one class: NumPy over the boxes left, Python over the picks."""
    boxes, scores = boxes.copy(), scores.copy()
    kept: list[Array] = []
    kept_scores: list[float] = []
    while len(scores):
        best = int(scores.argmax())
        kept.append(boxes[best])
        kept_scores.append(float(scores[best]))
        iou = plain_iou(boxes[best], boxes)
        scores = scores * np.where(iou > threshold, 1 - iou, 1)
        left = (scores >= 1e-4) & (np.arange(len(scores)) != best)
        boxes, scores = boxes[left], scores[left]
    return np.array(kept), np.array(kept_scores)


def plain_iou(box: Array, boxes: Array) -> Array:
    """IoU of one box (4,) with (N, 4)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.prod(np.maximum(sides, 0), axis=1)
    overlap: Array = common / (np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - common)
    return overlap


def plain_finish(found: ScoredBoxes, limit: int = 100) -> tuple[Array, Array]:
    """Soft-NMS and voting class by class, then the limit: Detectron's ``box_results_with_nms_and_limit``."""
    boxes, scores = [], []
    for label in sorted(set(found.labels.tolist())):
        mine = found.at(found.labels == label)
        candidates, raw = mine.boxes.double().numpy(), mine.scores.double().numpy()
        kept, decayed = plain_soft_nms(candidates, raw)
        for box, score in zip(kept, decayed, strict=True):
            votes = plain_iou(box, candidates) >= 0.8
            boxes.append(np.average(candidates[votes], axis=0, weights=raw[votes]))
            scores.append(score)
    best = np.argsort(-np.array(scores))[:limit]
    return np.array(boxes)[best], np.array(scores)[best]


def finish(found: ScoredBoxes) -> ScoredBoxes:
    """Ours."""
    return box_voting(soft_nms(found, "linear", 0.5, 0.5, 100), found, "id", 0.8)


def crowded(rois: int, classes: int) -> ScoredBoxes:
    """As many candidates as there can be: every RoI a box of every class."""
    draw = torch.Generator().manual_seed(0)
    objects = torch.rand(40, 2, generator=draw) * torch.tensor([1200.0, 700.0])
    centres = objects[torch.randint(40, (rois,), generator=draw)].repeat_interleave(classes, 0)
    corner = centres + 6 * torch.randn(rois * classes, 2, generator=draw)
    side = 60 + 8 * torch.randn(rois * classes, 2, generator=draw)
    scores = 0.05 + 0.95 * torch.rand(rois * classes, generator=draw) ** 3
    return ScoredBoxes(torch.cat((corner, corner + side), 1), scores, torch.arange(1, classes + 1).repeat(rois))


def nms_row(rounds: int) -> None:
    """Soft-NMS and voting of 1000 RoIs in 26 classes."""
    found = crowded(1000, CLASSES - 1)
    error = float(np.abs(finish(found).scores.numpy() - plain_finish(found)[1]).max())
    times = seconds({"ours": lambda: finish(found), "NumPy loops": lambda: plain_finish(found)}, rounds)
    row("soft-NMS and voting, 1000 boxes x 26 classes", times, f"scores differ by {error:.0e} at most")


def paste_rows(rounds: int) -> None:
    """100 masks at 1024 x 2048 to RLE: street-sized boxes and large ones."""
    draw = torch.Generator().manual_seed(0)
    noise = torch.rand(100, 1, 34, 34, generator=draw)
    probs = (torch.nn.functional.avg_pool2d(noise, 7, stride=1)[:, 0] * 4 - 1.5).clamp(0, 1)
    for name, (width, height) in {"street-sized": (155, 118), "large": (617, 527)}.items():
        corner = torch.rand(100, 2, generator=draw) * torch.tensor([FRAME[1] - width, FRAME[0] - height])
        boxes = torch.cat((corner, corner + torch.tensor([width, height])), dim=1)

        def theirs(boxes: Tensor = boxes) -> list[Any]:
            masks = paste_masks_in_image(probs[:, None], boxes, FRAME)[:, 0] >= 0.5
            return [coco_masks.encode(np.asfortranarray(mask.numpy())) for mask in masks]

        def ours(boxes: Tensor = boxes) -> list[Any]:
            return paste_to_rle(probs, boxes, FRAME)

        areas = [sum(coco_masks.area(m) for m in masks()) for masks in (ours, theirs)]
        note = f"{name} boxes ({width} x {height}); their masks are {areas[1] / areas[0] - 1:.1%} larger"
        row("100 masks to RLE at 1024 x 2048", seconds({"ours": ours, "torchvision": theirs}, rounds), note)


def target(objects: int = 20) -> dict[str, Tensor]:
    """A street's worth of objects."""
    draw = torch.Generator().manual_seed(0)
    corner = torch.rand(objects, 2, generator=draw) * torch.tensor([1100.0, 600.0])
    boxes = torch.cat((corner, corner + 40 + 120 * torch.rand(objects, 2, generator=draw)), dim=1)
    ids = torch.zeros(SIZE, dtype=torch.int16)
    for value, (x1, y1, x2, y2) in enumerate(boxes.long().tolist(), start=1):
        ids[y1:y2, x1:x2] = value
    labels = torch.randint(1, CLASSES, (objects,), generator=draw)
    return {"boxes": boxes, "labels": labels, "ids": ids, "values": torch.arange(1, objects + 1)}


def full_model(heads: tuple[str, ...], device: torch.device, **inference: Any) -> MaskRCNN:
    """The paper's network; with random weights every proposal is a candidate."""
    torch.manual_seed(0)
    return build_model(ModelConfig(nl_heads=heads), InferenceConfig(**inference), CLASSES).to(device)


def whole_rows(device: torch.device, rounds: int, amp: bool) -> None:
    """Training steps and detection of one image at 800 x 1333, with and without blocks."""
    image, wanted = torch.rand(3, *SIZE), target()
    models = {name: full_model(heads, device) for name, heads in (("without", ()), ("with", ("box", "mask")))}

    def step(model: MaskRCNN) -> None:
        with autocast(device, amp):
            losses = model.train().losses([image], [wanted])
        torch.autograd.backward(list(losses.values()))

    def forward(model: MaskRCNN) -> None:
        with autocast(device, amp):
            model.eval().detect([image])

    for what, work in (("training step", step), ("forward pass", forward)):
        times = seconds({name: partial(work, model) for name, model in models.items()}, rounds, device)
        row(f"whole model, {what}{', bfloat16' if amp else ''}", times, memory(device))


def memory(device: torch.device) -> str:
    """The peak so far, of the process or of the GPU."""
    if device.type == "cuda":
        return f"peak {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB"
    return f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--whole", action="store_true", help="the full network too")
    arguments = parser.parse_args()
    if "OMP_NUM_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    device = CUDA if torch.cuda.is_available() else CPU
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, networks on {device}\n")
    print("| what | first | second | second / first | |\n|---|---|---|---|---|")
    nms_row(arguments.rounds)
    paste_rows(arguments.rounds)
    for amp in (False, True) if device.type == "cuda" else (False,):
        block_rows(device, arguments.rounds, amp)
        if arguments.whole:
            whole_rows(device, arguments.rounds, amp)


if __name__ == "__main__":
    main()
