"""Choices of a reader of ground truth; the defaults are right for the data sets as they are downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dataset_adapters.annotations.distances import DistanceFormula


@dataclass(frozen=True)
class Options:
    """What a user may choose; each adapter takes what concerns it.

    Attributes:
        cache: folder that keeps ground truth as RLE (``annotations.cache``); None reads the files every time.
        profiles: data set -> the profile of it that is forced instead of recognised: ``scannet`` has ``v2`` and
            ``rob2018``, ``wilddash`` has ``v1`` and ``v2``, ``ade20k`` has ``2021``, ``2016`` and ``places``.
        frame_sets: WildDash's table of negatives and hazards; None looks for ``frame_sets.csv`` among the data.
        distance: how Cityscapes' distances are computed.
    """

    cache: Path | None = None
    profiles: Mapping[str, str] = field(default_factory=dict)
    frame_sets: Path | None = None
    distance: DistanceFormula = field(default_factory=DistanceFormula)
