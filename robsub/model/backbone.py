"""ResNet with group norm and a feature pyramid on top."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from torch import nn
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.resnet import BasicBlock, Bottleneck, conv1x1

from robsub.recipe import ModelConfig

LEVELS = ("0", "1", "2", "3")
"""Names of the pyramid levels P2 to P5, which RoIs are pooled from; P6 is for the RPN alone."""
STRIDES = (4, 8, 16, 32, 64)
"""Pixels of the network's input per cell of P2 to P6."""

NormLayer = Callable[[int], nn.Module]
_BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck}


def group_norm(config: ModelConfig) -> NormLayer:
    """The norm layer of the whole network: channels -> GroupNorm."""
    return partial(nn.GroupNorm, config.norm_groups)


def build_backbone(config: ModelConfig) -> BackboneWithFPN:
    """A batch of images (N, 3, H, W) -> ``{level: (N, fpn_channels, H / stride, W / stride)}`` of P2 to P6.

    Parameters are named as in torchvision (``body.layer1.0.conv1.weight``, ``fpn.inner_blocks.0.0.weight``).
    """
    expansion = _BLOCKS[config.block].expansion
    return BackboneWithFPN(
        resnet_body(config),
        return_layers={f"layer{stage}": level for stage, level in enumerate(LEVELS, start=1)},
        in_channels_list=[config.width * 2**stage * expansion for stage in range(4)],
        out_channels=config.fpn_channels,
        norm_layer=group_norm(config),
    )


def resnet_body(config: ModelConfig) -> nn.Sequential:
    """torchvision's ResNet without its classifier, of any width and depth; the stride is on the 3x3 convolution."""
    norm = group_norm(config)
    channels = config.width
    kernel = config.stem_kernel
    body = OrderedDict[str, nn.Module](
        conv1=nn.Conv2d(3, channels, kernel, stride=2, padding=kernel // 2, bias=False),
        bn1=norm(channels),
        relu=nn.ReLU(inplace=True),
        maxpool=nn.MaxPool2d(3, stride=2, padding=1),
    )
    for stage, blocks in enumerate(config.layers):
        planes = config.width * 2**stage
        body[f"layer{stage + 1}"] = _stage(config, channels, planes, blocks, stride=1 if stage == 0 else 2)
        channels = planes * _BLOCKS[config.block].expansion
    for module in body.values():
        module.apply(_initialise)
    return nn.Sequential(body)


def _stage(config: ModelConfig, in_channels: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
    """Residual blocks of one resolution; the first one halves it and widens."""
    block, norm = _BLOCKS[config.block], group_norm(config)
    out_channels = planes * block.expansion
    shortcut = None
    if stride != 1 or in_channels != out_channels:
        shortcut = nn.Sequential(conv1x1(in_channels, out_channels, stride), norm(out_channels))
    first = block(in_channels, planes, stride, shortcut, norm_layer=norm)
    return nn.Sequential(first, *(block(out_channels, planes, norm_layer=norm) for _ in range(1, blocks)))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
