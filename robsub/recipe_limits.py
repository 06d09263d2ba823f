"""Which values of a recipe's settings have a meaning; their types are ``robsub.config``'s matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, isfinite
from pathlib import Path

from dataset_adapters.problems import InputError
from robsub.recipe import ModelConfig, Recipe

LIMITS: tuple[tuple[str, Callable[[float], bool], str], ...] = (
    (
        "model.layers model.width model.norm_groups model.fpn_channels model.anchor_sizes model.canonical_scale "
        "model.box_fc model.mask_convs model.nl_embedding model.nl_g model.rpn_pre_nms model.rpn_post_nms "
        "model.rpn_batch model.roi_batch model.min_size model.max_size model.image_std inference.nms_sigma "
        "inference.voting_beta inference.detections_per_image inference.sizes",
        lambda value: 0 < value < inf,
        "above 0",
    ),
    ("model.box_convs", lambda value: value >= 0, "0 or more"),
    ("model.stem_kernel", lambda value: value > 0 and value % 2 == 1, "odd and above 0"),
    ("model.image_mean", isfinite, "finite"),
    (
        "inference.score_threshold inference.nms_threshold inference.voting_threshold",
        lambda value: 0 <= value <= 1,
        "from 0 to 1",
    ),
    ("inference.mask_threshold", lambda value: 0 < value <= 1, "above 0 and at most 1"),
)
"""Settings, what must be true of each of their numbers, and that in words."""


def require_limits(recipe: Recipe, source: str | Path) -> None:
    """Refuse numbers of the model and of its inference that have no meaning.

    Raises:
        InputError: names the first such setting, and ``source``.
    """
    values: Mapping[str, Mapping[str, object]] = {"model": vars(recipe.model), "inference": vars(recipe.inference)}
    for names, holds, words in LIMITS:
        for name in names.split():
            part, _, field = name.partition(".")
            value = values[part][field]
            numbers = value if isinstance(value, tuple) else (value,)
            if not all(map(holds, numbers)):
                raise _unfit(source, name, value, words if numbers is not value else f"numbers, each {words}")
    _require_whole_groups(recipe.model, source)


def _require_whole_groups(config: ModelConfig, source: str | Path) -> None:
    """GroupNorm's groups are equally large; the stages' channels are multiples of the stem's."""
    for name in ("width", "fpn_channels"):
        channels = getattr(config, name)
        if channels % config.norm_groups:
            raise _unfit(source, "model.norm_groups", config.norm_groups, f"a divisor of model.{name} = {channels}")


def _unfit(source: str | Path, name: str, value: object, expected: str) -> InputError:
    return InputError(source, found=f"{name} = {value}", expected=expected, fix=f"Set it with -o {name}=...")
