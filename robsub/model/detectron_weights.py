"""Detectron's names, and Detectron.pytorch's, for the parameters of this model.

Sources: the ``detectron_weight_mapping`` methods of Detectron.pytorch (``lib/modeling``), which the paper's code builds
on, and ``modeling/{ResNet,FPN,fast_rcnn_heads,mask_rcnn_heads}.py`` of Detectron. Both flatten pooled RoIs in the order
C, H, W, put the background first, order a location's anchors by ratio, and store four deltas a class together, as
torchvision does; the input of their first convolution is BGR.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from torch import Tensor

from robsub.recipe import ModelConfig

STEM = "backbone.body.conv1.weight"


class Layer(NamedTuple):
    """One layer with parameters under its three names."""

    ours: str
    blob: str
    """Detectron's, without the ending for weight or bias; that of a norm ends in ``_gn``."""
    module: str
    """Detectron.pytorch's."""


def from_blobs(blobs: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Rename Detectron's blobs; names without a counterpart stay as they are.

    Args:
        blobs: of ``R-50-GN.pkl`` or a GN Mask R-CNN's ``model_final.pkl``; the optimizer's ``*_momentum`` are dropped.
        config: the network that the names are wanted for.
    """
    names = {}
    for layer in layers(config):
        names[layer.blob + ("_s" if layer.blob.endswith("_gn") else "_w")] = f"{layer.ours}.weight"
        names[f"{layer.blob}_b"] = f"{layer.ours}.bias"
    weights = {name: value for name, value in blobs.items() if not name.endswith("_momentum")}
    return _rgb_first(_rename(weights, names.get))


def from_modules(state: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Rename the state of Detectron.pytorch's ``Generalized_RCNN``; names without a counterpart stay as they are."""
    names = {layer.module: layer.ours for layer in layers(config)}

    def ours(name: str) -> str | None:
        module, _, parameter = name.rpartition(".")
        return f"{names[module]}.{parameter}" if module in names else None

    return _rgb_first(_rename(state, ours))


def layers(config: ModelConfig) -> Iterator[Layer]:
    """Every layer that has a counterpart in Detectron."""
    yield from _body(config)
    yield from _pyramid(config)
    yield Layer("rpn.head.conv.0.0", "conv_rpn_fpn2", "RPN.FPN_RPN_conv")
    yield Layer("rpn.head.cls_logits", "rpn_cls_logits_fpn2", "RPN.FPN_RPN_cls_score")
    yield Layer("rpn.head.bbox_pred", "rpn_bbox_pred_fpn2", "RPN.FPN_RPN_bbox_pred")
    yield from _heads(config)


def _body(config: ModelConfig) -> Iterator[Layer]:
    ours, theirs = "backbone.body", "Conv_Body.conv_body"
    yield from _normed(f"{ours}.conv1", f"{ours}.bn1", "conv1", f"{theirs}.res1.conv1", f"{theirs}.res1.gn1")
    for stage, blocks in enumerate(config.layers, start=1):
        for block in range(blocks):
            here, blob, there = (
                f"{ours}.layer{stage}.{block}",
                f"res{stage + 1}_{block}",
                f"{theirs}.res{stage + 1}.{block}",
            )
            for i, letter in enumerate("abc", start=1):
                yield from _normed(
                    f"{here}.conv{i}", f"{here}.bn{i}", f"{blob}_branch2{letter}", f"{there}.conv{i}", f"{there}.gn{i}"
                )
            here, there = f"{here}.downsample", f"{there}.downsample"
            yield from _normed(f"{here}.0", f"{here}.1", f"{blob}_branch1", f"{there}.0", f"{there}.1")


def _pyramid(config: ModelConfig) -> Iterator[Layer]:
    top = len(config.layers) - 1
    for level, blocks in enumerate(config.layers):
        inner, outer = f"backbone.fpn.inner_blocks.{level}", f"backbone.fpn.layer_blocks.{level}"
        blob = f"res{level + 2}_{blocks - 1}_sum"
        lateral = f"Conv_Body.topdown_lateral_modules.{top - 1 - level}.conv_lateral"
        there = "Conv_Body.conv_top" if level == top else lateral
        inner_blob = f"fpn_inner_{blob}" if level == top else f"fpn_inner_{blob}_lateral"
        yield from _normed(f"{inner}.0", f"{inner}.1", inner_blob, f"{there}.0", f"{there}.1")
        there = f"Conv_Body.posthoc_modules.{top - level}"
        yield from _normed(f"{outer}.0", f"{outer}.1", f"fpn_{blob}", f"{there}.0", f"{there}.1")


def _heads(config: ModelConfig) -> Iterator[Layer]:
    box, mask = "roi_heads.box_head", "roi_heads.mask_head"
    for i in range(config.box_convs):
        here, there = f"{box}.{i}", "Box_Head.convs"
        yield from _normed(f"{here}.0", f"{here}.1", f"head_conv{i + 1}", f"{there}.{3 * i}", f"{there}.{3 * i + 1}")
    if config.box_convs:
        yield Layer(f"{box}.{config.box_convs + 1}", "fc6", "Box_Head.fc")  # one after Flatten
    else:
        yield Layer(f"{box}.fc6", "fc6", "Box_Head.fc1")
        yield Layer(f"{box}.fc7", "fc7", "Box_Head.fc2")
    yield Layer("roi_heads.box_predictor.cls_score", "cls_score", "Box_Outs.cls_score")
    yield Layer("roi_heads.box_predictor.bbox_pred", "bbox_pred", "Box_Outs.bbox_pred")
    for i in range(config.mask_convs):
        here, there = f"{mask}.{i}", "Mask_Head.conv_fcn"
        yield from _normed(f"{here}.0", f"{here}.1", f"_mask_fcn{i + 1}", f"{there}.{3 * i}", f"{there}.{3 * i + 1}")
    yield Layer("roi_heads.mask_predictor.conv5_mask", "conv5_mask", "Mask_Head.upconv")
    yield Layer("roi_heads.mask_predictor.mask_fcn_logits", "mask_fcn_logits", "Mask_Outs.classify")


def _normed(conv: str, norm: str, blob: str, conv_module: str, norm_module: str) -> Iterator[Layer]:
    """A convolution and the norm behind it."""
    yield Layer(conv, blob, conv_module)
    yield Layer(norm, f"{blob}_gn", norm_module)


def _rename(weights: Mapping[str, Tensor], ours: Callable[[str], str | None]) -> dict[str, Tensor]:
    return {ours(name) or name: value for name, value in weights.items()}


def _rgb_first(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same weights for images whose channels are RGB instead of BGR."""
    return weights | {name: weights[name].flip(1) for name in {STEM} & weights.keys()}
