"""A recipe: every number of a model, of its training and of its inference, as frozen dataclasses read from TOML.

No torch here: the command line reads recipes before it knows whether torch is needed.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from dataset_adapters.problems import InputError

RECIPES = Path(__file__).with_name("recipes")
"""The recipes that come with robsub, ``<name>.toml``."""


@dataclass(frozen=True)
class ModelConfig:
    """The network. The defaults are the paper's: ResNet-50 FPN with group norm and the block before both heads."""

    block: Literal["bottleneck", "basic"] = "bottleneck"
    """Residual block of the backbone."""
    layers: tuple[int, ...] = (3, 4, 6, 3)
    """Residual blocks in each of the four stages."""
    width: int = 64
    """Channels of the stem; the stages have 1, 2, 4 and 8 times as many, bottlenecks 4 times that."""
    stem_kernel: int = 7
    """Side of the stem's convolution, of stride 2; 3 is faster on small images."""
    norm_groups: int = 32
    """Groups of every GroupNorm."""
    fpn_channels: int = 256
    """Channels of every pyramid level."""
    anchor_sizes: tuple[int, ...] = (32, 64, 128, 256, 512)
    """Anchor side on P2 to P6, pixels of the network's input."""
    canonical_scale: int = 224
    """Box side, pixels of the network's input, that is pooled from P4 (FPN paper, eq. 1)."""
    box_convs: int = 4
    """3x3 convolutions of the box head; 0 gives the plain head of two fully connected layers."""
    box_fc: int = 1024
    """Units of the box head's fully connected layer."""
    mask_convs: int = 4
    """3x3 convolutions of the mask head."""
    nl_heads: tuple[str, ...] = ("box", "mask")
    """Heads that have a Non-Local RoI block in front of them: box, mask, both or none."""
    nl_embedding: int = 64
    """Channels of phi and psi, D_f of the paper."""
    nl_g: int = 64
    """Channels of g, D_g of the paper: how many the block appends to each RoI."""
    nl_scale: Literal["sqrt", "none"] = "sqrt"
    """sqrt divides the correlation by the root of its length; none is the paper's plain product."""
    rpn_pre_nms: tuple[int, int] = (2000, 1000)
    """Proposals kept per level before NMS, in training and in testing."""
    rpn_post_nms: tuple[int, int] = (2000, 1000)
    """Proposals kept per image after NMS, in training and in testing."""
    rpn_batch: int = 256
    """Anchors sampled per image for the RPN's loss."""
    roi_batch: int = 512
    """RoIs sampled per image for the heads' loss."""
    min_size: int = 800
    """Shorter side of the network's input, pixels."""
    max_size: int = 1333
    """Longest side of the network's input, pixels."""
    image_mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """RGB mean subtracted from images in [0, 1]."""
    image_std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    """RGB scale that images in [0, 1] are divided by."""


@dataclass(frozen=True)
class TestConfig:
    """Inference: from the heads' outputs to the final detections (Detectron's box_results_with_nms_and_limit)."""

    score_threshold: float = 0.05
    """Detections at or below it are dropped before NMS."""
    nms: Literal["linear", "gaussian", "hard"] = "linear"
    """Soft-NMS method; hard is ordinary NMS."""
    nms_threshold: float = 0.5
    """IoU from which linear soft-NMS decays and hard NMS suppresses."""
    nms_sigma: float = 0.5
    """Width of Gaussian soft-NMS."""
    voting: Literal["id", "avg", "iou_avg", "generalized_avg", "quasi_sum", "temp_avg", "off"] = "id"
    """Box voting's scoring method; id keeps the scores, off switches voting off."""
    voting_beta: float = 1.0
    """Temperature or exponent of generalized_avg, quasi_sum and temp_avg; at 1 all three are avg."""
    voting_threshold: float = 0.8
    """IoU from which a detection votes."""
    detections_per_image: int = 100
    """Most detections of an image."""
    mask_threshold: float = 0.5
    """Mask probability from which a pixel belongs to the object."""


@dataclass(frozen=True)
class TrainConfig:
    """Training. The defaults are the paper's section 3; what it does not state follows Detectron (docs/training.md)."""

    datasets: tuple[str, ...] = ("cityscapes", "kitti", "wilddash", "scannet", "ade20k")
    """Data sets trained on jointly; those that are not on disk are named and left out."""
    split: Literal["train", "trainval"] = "train"
    """Split of each data set."""
    sampling: Literal["size", "equal"] = "size"
    """Images drawn in proportion to each data set's size, or equally from each."""
    iterations: int = 136_000
    """Length of the run in steps."""
    batch_size: int = 16
    """Images of a step, over all processes."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """SGD with momentum, or AdamW."""
    learning_rate: float = 0.02
    """Rate after the warm-up."""
    schedule: Literal["steps", "cosine"] = "steps"
    """Piecewise constant, or half a cosine down to zero."""
    steps: tuple[int, ...] = (56_000, 76_000, 116_000)
    """Iterations at which the rate changes."""
    step_rates: tuple[float, ...] = (0.01, 1e-3, 1e-4)
    """The rates from those iterations on."""
    warmup_iterations: int = 500
    """Steps of linear warm-up."""
    warmup_factor: float = 1 / 3
    """Share of the rate at the first step."""
    momentum: float = 0.9
    """SGD's momentum."""
    weight_decay: float = 1e-4
    """Weight decay of weights; norm parameters and biases have none."""
    clip_norm: float = 0.0
    """Largest gradient norm; 0 does not clip."""
    flip: float = 0.5
    """Probability of a horizontal flip."""
    seed: int = 0
    """Seed of weights, order and augmentation."""
    workers: int = 2
    """Processes that load data; 0 loads in the training process."""
    time_budget_s: float = 0.0
    """Seconds after which the schedule is at its end although iterations are left; 0 is no budget. With a budget the
    result depends on the machine's speed."""
    checkpoint_every: int = 1000
    """Iterations between checkpoints."""
    log_every: int = 20
    """Iterations between two lines of metrics.jsonl."""


@dataclass(frozen=True)
class Recipe:
    """One whole recipe, as ``robsub train --recipe NAME`` reads it."""

    name: str = "rob2018"
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    test: TestConfig = field(default_factory=TestConfig)


def load_recipe(name: str, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe that comes with robsub, by name, or any other, by path.

    Args:
        name: ``rob2018``, ``demo``, or the path of a TOML file.
        overrides: settings like ``train.batch_size=8`` that win over the file.

    Raises:
        InputError: no such recipe, or a setting that does not exist or has the wrong type.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = sorted(p.stem for p in RECIPES.glob("*.toml"))
        raise InputError(
            name, found="no such recipe", expected=f"one of {', '.join(known)}, or a file",
            fix="Choose one of these, or name a file ending in .toml.",
        )  # fmt: skip
    settings = read_toml(path)
    recipe = recipe_from_dict(settings, path.stem, path)
    for override in overrides:
        _merge(settings, _parse_override(override))
        recipe = recipe_from_dict(settings, path.stem, f"-o {override}")
    return recipe


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        InputError: it is not TOML; names the place.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, found=f"no TOML ({error})", expected="TOML text", fix="Mend that place.") from error


def recipe_from_dict(settings: Mapping[str, Any], name: str, source: str | Path) -> Recipe:
    """A recipe from the parsed TOML or from a checkpoint; what is not said keeps its default.

    Raises:
        InputError: an unknown setting, with the nearest known one, or a wrong type; names ``source``.
    """
    parts = {"model": ModelConfig, "train": TrainConfig, "test": TestConfig}
    for part in settings.keys() - parts.keys() - {"name"}:
        raise unknown_setting(source, part, parts)
    built = {part: _build(kind, settings.get(part, {}), part, source) for part, kind in parts.items()}
    return Recipe(str(settings.get("name", name)), **built)


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """Plain values, the inverse of ``recipe_from_dict``."""
    return asdict(recipe)


def unknown_setting(source: str | Path, name: str, known: Mapping[str, object]) -> InputError:
    """The refusal of a setting that does not exist, with the nearest known one."""
    near = difflib.get_close_matches(name, known, n=1)
    return InputError(
        source, found=f"the unknown setting {name!r}", expected=f"one of {', '.join(known)}",
        fix=f"Did you mean {near[0]!r}?" if near else "Remove it.",
    )  # fmt: skip


Config = TypeVar("Config", ModelConfig, TrainConfig, TestConfig)


def _build(kind: type[Config], settings: Mapping[str, Any], part: str, source: str | Path) -> Config:
    hints = get_type_hints(kind)
    names = {f"{part}.{f.name}": f.name for f in fields(kind)}
    values = {}
    for name, value in settings.items():
        if f"{part}.{name}" not in names:
            raise unknown_setting(source, f"{part}.{name}", names)
        value = tuple(value) if isinstance(value, list) else value
        value = float(value) if hints[name] is float and type(value) is int else value
        if not _fits(value, hints[name]):
            raise InputError(
                source, found=f"{part}.{name} = {value!r}", expected=_describe(hints[name]), fix="Mend that setting."
            )
        values[name] = value
    return kind(**values)


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        if not isinstance(value, tuple):
            return False
        inner = get_args(hint)
        if inner[-1] is Ellipsis:
            return all(_fits(v, inner[0]) for v in value)
        return len(value) == len(inner) and all(map(_fits, value, inner))
    return type(value) is hint or (hint is float and type(value) is int)


def _describe(hint: Any) -> str:
    return f"one of {', '.join(map(str, get_args(hint)))}" if get_origin(hint) is Literal else f"{hint}"


def _parse_override(text: str) -> dict[str, Any]:
    """``train.batch_size=8`` as the nested table that TOML makes of it; a bare word is taken as text."""
    key, equals, value = text.partition("=")
    for candidate in (text, f'{key} = "{value}"') if equals and "." in key else ():
        try:
            return tomllib.loads(candidate)
        except tomllib.TOMLDecodeError:
            continue
    raise InputError(f"-o {text}", found="no setting", expected="PART.NAME=VALUE, e.g. train.batch_size=8", fix="Mend it.")


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
