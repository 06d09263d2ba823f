"""Detectron's frozen stages and doubled rate of biases, and what clipping and decay reach."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.problems import InputError
from robsub.config import load_recipe
from robsub.model.mask_rcnn import MaskRCNN, build_model
from robsub.recipe import TrainConfig
from robsub.training.optimizer import build_optimizer, freeze, restore_optimizer, set_rate

CONFIG = TrainConfig(weight_decay=0.5, bias_rate=2.0)


@pytest.fixture
def model() -> MaskRCNN:
    recipe = load_recipe("demo")
    return build_model(recipe.model, recipe.inference, 1 + len(JOINT_CLASSES))


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_biases_learn_faster_and_only_weights_decay(kind: str, model: MaskRCNN) -> None:
    optimizer = build_optimizer(replace(CONFIG, optimizer=kind), model)  # type: ignore[arg-type]
    set_rate(optimizer, 0.1)
    of = {id(p): (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        norm = parameter.ndim == 1
        expected = (0.2 if name.endswith("bias") else 0.1, 0.0 if norm else 0.5)
        assert of.pop(id(parameter)) == expected, name
    assert not of


def test_the_first_stages_are_left_out_of_learning(model: MaskRCNN) -> None:
    freeze(replace(CONFIG, freeze_stages=2), model.backbone.body)
    learning = {id(p) for group in build_optimizer(CONFIG, model).param_groups for p in group["params"]}
    frozen = {name for name, p in model.named_parameters() if id(p) not in learning}
    body = "backbone.body."
    assert frozen == {
        n for n, _ in model.named_parameters() if n.startswith((body + "conv1", body + "bn1", body + "layer1"))
    }


def test_a_state_of_other_parameters_is_refused(model: MaskRCNN) -> None:
    optimizer = build_optimizer(CONFIG, model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    state = optimizer.state_dict()
    restore_optimizer(build_optimizer(CONFIG, model), state, Path("run/checkpoint.pt"))
    adamw = build_optimizer(replace(CONFIG, optimizer="adamw"), model).state_dict()
    longer = {**state["state"], 0: {"momentum_buffer": torch.zeros(2, 3)}}
    groups = [{**group, "params": group["params"][1:]} for group in state["param_groups"]]
    for other in ({}, adamw, {**state, "state": longer}, {**state, "param_groups": groups}, {**state, "state": 3}):
        with pytest.raises(InputError, match=r"run/checkpoint\.pt: found an optimizer of other parameters"):
            restore_optimizer(build_optimizer(CONFIG, model), other, Path("run/checkpoint.pt"))
