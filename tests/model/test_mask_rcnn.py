"""The whole network: it trains, it detects, and odd inputs pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor
from torchvision.models.detection import maskrcnn_resnet50_fpn
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import box_iou

from robsub import recipe
from robsub.config import load_recipe
from robsub.model.id_map import IGNORE
from robsub.model.mask_rcnn import MaskRCNN, build_model
from robsub.model.roi_heads import box_losses, mask_loss
from robsub.model.roi_pool import NonLocalRoIAlign
from robsub.model.rpn import build_rpn
from robsub.model.transform import InputTransform, input_size
from robsub.recipe import ModelConfig

from .conftest import CLASSES, Scene, scene

LOSSES = {"loss_classifier", "loss_box_reg", "loss_mask", "loss_objectness", "loss_rpn_box_reg"}


def build(config: ModelConfig, inference: recipe.InferenceConfig | None = None) -> MaskRCNN:
    return build_model(config, inference or recipe.InferenceConfig(), CLASSES)


def backward(model: MaskRCNN, *scenes: Scene) -> dict[str, Tensor]:
    images, targets = [image for image, _ in scenes], [target for _, target in scenes]
    losses: dict[str, Tensor] = model(images, targets)
    assert set(losses) == LOSSES
    assert all(loss.isfinite() for loss in losses.values())
    torch.autograd.backward(list(losses.values()))
    return losses


@pytest.mark.parametrize("heads", [(), ("box",), ("mask",), ("box", "mask")])
def test_block_stands_in_front_of_the_named_heads(config: ModelConfig, heads: tuple[str, ...]) -> None:
    model = build(replace(config, nl_heads=heads))
    pools = {"box": model.roi_heads.box_roi_pool, "mask": model.roi_heads.mask_roi_pool}
    assert {name for name, pool in pools.items() if isinstance(pool, NonLocalRoIAlign)} == set(heads)
    backward(model, scene(3))
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    model.eval()
    assert model([torch.rand(3, 96, 96)])[0].mask_probs.shape[1:] == (28, 28)


def test_learns_a_scene(config: ModelConfig) -> None:
    """Losses fall in a few steps; after them the model finds the objects, where they are."""
    model = build(config)
    scenes = [scene(4, seed=seed) for seed in range(2)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=10)
    totals = []
    for _ in range(60):
        optimizer.zero_grad()
        losses = backward(model, *scenes)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5)
        optimizer.step()
        warmup.step()
        totals.append(float(sum(loss.detach() for loss in losses.values())))
    assert sum(totals[15:20]) < 0.8 * sum(totals[:5])
    assert sum(totals[-5:]) < 0.4 * sum(totals[:5])

    image, target = scenes[0]
    found = model.eval()([(image * 255).byte()])[0]
    overlap, best = box_iou(target["boxes"], found.boxes).max(dim=1)
    assert found.labels[best].tolist() == target["labels"].tolist()
    assert overlap.min() > 0.6
    assert (found.mask_probs[best] > 0.5).float().mean() > 0.9


def test_images_without_objects_train(config: ModelConfig) -> None:
    model = build(config)
    losses = backward(model, scene(0))
    assert losses["loss_mask"] == 0
    assert all(p.grad is not None for p in model.parameters())


def test_void_image_trains(config: ModelConfig) -> None:
    """No RoI is left to sample; the losses of both heads are 0, not NaN."""
    image, target = scene(0)
    target["ids"].fill_(IGNORE)
    losses = backward(build(config), (image, target))
    assert losses["loss_classifier"] == losses["loss_box_reg"] == losses["loss_mask"] == 0


def test_ignored_anchors_are_not_sampled(config: ModelConfig) -> None:
    _, target = scene(2)
    target["ids"][:, 96:] = torch.where(target["ids"][:, 96:] == 0, IGNORE, target["ids"][:, 96:])
    anchors = torch.tensor([[20.0, 80, 40, 96], [100, 0, 120, 10], [90, 0, 102, 10], *target["boxes"].tolist()])
    labels, _ = build_rpn(config).assign_targets_to_anchors([anchors], [target | {"scale": torch.ones(4)}])
    assert labels[0].tolist() == [0, -1, 0, 1, 1]


def test_resized_image_keeps_its_ids(config: ModelConfig) -> None:
    """Targets come from the map in its own pixels: a half-size network sees the same masks."""
    image, target = scene(3, size=(192, 384))
    model = build(config)
    with patch.object(model.roi_heads, "losses", wraps=model.roi_heads.losses) as losses:
        backward(model, (image, target))
    seen = losses.call_args.args[-1][0]
    torch.testing.assert_close(seen["boxes"], target["boxes"] / 2)
    assert seen["scale"].tolist() == [2, 2, 2, 2]
    assert seen["ids"] is target["ids"]


@pytest.mark.parametrize("size", [(1, 1), (40, 600), (600, 40), (1, 500), (96, 192)])
def test_any_size_of_image(config: ModelConfig, size: tuple[int, int]) -> None:
    """The odd image comes first, which must not spoil what the model sees in the next one."""
    model = build(config, recipe.InferenceConfig(score_threshold=0.0, detections_per_image=7)).eval()
    image = torch.rand(3, *size)
    found = model([image])[0]
    assert len(found) == len(found.boxes) == len(found.labels) == len(found.mask_probs)
    assert (found.boxes.amax(dim=0) <= torch.tensor([size[1], size[0], size[1], size[0]]) + 1e-3).all()
    assert (found.scores.diff() <= 0).all()

    usual = [torch.rand(3, 96, 192)]
    after = model(usual)[0]
    fresh = build(config, recipe.InferenceConfig(score_threshold=0.0, detections_per_image=7)).eval()
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(after.boxes, fresh(usual)[0].boxes)


def test_image_without_proposals(config: ModelConfig) -> None:
    """Also beside one that has some, and mirrored too."""
    for inference in (recipe.InferenceConfig(score_threshold=0.0), recipe.InferenceConfig(flip=True)):
        model = build(config, inference).eval()
        propose = model.rpn.filter_proposals

        def none_in_the_first(*parts: Any, propose: Any = propose) -> Any:
            boxes, scores = propose(*parts)
            return [boxes[0][:0], *boxes[1:]], [scores[0][:0], *scores[1:]]

        with patch.object(model.rpn, "filter_proposals", none_in_the_first):
            nothing, found = model([torch.rand(3, 96, 96), torch.rand(3, 96, 96)])
        assert len(nothing) == 0
        assert nothing.mask_probs.shape == (0, 28, 28)
        assert inference.flip or len(found)


def test_a_batch_is_its_images(config: ModelConfig) -> None:
    """Images do not influence each other, of whatever sizes, and come back in their order."""
    model = build(config, recipe.InferenceConfig(score_threshold=0.0, detections_per_image=5)).eval()
    images = [torch.rand(3, *size) for size in ((96, 192), (192, 96), (96, 192), (90, 100))]
    for alone, together in zip((model([image])[0] for image in images), model(images), strict=True):
        torch.testing.assert_close(alone.boxes, together.boxes, rtol=0, atol=1e-2)
        torch.testing.assert_close(alone.mask_probs, together.mask_probs, rtol=0, atol=1e-4)


def test_only_the_asked_classes(config: ModelConfig) -> None:
    model = build(config, recipe.InferenceConfig(score_threshold=0.0, detections_per_image=10)).eval()
    found = model([torch.rand(3, 96, 192)], classes=[2])[0]
    assert found.labels.tolist() == [2] * 10


def test_outputs_are_float32_under_autocast(config: ModelConfig) -> None:
    model = build(config, recipe.InferenceConfig(score_threshold=0.0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = backward(model, scene(3))
        found = model.eval()([scene(3)[0]])[0]
        batch = model.transform([scene(3)[0]])
        (proposals,), _ = model.rpn(batch, model.backbone(batch.tensors))
    assert {loss.dtype for loss in losses.values()} == {torch.float32}
    assert proposals.dtype == torch.float32
    assert found.boxes.dtype == found.scores.dtype == found.mask_probs.dtype == torch.float32


def test_plain_head_and_names_are_torchvisions() -> None:
    """Without blocks, convolutions in the box head and norms, every parameter has torchvision's name and shape."""
    ours = build_model(ModelConfig(nl_heads=(), box_convs=0), recipe.InferenceConfig(), 91).state_dict()
    theirs = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
    normed = ("fpn.", "mask_head.")  # convolutions with a norm have no bias
    skipped = ("running_", "num_batches", *normed)
    wanted = {name: value.shape for name, value in theirs.items() if not any(s in name for s in skipped)}
    assert wanted == {name: value.shape for name, value in ours.items() if not any(s in name for s in normed)}


def test_targets_are_checked(config: ModelConfig) -> None:
    model, (image, target) = build(config), scene(1)
    with pytest.raises(ValueError, match="needs targets"):
        model([image])
    with pytest.raises(ValueError, match="without area"):
        model([image], [target | {"boxes": torch.tensor([[3.0, 3, 3, 9]])}])


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1024, 2048), (666, 1333)), ((375, 1242), (402, 1333)), ((968, 1296), (800, 1071)), ((1, 4000), (1, 1333))],
)
def test_input_size(size: tuple[int, int], expected: tuple[int, int]) -> None:
    config = ModelConfig()
    assert input_size(size, config.min_size, config.max_size) == expected


def test_bytes_and_floats_are_one_image(config: ModelConfig) -> None:
    transform = InputTransform(config)
    image = torch.randint(256, (3, 70, 100), dtype=torch.uint8)
    batch = transform([image, image.float() / 255, torch.rand(3, 96, 192)])
    assert batch.tensors.shape == (3, 3, 96, 192)
    assert batch.image_sizes == [(96, 137), (96, 137), (96, 192)]
    torch.testing.assert_close(batch.tensors[0], batch.tensors[1])
    assert not batch.tensors[0, :, :, 137:].any()


@pytest.mark.parametrize("size", [(70, 100), (128, 192), (50, 400)])
def test_input_is_torchvisions(config: ModelConfig, size: tuple[int, int]) -> None:
    """Which normalises first; (70, 100) is grown, (128, 192) shrunk, (50, 400) held by its longer side."""
    config = replace(config, min_size=96, max_size=200)
    image = torch.randint(256, (3, *size), dtype=torch.uint8)
    theirs = GeneralizedRCNNTransform(96, 200, list(config.image_mean), list(config.image_std))
    expected, _ = theirs([image / 255])
    ours = InputTransform(config)([image])
    assert ours.image_sizes == expected.image_sizes
    torch.testing.assert_close(ours.tensors, expected.tensors)


def test_losses_are_torchvisions_but_for_the_bend() -> None:
    labels = torch.tensor([0, 2, 1, 0])
    logits, deltas, wanted = torch.randn(4, 3), torch.randn(4, 12), torch.randn(4, 4)
    losses = box_losses(logits, deltas, labels, wanted)
    torch.testing.assert_close(losses["loss_classifier"], torch.nn.functional.cross_entropy(logits, labels))
    error = torch.stack((deltas[1, 8:] - wanted[1], deltas[2, 4:8] - wanted[2])).abs()
    bent = torch.where(error < 1, error.square() / 2, error - 0.5)
    torch.testing.assert_close(losses["loss_box_reg"], bent.sum() / 4)

    masks, share = torch.randn(2, 3, 28, 28), torch.rand(2, 28, 28)
    own = torch.stack((masks[0, 2], masks[1, 1])).sigmoid()
    entropy = -(share * own.log() + (1 - share) * (1 - own).log()).mean()
    torch.testing.assert_close(mask_loss(masks, torch.tensor([2, 1]), share), entropy)


def test_matching_and_sampling_are_detectrons() -> None:
    """``config.py``: RPN.POSITIVE_OVERLAP, NEGATIVE_OVERLAP, FG_FRACTION, NMS_THRESH; TRAIN.FG_THRESH, FG_FRACTION."""
    model = build_model(load_recipe("rob2018").model, load_recipe("rob2018").inference, num_classes=27)
    rpn, heads = model.rpn, model.roi_heads
    assert (rpn.proposal_matcher.high_threshold, rpn.proposal_matcher.low_threshold) == (0.7, 0.3)
    assert (rpn.fg_bg_sampler.positive_fraction, rpn.nms_thresh) == (0.5, 0.7)
    assert (heads.proposal_matcher.high_threshold, heads.proposal_matcher.low_threshold) == (0.5, 0.5)
    assert heads.fg_bg_sampler.positive_fraction == 0.25
    assert (rpn.fg_bg_sampler.batch_size_per_image, heads.fg_bg_sampler.batch_size_per_image) == (256, 512)


def test_the_longer_sides_limit_grows_with_another_shorter_side() -> None:
    transform = InputTransform(ModelConfig(min_size=100, max_size=150))
    batch = transform([torch.zeros(3, 100, 300)], 200)
    assert batch.image_sizes == [(100, 300)]  # 200 would be 600 long, and 300 is the most
    assert transform([torch.zeros(3, 100, 300)]).image_sizes == [(50, 150)]
