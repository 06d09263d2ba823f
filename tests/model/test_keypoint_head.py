"""The block is generic (section 2.2): in front of torchvision's own keypoint head, in torchvision's own model."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.models.detection import KeypointRCNN
from torchvision.models.detection.keypoint_rcnn import KeypointRCNNHeads, KeypointRCNNPredictor

from robsub.model.backbone import build_backbone
from robsub.model.nl_roi import NonLocalRoIBlock
from robsub.model.roi_pool import NonLocalRoIAlign
from robsub.recipe import ModelConfig

KEYPOINTS, D_G, SIDE = 5, 8, 14


@pytest.fixture
def model(config: ModelConfig) -> KeypointRCNN:
    channels = config.fpn_channels
    block = NonLocalRoIBlock(channels, 8, D_G, scale=(8 * SIDE**2) ** -0.5)
    return KeypointRCNN(
        build_backbone(config),
        num_classes=2,
        min_size=96,
        max_size=192,
        rpn_post_nms_top_n_train=50,
        rpn_post_nms_top_n_test=50,
        box_score_thresh=0.0,
        box_detections_per_img=6,
        keypoint_roi_pool=NonLocalRoIAlign(block, SIDE, config.canonical_scale),
        keypoint_head=KeypointRCNNHeads(channels + D_G, (32, 32)),
        keypoint_predictor=KeypointRCNNPredictor(32, KEYPOINTS),
    )


def test_it_trains(model: KeypointRCNN) -> None:
    points = torch.tensor([[[20.0, 30, 1], [40, 30, 1], [30, 50, 1], [20, 70, 1], [40, 70, 1]]])
    target = {
        "boxes": torch.tensor([[10.0, 20, 50, 80]]),
        "labels": torch.ones(1, dtype=torch.int64),
        "keypoints": points,
    }
    losses: dict[str, Tensor] = model([torch.rand(3, 96, 192), torch.rand(3, 96, 192)], [target, target])
    torch.autograd.backward(list(losses.values()))
    block = model.roi_heads.keypoint_roi_pool.block
    assert all(p.grad is not None and p.grad.isfinite().all() for p in block.parameters())
    assert any(p.grad.abs().sum() > 0 for p in block.phi.parameters())


def test_people_of_an_image_see_each_other(model: KeypointRCNN) -> None:
    """A person's keypoints depend on who else is there: not so when the block's channels are cut off."""
    pool, head = model.eval().roi_heads.keypoint_roi_pool, model.roi_heads.keypoint_head
    boxes = torch.tensor([[10.0, 10, 60, 90], [100, 5, 180, 80]])
    with torch.no_grad():
        features = model.backbone(torch.rand(1, 3, 96, 192))
        both, alone = (head(pool(features, [b], [(96, 192)])) for b in (boxes, boxes[:1]))
        assert not torch.allclose(both[:1], alone, atol=1e-6)
        head[0].weight[:, -D_G:] = 0
        both, alone = (head(pool(features, [b], [(96, 192)])) for b in (boxes, boxes[:1]))
        torch.testing.assert_close(both[:1], alone)
        found = model([torch.rand(3, 96, 192)])[0]
    assert found["keypoints"].shape == (6, KEYPOINTS, 3)
