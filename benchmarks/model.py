"""What the Non-Local RoI block costs: alone, in front of a head, and in the whole network.

Run ``python -m benchmarks.model``; ``--whole`` adds training steps and forward passes of the full network at
800 x 1333 (minutes on a CPU). On a machine with a GPU all is measured there, in float32 and bfloat16.
``benchmarks/measure.py`` says what is measured; FLOPs are those of convolutions and products of a forward pass.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import CPU, CUDA, Work, autocast, head, row
from robsub.model.mask_rcnn import MaskRCNN, build_model
from robsub.model.roi_heads import BOX_SIDE, MASK_SIDE, build_roi_heads
from robsub.recipe import InferenceConfig, ModelConfig

CLASSES = 27
SIZE = (800, 1333)


def block_rows(device: torch.device, rounds: int, amp: bool) -> None:
    """Each block alone beside its head, and the head without and with it, on pooled RoIs."""
    for name, count in (("box", 512), ("box", 1000), ("mask", 128)):
        side = BOX_SIDE if name == "box" else MASK_SIDE
        training = count != 1000
        pooled = torch.randn(count, 256, side, side, device=device, requires_grad=training)
        plain = build_roi_heads(ModelConfig(nl_heads=()), InferenceConfig(), CLASSES).to(device)
        parts = build_roi_heads(ModelConfig(nl_heads=(name,)), InferenceConfig(), CLASSES).to(device)
        block = getattr(parts, f"{name}_roi_pool").block
        without, following = (getattr(heads, f"{name}_head") for heads in (plain, parts))
        what = f"{count} RoIs, {'forward and backward' if training else 'forward'}{', bfloat16' if amp else ''}"
        for title, networks in (
            (f"{name} head's block alone", {"block": block, "head": without}),
            (f"{name} head", {"without": without, "with": nn.Sequential(block, following)}),
        ):
            works = {label: head_work(network, pooled, training, device, amp) for label, network in networks.items()}
            first, second = (flops(partial(network, pooled.detach())) for network in networks.values())
            row(
                f"{title}, {what}",
                works,
                rounds,
                device,
                f"FLOPs {first:.1f} and {second:.1f} G, x {second / first:.2f}",
            )


def flops(work: Work) -> float:
    """10^9 multiplications and additions."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        work()
    return float(counter.get_total_flops()) / 1e9


def head_work(network: nn.Module, pooled: Tensor, training: bool, device: torch.device, amp: bool) -> Work:
    """One pass of pooled RoIs through a head or a block."""

    def work() -> None:
        with torch.set_grad_enabled(training), autocast(device, amp):
            loss = network(pooled).float().square().mean()
        if training:
            torch.autograd.backward(loss)

    return work


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
        model.zero_grad()

    def forward(model: MaskRCNN) -> None:
        with autocast(device, amp):
            model.eval().detect([image])

    first, second = (flops(partial(forward, model)) for model in models.values())
    note = f"FLOPs of a forward pass {first:.0f} and {second:.0f} G, x {second / first:.3f}"
    for what, work in (("training step", step), ("forward pass", forward)):
        works = {name: partial(work, model) for name, model in models.items()}
        row(f"whole model, {what}{', bfloat16' if amp else ''}", works, rounds, device, note)


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
    head()
    for amp in (False, True) if device.type == "cuda" else (False,):
        block_rows(device, arguments.rounds, amp)
        if arguments.whole:
            whole_rows(device, arguments.rounds, amp)


if __name__ == "__main__":
    main()
