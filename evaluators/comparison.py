"""Is B better than A? The paired bootstrap: both are evaluated on the same resamples of the same images.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapters 8 and 13. What makes an image hard
makes it hard for both, so the interval of the difference is much narrower than those of the two numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evaluators.bootstrap import LEVEL, Resampling, interval, resampled_means
from evaluators.pooling import MEAN, Pool
from evaluators.protocol import Metric
from evaluators.tables import aligned, marked, percent


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of two results; all but ``b_better`` are fractions of AP.

    Attributes:
        a, b: the two values.
        difference: b - a.
        low, high: bounds of the difference's 95 % interval.
        b_better: share of the resamples in which b is greater, ties counting half.
    """

    a: float
    b: float
    difference: float
    low: float
    high: float
    b_better: float

    @property
    def is_clear(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Comparison:
    """Two results on the same images.

    Attributes:
        benchmark, split, protocol: what both are of.
        images: on how many images.
        images_expected: images that the split should have.
        images_missing: for A and B, how many of the images have no predictions and count as empty.
        resamples: how many resamples the intervals come from.
        metrics: metric -> its difference; metrics without a value are left out.
        provenance: name -> value for A and B.
        notes: what a reader has to know of ``A``, of ``B``, and of ``both``.
    """

    benchmark: str
    split: str
    protocol: str
    images: int
    images_expected: int
    images_missing: dict[str, int]
    resamples: int
    metrics: dict[str, Difference]
    provenance: dict[str, dict[str, str]]
    notes: dict[str, list[str]]

    def to_json(self) -> dict[str, Any]:
        """The comparison as plain JSON values."""
        return {**asdict(self), "level": LEVEL}

    def text(self) -> str:
        """A table in per cent, and in words what is clear."""
        rows = [
            [marked(name), percent(d.a), percent(d.b), *(f"{100 * v:+.1f}" for v in (d.difference, d.low, d.high)),
             percent(d.b_better), "" if not d.is_clear else "B is better" if d.difference > 0 else "A is better"]
            for name, d in self.metrics.items()
        ]  # fmt: skip
        head = ["", "A", "B", "B - A", "low", "high", "B wins", "clear"]
        title = f"{self.benchmark} {self.split}, protocol {self.protocol}, the same {self.images} images"
        title += f" of {self.images_expected}{self._missing()}"
        note = f"low, high: 95 % interval of the difference; B wins: share of {self.resamples} resamples of the images"
        remarks = [f"note on {of}: {remark}" for of, remarks in self.notes.items() for remark in remarks]
        return "\n".join([title, *aligned([head, *rows]), note, *remarks])

    def _missing(self) -> str:
        if not any(self.images_missing.values()):
            return ""
        return f"; without predictions: {', '.join(f'{n} in {name}' for name, n in self.images_missing.items())}"


def compare_pools(a: Pool, b: Pool, metrics: Sequence[Metric], resampling: Resampling) -> dict[str, Difference]:
    """Metric -> difference of two pools of the same images by the same protocol."""
    draws = resampling.draws(len(a.images))
    values = [pool.table(metrics)[MEAN] for pool in (a, b)]
    samples = [resampled_means(pool, metrics, draws) for pool in (a, b)]
    differences = {}
    for name, value_a in values[0].items():
        value_b, spread = values[1][name], samples[1][name] - samples[0][name]
        if value_a is None or value_b is None or np.isnan(spread).all():
            continue
        spread = spread[~np.isnan(spread)]
        low, high = interval(spread)
        wins = float(np.mean((spread > 0) + 0.5 * (spread == 0)))
        differences[name] = Difference(value_a, value_b, value_b - value_a, low, high, wins)
    return differences
