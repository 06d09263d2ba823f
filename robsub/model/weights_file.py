"""Files of weights, Detectron's, Detectron.pytorch's, torchvision's or an earlier run's, under this model's names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dataset_adapters.coco import Coco
from dataset_adapters.problems import InputError
from robsub.config import load_recipe, recipe_from_dict
from robsub.model.array_pickle import read_arrays
from robsub.model.detectron_weights import from_blobs, from_modules
from robsub.model.weights_fit import settings_of
from robsub.recipe import ModelConfig
from robsub.torch_files import FORMAT, read_torch_file, require_checkpoint

INPUT_SETTINGS = ("norm_groups", "anchor_sizes", "canonical_scale", "geometry", "image_mean", "image_std")
"""Settings without parameters of their own that trained weights depend on."""
DETECTRON = "detectron"
"""The recipe with those of Detectron's weights."""
TORCHVISION_NAMES = (
    (r"^(conv1|bn1|layer\d)\.", r"backbone.body.\1."),  # an ImageNet ResNet
    (r"(inner_blocks|layer_blocks)\.(\d)\.(weight|bias)$", r"\1.\2.0.\3"),
    (r"rpn\.head\.conv\.(weight|bias)$", r"rpn.head.conv.0.0.\1"),
    (r"mask_head\.mask_fcn(\d)\.", lambda m: f"mask_head.{int(m[1]) - 1}.0."),
)
"""From the names in torchvision's published files to those of its modules today."""


@dataclass(frozen=True)
class Weights:
    """The content of a file of weights."""

    source: str
    """Whose weights they are, in words."""
    tensors: Mapping[str, Tensor]
    """Under this model's names, where they have one; RGB in."""
    classes: tuple[str, ...] | None
    """Name of each row of the predictors, the background first; None if they are not known."""
    config: ModelConfig
    """The network's configuration with the settings that the weights were trained in."""

    @property
    def is_run(self) -> bool:
        """Whether they are a whole network of robsub."""
        return self.source == "robsub"


def read_weights(path: Path, config: ModelConfig) -> Weights:
    """Read a file of weights and bring it to a network's names.

    Args:
        path: ``.pkl`` of Detectron; else a checkpoint of robsub or Detectron.pytorch, or torchvision's state dict.
        config: the network that the weights are wanted for.

    Raises:
        InputError: the file is missing, truncated, forged, not a file of weights, or of another kind of network (batch
            norm with other strides).
    """
    if path.suffix == ".pkl":
        arrays = {name: torch.from_numpy(a.astype("float32")) for name, a in read_arrays(path).items()}
        _refuse_batch_norm(path, [name for name in arrays if re.search(r"_bn_[sb]$", name)])
        return _coco_weights("Detectron", from_blobs(arrays, config), config)
    state = read_torch_file(
        path, "weights saved by torch, or Detectron's .pkl", "The file is damaged or no file of weights; get it again."
    )
    if state.get("format") == FORMAT:
        require_checkpoint(state, path)
        trained = recipe_from_dict(state["recipe"], "checkpoint", path).model
        trained = replace(trained, **settings_of(state["model"]))
        return Weights("robsub", state["model"], ("background", *state["classes"]), trained)
    inner = state.get("model")
    tensors = _tensors(inner if isinstance(inner, dict) else state)
    if any(name.startswith("Conv_Body.") for name in tensors):
        _refuse_batch_norm(path, [name for name in tensors if re.search(r"\.bn\d\.", name)])
        return _coco_weights("Detectron.pytorch", from_modules(tensors, config), config)
    return _coco_weights("torchvision", _from_torchvision(tensors), config)


def _coco_weights(source: str, tensors: dict[str, Tensor], config: ModelConfig) -> Weights:
    """Weights whose rows are COCO's 80 classes, or its numbers up to 90."""
    by_count = {1 + len(Coco.labels.labels): [label.name for label in Coco.labels]}
    last = max(Coco.labels.by_id)
    by_count[1 + last] = [Coco.labels.by_id[i].name if i in Coco.labels.by_id else "" for i in range(1, last + 1)]
    scores = tensors.get("roi_heads.box_predictor.cls_score.bias")
    names = None if scores is None else by_count.get(scores.numel())
    joint = None if names is None else ("background", *(Coco.class_map.get(name, "") for name in names))
    theirs = ModelConfig() if source == "torchvision" else load_recipe(DETECTRON).model
    trained = {name: getattr(theirs, name) for name in INPUT_SETTINGS} | settings_of(tensors)
    return Weights(source, tensors, joint, replace(config, **trained))


def _from_torchvision(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's published weights; a batch norm's, which belong to its running statistics, keep foreign names."""
    normed = {name.removesuffix("running_mean") for name in state if name.endswith("running_mean")}
    renamed = {}
    for name, value in state.items():
        batch_norm = name.rpartition(".")[0] + "." in normed
        ours = f"batch norm {name}" if batch_norm else name
        for pattern, replacement in TORCHVISION_NAMES:
            ours = re.sub(pattern, replacement, ours)
        renamed[ours] = value
    return renamed


def _refuse_batch_norm(path: Path, names: Sequence[str]) -> None:
    if names:
        raise InputError(
            path, found=f"a network with batch norm ({names[0]}), whose strides lie elsewhere",
            expected="one of Detectron's models with group norm", fix="Take R-50-GN.pkl or a GN Mask R-CNN.",
        )  # fmt: skip


def _tensors(state: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {str(name): value for name, value in state.items() if isinstance(value, Tensor) and not value.is_sparse}
