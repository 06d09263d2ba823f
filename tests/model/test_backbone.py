"""The backbone against torchvision's."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torchvision.models import resnet18, resnet50
from torchvision.models.resnet import ResNet

from robsub.model.backbone import STRIDES, build_backbone, resnet_body
from robsub.recipe import ModelConfig


def torchvision_body(config: ModelConfig) -> ResNet:
    make = resnet50 if config.block == "bottleneck" else resnet18
    return make(weights=None, norm_layer=partial(nn.GroupNorm, config.norm_groups))


@pytest.mark.parametrize("config", [ModelConfig(), ModelConfig(block="basic", layers=(2, 2, 2, 2))], ids=["50", "18"])
def test_body_is_torchvisions_resnet(config: ModelConfig) -> None:
    theirs, body = torchvision_body(config), resnet_body(config)
    weights = {name: value for name, value in theirs.state_dict().items() if not name.startswith("fc.")}
    body.load_state_dict(weights, strict=True)
    theirs.avgpool, theirs.fc = nn.Identity(), nn.Identity()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(body(image).flatten(1), theirs(image))


def test_pyramid_shapes(config: ModelConfig) -> None:
    features = build_backbone(config)(torch.rand(2, 3, 128, 192))
    assert [f.shape for f in features.values()] == [(2, 32, 128 // s, 192 // s) for s in STRIDES]


def test_whole_network_has_group_norm() -> None:
    backbone = build_backbone(ModelConfig())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in backbone.modules())
    assert sum(isinstance(module, nn.GroupNorm) for module in backbone.fpn.modules()) == 8
