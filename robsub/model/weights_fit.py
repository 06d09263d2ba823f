"""Do weights fit a network? What their shapes tell of its configuration, and what a parameter takes from them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dataset_adapters.problems import InputError
from robsub.model.roi_heads import BOX_SIDE
from robsub.recipe import ModelConfig

PREDICTORS = {
    f"roi_heads.{layer}.{part}"
    for layer in ("box_predictor.cls_score", "box_predictor.bbox_pred", "mask_predictor.mask_fcn_logits")
    for part in ("weight", "bias")
}
"""Parameters whose rows belong to classes, the background first."""
AFTER_BLOCKS = {
    "roi_heads.box_head.0.0.weight": ("box", 1),
    "roi_heads.box_head.fc6.weight": ("box", BOX_SIDE**2),
    "roi_heads.mask_head.0.0.weight": ("mask", 1),
}
"""The heads' first parameters -> the block in front, and inputs for each channel: the block's channels come last."""
TOLD_BY = {
    "width": ("backbone.body.conv1.weight", 0),
    "stem_kernel": ("backbone.body.conv1.weight", 2),
    "fpn_channels": ("backbone.fpn.inner_blocks.0.0.weight", 0),
    "box_fc": ("roi_heads.box_predictor.cls_score.weight", 1),
    "nl_embedding": (r"roi_heads.\w+.block.phi.weight", 0),
    "nl_g": (r"roi_heads.\w+.block.g.0.weight", 0),
}
"""Setting -> the parameter and the axis whose length it is."""


def settings_of(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """The settings of ``ModelConfig`` that names and shapes of weights tell; of the others they say nothing."""
    told: dict[str, Any] = {}
    if any(name.startswith("backbone.body.layer") for name in weights):
        told["block"] = "bottleneck" if "backbone.body.layer1.0.conv3.weight" in weights else "basic"
        told["layers"] = tuple(
            _count(weights, rf"backbone.body.layer{stage}.\d+.conv1.weight") for stage in range(1, 5)
        )
    for setting, (pattern, axis) in TOLD_BY.items():
        shapes = [weight.shape for name, weight in weights.items() if re.fullmatch(pattern, name)]
        if shapes and axis < len(shapes[0]):
            told[setting] = shapes[0][axis]
    if any(name.startswith("roi_heads.") for name in weights):
        told["box_convs"] = _count(weights, r"roi_heads.box_head.\d+.0.weight")
        told["mask_convs"] = _count(weights, r"roi_heads.mask_head.\d+.0.weight")
        told["nl_heads"] = tuple(head for head in ("box", "mask") if f"{_block(head)}phi.weight" in weights)
    return told


def _count(weights: Mapping[str, Tensor], pattern: str) -> int:
    return sum(re.fullmatch(pattern, name) is not None for name in weights)


def require_finite(weights: Mapping[str, Tensor], path: Path) -> None:
    """Refuse weights with NaN or infinity.

    Raises:
        InputError: names the first such tensor.
    """
    for name, value in weights.items():
        broken = value.numel() - int(value.isfinite().sum())
        if broken:
            raise InputError(
                path, found=f"{broken} of {value.numel()} numbers NaN or infinite in {name}", expected="finite weights",
                fix="The training that wrote them diverged; take an earlier checkpoint, or lower the learning rate.",
            )  # fmt: skip


def require_fit(own: Mapping[str, Tensor], given: Mapping[str, Tensor], path: Path) -> None:
    """Refuse a checkpoint whose weights are of another network than its recipe.

    Raises:
        InputError: names the settings that differ, or else the first tensor that is too many, missing or of another
            shape.
    """
    ours, theirs = settings_of(own), settings_of(given)
    other = [name for name in ours if name in theirs and ours[name] != theirs[name]]
    if other:
        raise InputError(
            path, found="weights of " + ", ".join(f"model.{name} = {theirs[name]}" for name in other),
            expected=", ".join(f"model.{name} = {ours[name]}" for name in other) + ", as its recipe says",
            fix="Recipe and weights are of different networks; name another checkpoint.",
        )  # fmt: skip
    for name in [*(name for name in given if name not in own), *own]:
        here, there = (tuple(state[name].shape) if name in state else None for state in (own, given))
        if here != there:
            row = ", a row for each of its classes" if name in PREDICTORS else ""
            raise InputError(
                path, found=f"{name} {f'of shape {there}' if there else 'missing'}",
                expected=f"shape {here}{row}" if here else "no such tensor",
                fix="Recipe and weights are of different networks; name another checkpoint.",
            )  # fmt: skip


def fitting(
    own: Mapping[str, Tensor], given: Mapping[str, Tensor], config: ModelConfig, rows: Mapping[int, int]
) -> dict[str, Tensor]:
    """The values that parameters take from other weights; those whose shapes do not allow it are left out.

    Args:
        own: the network's parameters.
        given: the other weights, under the same names.
        config: the network's configuration.
        rows: our row of the predictors -> the other weights' row of the same class.
    """
    blocks = {head for head in config.nl_heads if _whole_block(own, given, head)}
    values: dict[str, Tensor] = {}
    for name in (name for name in own if name in given):
        value = _value(name, own[name], given[name].to(own[name]), config, rows, blocks)
        if value is not None:
            values[name] = value
    return values


def _value(
    name: str, own: Tensor, given: Tensor, config: ModelConfig, rows: Mapping[int, int], blocks: Collection[str]
) -> Tensor | None:
    """What one parameter takes; ``blocks`` are the heads whose block is taken."""
    if name in PREDICTORS:
        return _carry_rows(own, given, rows, each=4 if "bbox_pred" in name else 1)
    if name in AFTER_BLOCKS:
        head, cells = AFTER_BLOCKS[name]
        return _carry_inputs(own, given, config.fpn_channels * cells, whole=head in blocks)
    taken = ".block." not in name or any(name.startswith(_block(head)) for head in blocks)
    return given if taken and given.shape == own.shape else None


def _block(head: str) -> str:
    """How the names of a head's block begin."""
    return f"roi_heads.{head}_roi_pool.block."


def _whole_block(own: Mapping[str, Tensor], given: Mapping[str, Tensor], head: str) -> bool:
    """Whether all of a block fits; half a block, or a head that reads another block's channels, is worth nothing."""
    names = [name for name in own if name.startswith(_block(head))]
    return all(name in given and given[name].shape == own[name].shape for name in names)


def _carry_rows(own: Tensor, given: Tensor, rows: Mapping[int, int], each: int) -> Tensor | None:
    """Replace the rows of classes by those of the file; ``rows`` is ours -> theirs, ``each`` how many a class has."""
    if given.shape[1:] != own.shape[1:] or not rows or len(given) % each or max(rows.values()) >= len(given) // each:
        return None
    taken = own.clone().view(-1, each, *own.shape[1:])
    taken[list(rows)] = given.reshape(-1, each, *own.shape[1:])[list(rows.values())]
    return taken.view_as(own)


def _carry_inputs(own: Tensor, given: Tensor, inputs: int, *, whole: bool) -> Tensor | None:
    """Take the weights of a RoI's own features, the first ``inputs``; those of a new block's start at zero."""
    if given.ndim != own.ndim or given.shape[1] < inputs:
        return None
    if whole and given.shape == own.shape:
        return given
    if given.shape[0] != own.shape[0] or given.shape[2:] != own.shape[2:]:
        return None
    taken = torch.zeros_like(own)
    taken[:, :inputs] = given[:, :inputs]
    return taken
