"""Which values of a recipe's settings have a meaning; their types are ``robsub.config``'s matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, isfinite
from pathlib import Path

from dataset_adapters.problems import InputError
from robsub.recipe import ModelConfig, Recipe, TrainConfig

LIMITS: tuple[tuple[str, Callable[[float], bool], str], ...] = (
    (
        "model.layers model.width model.norm_groups model.fpn_channels model.anchor_sizes model.canonical_scale "
        "model.box_fc model.mask_convs model.nl_embedding model.nl_g model.rpn_pre_nms model.rpn_post_nms "
        "model.rpn_batch model.roi_batch model.min_size model.max_size model.image_std inference.nms_sigma "
        "inference.voting_beta inference.detections_per_image inference.sizes train.iterations train.batch_size "
        "train.accumulate train.shorter_sides train.bias_rate train.checkpoint_every train.keep_checkpoints "
        "train.log_every",
        lambda value: 0 < value < inf,
        "above 0",
    ),
    (
        "model.box_convs train.max_broken train.weights train.learning_rate train.steps train.step_rates "
        "train.warmup_iterations train.weight_decay train.clip_norm train.workers train.time_budget_s "
        "train.validate_every train.validate_images",
        lambda value: 0 <= value < inf,
        "0 or more",
    ),
    ("train.temperature", lambda value: value > 0, "above 0"),
    ("train.seed", lambda value: 0 <= value < 2**63, "from 0 to 2^63 - 1"),
    ("train.freeze_stages", lambda value: 0 <= value <= 5, "from 0 to 5: the stem and four stages"),
    ("train.momentum train.ema", lambda value: 0 <= value < 1, "from 0 and below 1"),
    ("model.stem_kernel", lambda value: value > 0 and value % 2 == 1, "odd and above 0"),
    ("model.image_mean", isfinite, "finite"),
    (
        "inference.score_threshold inference.nms_threshold inference.voting_threshold train.flip train.warmup_factor",
        lambda value: 0 <= value <= 1,
        "from 0 to 1",
    ),
    ("inference.mask_threshold", lambda value: 0 < value <= 1, "above 0 and at most 1"),
)
"""Settings, what must be true of each of their numbers, and that in words."""


def require_limits(recipe: Recipe, source: str | Path) -> None:
    """Refuse numbers that have no meaning, and settings that contradict each other.

    Raises:
        InputError: names the first such setting, and ``source``.
    """
    values: Mapping[str, Mapping[str, object]] = {
        part: vars(getattr(recipe, part)) for part in ("model", "train", "inference")
    }
    for names, holds, words in LIMITS:
        for name in names.split():
            part, _, field = name.partition(".")
            value = values[part][field]
            numbers = value if isinstance(value, tuple) else (value,)
            if not all(map(holds, numbers)):
                raise _unfit(source, name, value, words if numbers is not value else f"numbers, each {words}")
    _require_whole_groups(recipe.model, source)
    _require_heads(recipe.model, source)
    _require_data_sets(recipe.train, source)
    _require_steps(recipe.train, source)
    if recipe.train.freeze_stages and not recipe.train.init:
        raise _unfit(
            source,
            "train.freeze_stages",
            recipe.train.freeze_stages,
            "0, for random weights must learn, or a train.init",
        )


def require_name(recipe: Recipe, source: str | Path) -> None:
    """Refuse a name that is no folder's name: a recipe is trained in ``runs/<name>``, where predict looks for it.

    Raises:
        InputError: the name leads elsewhere or cannot be written; names ``source``.
    """
    name = recipe.name
    if name in ("", ".", "..") or "/" in name or "\\" in name or not name.isprintable():
        raise InputError(
            source, found=f"name = {name!r}", expected="one name of a folder, such as 'mine'",
            fix="Choose another name; --out puts the run anywhere.",
        )  # fmt: skip


def _require_whole_groups(config: ModelConfig, source: str | Path) -> None:
    """GroupNorm's groups are equally large; the stages' channels are multiples of the stem's."""
    for name in ("width", "fpn_channels"):
        channels = getattr(config, name)
        if channels % config.norm_groups:
            raise _unfit(source, "model.norm_groups", config.norm_groups, f"a divisor of model.{name} = {channels}")


def _require_heads(config: ModelConfig, source: str | Path) -> None:
    """One spelling for one network."""
    if list(config.nl_heads) != sorted(set(config.nl_heads)):
        raise _unfit(source, "model.nl_heads", list(config.nl_heads), "box, mask, both in this order, or none")


def _require_data_sets(config: TrainConfig, source: str | Path) -> None:
    """Each once, and each with its weight."""
    names, weights = config.datasets, list(config.weights)
    if not names or len(set(names)) < len(names):
        raise _unfit(source, "train.datasets", list(names), "one data set or more, each once")
    if (weights or config.sampling == "weights") and (len(weights) != len(names) or not any(weights)):
        raise _unfit(source, "train.weights", weights, f"a weight for each of {', '.join(names)}, not all 0")


def _require_steps(config: TrainConfig, source: str | Path) -> None:
    """The steps in their order, each with its rate."""
    if list(config.steps) != sorted(config.steps):
        raise _unfit(source, "train.steps", list(config.steps), "iterations in ascending order")
    if len(config.step_rates) != len(config.steps):
        raise _unfit(
            source, "train.step_rates", list(config.step_rates), f"a rate for each of the {len(config.steps)} steps"
        )


def _unfit(source: str | Path, name: str, value: object, expected: str) -> InputError:
    return InputError(source, found=f"{name} = {value}", expected=expected, fix=f"Set it with -o {name}=...")
