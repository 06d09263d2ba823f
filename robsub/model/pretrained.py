"""Starting a model from other weights, and telling what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from torch import Tensor

from dataset_adapters.problems import InputError
from robsub.model.mask_rcnn import MaskRCNN
from robsub.model.weights_file import DETECTRON, INPUT_SETTINGS, Weights, read_weights
from robsub.model.weights_fit import PREDICTORS, fitting, require_finite, settings_of
from robsub.recipe import ModelConfig


@dataclass(frozen=True)
class OtherSetting:
    """A setting of ``ModelConfig`` in which the weights were trained and which the model does not have."""

    name: str
    theirs: object
    ours: object


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
    other_settings: tuple[OtherSetting, ...]

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
        lines += [f"trained with model.{s.name} = {s.theirs}, here {s.ours}" for s in self.other_settings]
        if "Detectron" in self.source and any(s.name in INPUT_SETTINGS for s in self.other_settings):
            lines.append(f"--recipe {DETECTRON} sees images, anchors and RoIs as these weights did")
        return "\n".join(lines)


def load_pretrained(model: MaskRCNN, path: Path, classes: Sequence[str]) -> LoadReport:
    """Start a model from a file of weights.

    Parameters are taken where name and shape agree. In addition the rows of classes of the same name (COCO's by
    ``Coco.class_map``) are carried over, and in a head behind a block that the file does not have the inputs that the
    block appends start at zero, so that the model starts as it would without its blocks.

    Args:
        model: on any device; changed in place.
        path: a file as ``read_weights`` takes it.
        classes: the model's classes without the background: class i of the network is ``classes[i - 1]``.

    Raises:
        InputError: the file cannot be read (``read_weights``) or holds NaN or infinity; nothing in it fits; it is a run
            whose network differs in more than its blocks and classes, naming the settings.
    """
    weights = read_weights(path, model.config)
    require_finite(weights.tensors, path)
    own = model.state_dict()
    rows = _matching_rows(weights.classes, classes)
    loaded = fitting(own, weights.tensors, model.config, rows)
    other = tuple(_other_settings(weights.config, model.config))
    _require_enough(own, loaded, weights, other, path)
    model.load_state_dict(own | loaded)
    carried = [name for i, name in enumerate(classes, start=1) if i in rows and PREDICTORS & loaded.keys()]
    return LoadReport(
        path, weights.source, tuple(loaded), tuple(n for n in own if n not in loaded),
        tuple(n for n in weights.tensors if n not in loaded), tuple(carried), other,
    )  # fmt: skip


def _require_enough(
    own: Mapping[str, Tensor], loaded: Mapping[str, Tensor], weights: Weights, other: Sequence[OtherSetting], path: Path
) -> None:
    """Refuse a file of which nothing fits, and a run of which anything but blocks and rows of classes does not."""
    told = settings_of(own).keys() - {"nl_heads", "nl_embedding", "nl_g"}
    differing = [setting for setting in other if setting.name in told]
    free = {name for name in own if ".block." in name or name in PREDICTORS}
    lost = [name for name in own if name not in loaded and name not in free]
    if loaded and not (weights.is_run and (differing or lost)):
        return
    if differing:
        found = "weights of " + ", ".join(f"model.{setting.name} = {setting.theirs}" for setting in differing)
        expected = ", ".join(f"model.{setting.name} = {setting.ours}" for setting in differing)
    else:
        found = f"no tensor that fits {lost[0]}, but {', '.join([*weights.tensors][:3]) or 'none at all'}"
        expected = "weights of this network"
    fix = "Set the recipe to the weights' settings with -o, or name other weights."
    raise InputError(path, found=found, expected=expected, fix=fix)


def _matching_rows(theirs: Sequence[str] | None, ours: Sequence[str]) -> dict[int, int]:
    """Our row -> the file's row of the same class, the background included; empty where its classes are not known."""
    if theirs is None:
        return {}
    known = {name: row for row, name in enumerate(theirs) if name}
    return {row: known[name] for row, name in enumerate(("background", *ours)) if name in known}


def _other_settings(trained: ModelConfig, ours: ModelConfig) -> list[OtherSetting]:
    pairs = {field.name: (getattr(trained, field.name), getattr(ours, field.name)) for field in fields(ModelConfig)}
    return [OtherSetting(name, theirs, mine) for name, (theirs, mine) in pairs.items() if theirs != mine]
