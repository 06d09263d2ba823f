"""Starting from other weights: Detectron's, Detectron.pytorch's, torchvision's, or those of an earlier run."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dataset_adapters.coco import Coco
from dataset_adapters.problems import InputError
from robsub.config import recipe_from_dict
from robsub.model.array_pickle import read_arrays
from robsub.model.detectron_weights import detectron_settings, from_blobs, from_modules
from robsub.model.mask_rcnn import MaskRCNN
from robsub.recipe import ModelConfig

INPUT_SETTINGS = ("geometry", "image_mean", "image_std", "anchor_sizes", "canonical_scale")
"""Settings without parameters of their own that trained weights depend on."""
PREDICTORS = {
    f"roi_heads.{layer}.{part}"
    for layer in ("box_predictor.cls_score", "box_predictor.bbox_pred", "mask_predictor.mask_fcn_logits")
    for part in ("weight", "bias")
}
"""Parameters whose rows belong to classes, the background first."""
AFTER_BLOCKS = {"roi_heads.box_head.0.0.weight", "roi_heads.box_head.fc6.weight", "roi_heads.mask_head.0.0.weight"}
"""The heads' first parameters: a block's channels come last in their inputs, flattened or not."""
DECIDED_BY = (
    (r"body\.(conv1|bn1)", "model.width or model.stem_kernel"),
    (r"body\.layer", "model.block, model.layers or model.width"),
    (r"\.block\.", "model.nl_heads, model.nl_embedding or model.nl_g"),
    (r"box_head\.", "model.box_convs, model.box_fc, model.nl_heads or model.nl_g"),
    (r"mask_head\.", "model.mask_convs, model.nl_heads or model.nl_g"),
    (r"box_predictor\.", "model.box_fc or the number of classes"),
    (r"mask_fcn_logits", "model.fpn_channels or the number of classes"),
    (r"", "model.fpn_channels"),
)
"""Part of a parameter's name -> the settings that decide whether it is there, and its shape; the first match holds."""
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


@dataclass(frozen=True)
class LoadReport:
    """What became of a file of weights, in names of this model where there is one."""

    path: Path
    source: str
    loaded: tuple[str, ...]
    """Parameters taken from the file."""
    kept: tuple[str, ...]
    """Parameters that the file has nothing for; they stay as they were initialised."""
    unused: tuple[str, ...]
    """Names of the file that found no place."""
    classes: tuple[str, ...]
    """Classes whose rows were carried over; the others stay as they were initialised."""
    other_settings: tuple[str, ...]
    """Settings in which the weights were trained and which the model does not have, as ``name = value``."""

    def text(self) -> str:
        """A paragraph for the terminal."""
        lines = [
            f"{self.path} ({self.source}): {len(self.loaded)} parameters loaded, {len(self.kept)} kept as initialised, "
            f"{len(self.unused)} in the file unused",
            f"classes carried over: {', '.join(self.classes) or 'none'}",
        ]
        lines += [
            f"{what}: {', '.join(names)}" for what, names in (("kept", self.kept), ("unused", self.unused)) if names
        ]
        lines += [f"trained with model.{setting}" for setting in self.other_settings]
        return "\n".join(lines)


def load_pretrained(model: MaskRCNN, path: Path, classes: Sequence[str]) -> LoadReport:
    """Start a model from a file of weights.

    Parameters are taken where name and shape agree. In addition the rows of classes of the same name (COCO's by
    ``Coco.class_map``) are carried over, and in a head behind a block the inputs that the block appends start at zero,
    so that the model starts as it would without its blocks.

    Args:
        model: on any device; changed in place.
        path: ``.pkl`` of Detectron; else a checkpoint of robsub or Detectron.pytorch, or torchvision's state dict.
        classes: the model's classes without the background: class i of the network is ``classes[i - 1]``.

    Raises:
        InputError: the file is missing, truncated, not a file of weights, of another kind of network (batch norm with
            other strides), or holds NaN or infinity; nothing in it fits.
    """
    weights = read_weights(path, model.config)
    require_finite(weights.tensors, path)
    rows = _matching_rows(weights.classes, classes)
    own = model.state_dict()
    fitted = {name: _fit(name, own[name], value, rows) for name, value in weights.tensors.items() if name in own}
    loaded = {name: value for name, value in fitted.items() if value is not None}
    if not loaded:
        raise InputError(
            path, found=f"no tensor that fits, but {', '.join([*weights.tensors][:3])}, ...",
            expected="weights of this network or of its backbone", fix="Name another file, or change the recipe.",
        )  # fmt: skip
    model.load_state_dict(own | loaded)
    carried = [name for i, name in enumerate(classes, start=1) if i in rows and PREDICTORS & loaded.keys()]
    return LoadReport(
        path, weights.source, tuple(loaded), tuple(n for n in own if n not in loaded),
        tuple(n for n in weights.tensors if n not in loaded), tuple(carried),
        tuple(_other_settings(weights.config, model.config)),
    )  # fmt: skip


def read_weights(path: Path, config: ModelConfig) -> Weights:
    """Read a file of weights and bring it to this model's names; see ``load_pretrained``."""
    if path.suffix == ".pkl":
        arrays = {name: torch.from_numpy(a.astype("float32")) for name, a in read_arrays(path).items()}
        _refuse_batch_norm(path, [name for name in arrays if re.search(r"_bn_[sb]$", name)])
        return _coco_weights("Detectron", from_blobs(arrays, config), detectron_settings(config))
    state = _load(path)
    if "recipe" in state and "classes" in state:
        trained = recipe_from_dict(state["recipe"], "checkpoint", path).model
        return Weights("robsub", _tensors(state["model"]), ("background", *state["classes"]), trained)
    tensors = _tensors(state.get("model", state))
    if any(name.startswith("Conv_Body.") for name in tensors):
        _refuse_batch_norm(path, [name for name in tensors if re.search(r"\.bn\d\.", name)])
        return _coco_weights("Detectron.pytorch", from_modules(tensors, config), detectron_settings(config))
    return _coco_weights("torchvision", _from_torchvision(tensors), ModelConfig())


def require_finite(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuse weights with NaN or infinity.

    Raises:
        InputError: names the first such tensor.
    """
    for name, value in tensors.items():
        broken = value.numel() - int(value.isfinite().sum())
        if broken:
            raise InputError(
                path, found=f"{broken} of {value.numel()} numbers NaN or infinite in {name}", expected="finite weights",
                fix="The training that wrote them diverged; take an earlier checkpoint, or lower the learning rate.",
            )  # fmt: skip


def require_fit(own: Mapping[str, Tensor], given: Mapping[str, Tensor], path: Path) -> None:
    """Refuse weights of a network of another configuration.

    Raises:
        InputError: names the first tensor that is too many, missing or of another shape, and what decides it.
    """
    for name in [*(name for name in given if name not in own), *own]:
        ours, theirs = (tuple(state[name].shape) if name in state else None for state in (own, given))
        if ours != theirs:
            settings = next(settings for part, settings in DECIDED_BY if re.search(part, name))
            raise InputError(
                path, found=f"{name} {f'of shape {theirs}' if theirs else 'missing'}",
                expected=f"{f'shape {ours}' if ours else 'none'} by its recipe's {settings}",
                fix="The weights are of another configuration; name another checkpoint.",
            )  # fmt: skip


def _fit(name: str, own: Tensor, given: Tensor, rows: Mapping[int, int]) -> Tensor | None:
    """The value that a parameter takes from a file, None where the shapes do not allow it."""
    given = given.to(own)
    if name in PREDICTORS:
        return _carry_rows(own, given, rows, each=4 if "bbox_pred" in name else 1)
    if name in AFTER_BLOCKS and given.ndim == own.ndim and given.shape[1] < own.shape[1]:
        appended = own.shape[1] - given.shape[1]
        given = F.pad(given, (0, 0) * (given.ndim - 2) + (0, appended))
    return given if given.shape == own.shape else None


def _carry_rows(own: Tensor, given: Tensor, rows: Mapping[int, int], each: int) -> Tensor | None:
    """Replace the rows of classes by those of the file; ``rows`` is ours -> theirs, ``each`` how many a class has."""
    if given.shape[1:] != own.shape[1:] or not rows:
        return None
    taken = own.clone().view(-1, each, *own.shape[1:])
    taken[list(rows)] = given.reshape(-1, each, *own.shape[1:])[list(rows.values())]
    return taken.view_as(own)


def _matching_rows(theirs: Sequence[str] | None, ours: Sequence[str]) -> dict[int, int]:
    """Our row -> the file's row of the same class, the background included; empty where its classes are not known."""
    if theirs is None:
        return {}
    known = {name: row for row, name in enumerate(theirs) if name}
    return {row: known[name] for row, name in enumerate(("background", *ours)) if name in known}


def _coco_weights(source: str, tensors: dict[str, Tensor], config: ModelConfig) -> Weights:
    """Weights whose rows are COCO's 80 classes, or its numbers up to 90."""
    by_count = {1 + len(Coco.labels.labels): [label.name for label in Coco.labels]}
    last = max(Coco.labels.by_id)
    by_count[1 + last] = [Coco.labels.by_id[i].name if i in Coco.labels.by_id else "" for i in range(1, last + 1)]
    scores = tensors.get("roi_heads.box_predictor.cls_score.bias")
    names = None if scores is None else by_count.get(len(scores))
    joint = None if names is None else ("background", *(Coco.class_map.get(name, "") for name in names))
    return Weights(source, tensors, joint, config)


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


def _load(path: Path) -> dict[str, Any]:
    """A file of torch.save, building nothing but tensors and plain values."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {str(name): value for name, value in state.items()}
    except (OSError, RuntimeError, EOFError, ValueError, AttributeError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(
            path, found=f"a file that does not load ({reason})", expected="weights saved by torch, or Detectron's .pkl",
            fix="The file is missing, truncated, or no file of weights; get it again.",
        ) from error  # fmt: skip


def _tensors(state: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def _other_settings(trained: ModelConfig, ours: ModelConfig) -> list[str]:
    wanted = {name: (getattr(trained, name), getattr(ours, name)) for name in INPUT_SETTINGS}
    return [f"{name} = {theirs}" for name, (theirs, mine) in wanted.items() if theirs != mine]
