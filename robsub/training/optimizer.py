"""Which parameters learn, how fast, and the moving average of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dataset_adapters.problems import InputError
from robsub.recipe import TrainConfig

PARTS = (("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",))
"""Modules of the backbone's body in the order in which ``train.freeze_stages`` counts them, the stem first."""


def freeze(config: TrainConfig, body: nn.Module) -> None:
    """Keep the first parts of a backbone as they are."""
    for part in PARTS[: config.freeze_stages]:
        for name in part:
            body.get_submodule(name).requires_grad_(False)


def build_optimizer(config: TrainConfig, model: nn.Module) -> torch.optim.Optimizer:
    """SGD or AdamW over the parameters that learn.

    Weights of convolutions and linear layers decay, norm parameters and biases do not. ``scale`` of a group is what
    the schedule's rate is multiplied by.
    """
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    biases = [p for name, p in named if name.endswith("bias")]
    norms = [p for name, p in named if p.ndim == 1 and not name.endswith("bias")]
    groups = [
        {"params": [p for _, p in named if p.ndim > 1], "weight_decay": config.weight_decay, "scale": 1.0},
        {"params": norms, "weight_decay": 0.0, "scale": 1.0},
        {"params": biases, "weight_decay": 0.0, "scale": config.bias_rate},
    ]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.learning_rate)
    return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum)


def restore_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[str, Any], path: Path) -> None:
    """Go on with what an optimizer has gathered.

    Args:
        optimizer: of the same parameters.
        state: its ``state_dict``.
        path: the checkpoint, for the error.

    Raises:
        InputError: the state is of other parameters or of another optimizer, or no such state.
    """
    wanted = [(group.keys(), len(group["params"])) for group in optimizer.state_dict()["param_groups"]]
    try:
        found = [(group.keys(), len(group["params"])) for group in state["param_groups"]]
        if found == wanted:
            optimizer.load_state_dict(dict(state))
    except (AttributeError, KeyError, TypeError, ValueError):
        found = []
    if found != wanted or not all(_fits(parameter, values) for parameter, values in optimizer.state.items()):
        raise InputError(
            path, found="an optimizer of other parameters than the network's",
            expected="'optimizer' as the training of this network has written it",
            fix="Begin a new run with the weights alone: -o train.init and this file, and another --out.",
        )  # fmt: skip


def _fits(parameter: Tensor, values: Mapping[str, object]) -> bool:
    """Whether all that is kept of a parameter, but for single numbers, has its shape."""
    tensors = (value for value in values.values() if isinstance(value, Tensor) and value.ndim > 0)
    return all(tensor.shape == parameter.shape for tensor in tensors)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Let the next step be taken at the schedule's rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]


def moving_average(config: TrainConfig, model: nn.Module) -> AveragedModel | None:
    """A copy of the model that follows it slowly, None if the recipe has none."""
    if config.ema == 0:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.ema))  # type: ignore[no-untyped-call]
