"""What a training step costs, against torchvision's reference detection loop with the same network.

Run ``python -m benchmarks.train``. Both train the demo's network on the same made photos with the same optimizer;
torchvision's has its own transform, heads and losses and dense masks, and no Non-Local RoI block. It prints CPU time of
one core per step, the steps of all ways taking turns, and what each loop adds around the network.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN as TorchvisionMaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, FastRCNNPredictor
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor

from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.registry import get_adapter
from robsub.config import load_recipe
from robsub.demo.world import WorldScale, make_world
from robsub.model.backbone import build_backbone, group_norm
from robsub.model.mask_rcnn import build_model
from robsub.recipe import ModelConfig, Recipe
from robsub.training.distributed import Process
from robsub.training.joint_dataset import Sample, load_sample
from robsub.training.optimizer import build_optimizer
from robsub.training.trainer import Trainer

CLASSES = 1 + len(JOINT_CLASSES)
Step = Callable[[], object]


def made_samples(folder: Path, count: int) -> list[Sample]:
    """Photos of made streets with their targets."""
    make_world(folder, scale=WorldScale((2, 1, 1), (2 * count, 1), (5, 1), (1, 1, 1), (1, 1)), progress=False)
    adapter = get_adapter("kitti", folder)
    return [load_sample(adapter, frame) for frame in adapter.frames("train")[:count]]


def torchvision_model(config: ModelConfig) -> nn.Module:
    """torchvision's Mask R-CNN with the network of a configuration, as far as it has the parts."""
    channels, norm = config.fpn_channels, group_norm(config)
    anchors = AnchorGenerator(tuple((size,) for size in config.anchor_sizes), ((0.5, 1.0, 2.0),) * 5)
    model: nn.Module = TorchvisionMaskRCNN(
        build_backbone(config), min_size=config.min_size, max_size=config.max_size,
        image_mean=config.image_mean, image_std=config.image_std, rpn_anchor_generator=anchors,
        rpn_pre_nms_top_n_train=config.rpn_pre_nms[0], rpn_post_nms_top_n_train=config.rpn_post_nms[0],
        rpn_batch_size_per_image=config.rpn_batch, box_batch_size_per_image=config.roi_batch,
        box_head=FastRCNNConvFCHead((channels, 7, 7), [channels] * config.box_convs, [config.box_fc], norm),
        box_predictor=FastRCNNPredictor(config.box_fc, CLASSES),
        mask_head=MaskRCNNHeads(channels, [channels] * config.mask_convs, 1, norm),
        mask_predictor=MaskRCNNPredictor(channels, channels, CLASSES),
    )  # fmt: skip
    return model


def dense(sample: Sample) -> dict[str, Tensor]:
    """The target as torchvision takes it, a mask for every object."""
    target = sample.target
    masks = (target["ids"] == target["values"][:, None, None]).to(torch.uint8)
    return {"boxes": target["boxes"], "labels": target["labels"], "masks": masks}


def reference_step(recipe: Recipe, samples: Sequence[Sample]) -> Step:
    """The loop of torchvision's ``references/detection/engine.py``, with this recipe's optimizer and clipping."""
    model = torchvision_model(recipe.model).train()
    optimizer = build_optimizer(recipe.train, model)

    def step() -> None:
        images = [s.image.float() / 255 for s in samples]
        losses = sum(model(images, [dense(s) for s in samples]).values(), torch.zeros(()))
        optimizer.zero_grad()
        losses.backward()
        nn.utils.clip_grad_norm_(model.parameters(), recipe.train.clip_norm)
        optimizer.step()

    return step


def bare_step(recipe: Recipe, samples: Sequence[Sample]) -> Step:
    """Forward and backward of this network alone, without loop and optimizer."""
    model = build_model(recipe.model, recipe.inference, CLASSES).train()

    def step() -> None:
        losses = model.losses([s.image for s in samples], [s.target for s in samples])
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]

    return step


def robsub_step(recipe: Recipe, samples: Sequence[Sample], folder: Path) -> Step:
    """The step of ``robsub train``."""
    trainer = Trainer(recipe, (), folder, Process(0, 1, torch.device("cpu")))
    return partial(trainer._step, trainer.model.train(), samples, 0.0)


def cpu_seconds(steps: Sequence[Step], rounds: int) -> list[float]:
    """Median CPU time of each step; they take turns, so that all meet the same machine."""
    durations: list[list[float]] = [[] for _ in steps]
    for round_ in range(rounds + 1):
        for step, own in zip(steps, durations, strict=True):
            start = time.process_time()
            step()
            own += [time.process_time() - start] if round_ else []
    return [statistics.median(own) for own in durations]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=10, help="steps of each way, of which the median counts")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    recipe = load_recipe("demo")
    plain = replace(recipe, model=replace(recipe.model, nl_heads=()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = made_samples(folder / "datasets", arguments.batch_size)
        ways = [
            ("torchvision's loop and network", reference_step(recipe, samples)),
            ("robsub without the block", robsub_step(plain, samples, folder)),
            ("  forward and backward alone", bare_step(plain, samples)),
            ("robsub with the block", robsub_step(recipe, samples, folder)),
            ("  forward and backward alone", bare_step(recipe, samples)),
        ]
        seconds = cpu_seconds([step for _, step in ways], arguments.rounds)
    print(f"{f'one step, {len(samples)} images':<34}{'ms':>8}{'ratio':>8}{'images/s':>10}")
    for (way, _), taken in zip(ways, seconds, strict=True):
        print(f"{way:<34}{1000 * taken:>8.0f}{taken / seconds[0]:>8.2f}{len(samples) / taken:>10.1f}")


if __name__ == "__main__":
    main()
