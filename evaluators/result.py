"""The result of an evaluation: the numbers, and with them the protocol and the image counts they hold for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.labels import LabelTable
from dataset_adapters.problems import InputError
from evaluators.matching import ImageMatches
from evaluators.pooling import Pool
from evaluators.protocol import ALL, AP, AP50, Metric, Protocol

if TYPE_CHECKING:
    import pandas as pd

MEAN = "mean"
"""The last row of every table."""

NEGATIVE = "negative"
NEGATIVE_SCORES = (0.5, 0.9)
"""Scores at which false positives on negative frames are counted: where there is no object, AP is undefined."""

NegativeAp = Literal["hazards", "negative"]
NEG_AP = replace(AP, name="NegAP")
NEG_AP_NOTES: dict[NegativeAp, str] = {
    "hazards": "NegAP is the AP on frames with a visual hazard (low or high) and on negative frames, "
    "as the caption of Table 1 of arXiv:1807.05361 has it.",
    "negative": "NegAP is the AP on WildDash's own negative frames alone.",
}

Values = Mapping[str, float | None]
"""Metric name -> value; None (JSON null) where it is undefined, for want of any object to be found."""


@dataclass(frozen=True)
class EvaluationResult:
    """What one evaluation found. All AP are fractions.

    Attributes:
        benchmark: name of the data set.
        split: its part.
        protocol: name of the protocol.
        images: images that were evaluated.
        images_expected: images that the split should have.
        metrics: metric -> mean over the classes.
        classes: class -> metric -> value, in the order of the label table.
        frame_sets: named set of frames -> AP, AP50, its number of ``images``, and for ``negative`` the mean number of
            false positives per image, ``FP@<score>``; None where it is undefined.
        provenance: what made it, e.g. versions and digests.
        notes: what a reader has to know: why a metric is absent, which reading of a definition was taken.
        pool: the matches, for curves; None for a result that was read back.
    """

    benchmark: str
    split: str
    protocol: str
    images: int
    images_expected: int
    metrics: Values
    classes: Mapping[str, Values]
    frame_sets: Mapping[str, Values] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    pool: Pool | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """The result as plain JSON values; ``frame_sets`` and ``notes`` only when there are any."""
        data: dict[str, Any] = {
            "benchmark": self.benchmark,
            "split": self.split,
            "protocol": self.protocol,
            "images": self.images,
            "images_expected": self.images_expected,
            "metrics": dict(self.metrics),
            "classes": {name: dict(values) for name, values in self.classes.items()},
        }
        if self.frame_sets:
            data["frame_sets"] = {name: dict(values) for name, values in self.frame_sets.items()}
        data["provenance"] = dict(self.provenance)
        if self.notes:
            data["notes"] = list(self.notes)
        return data

    @classmethod
    def from_json(cls, data: Any, source: str = "result") -> EvaluationResult:
        """Read what ``to_json`` gave.

        Args:
            data: decoded JSON.
            source: name of the file, for the error.

        Raises:
            InputError: not such a result.
        """
        try:
            return cls(
                benchmark=str(data["benchmark"]),
                split=str(data["split"]),
                protocol=str(data["protocol"]),
                images=int(data["images"]),
                images_expected=int(data["images_expected"]),
                metrics=_values(data["metrics"]),
                classes={name: _values(values) for name, values in data["classes"].items()},
                frame_sets={name: _values(values) for name, values in data.get("frame_sets", {}).items()},
                provenance={str(k): str(v) for k, v in data.get("provenance", {}).items()},
                notes=tuple(map(str, data.get("notes", ()))),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                source, found=f"no evaluation result ({type(error).__name__}: {error})",
                expected="the JSON that 'robsub evaluate --json' writes", fix="Evaluate again and name that file.",
            ) from error  # fmt: skip

    def to_frame(self) -> pd.DataFrame:
        """One row per class and ``mean`` last, one column per metric, fractions; NaN where undefined."""
        import pandas as pd

        rows = {**self.classes, MEAN: self.metrics}
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(self.metrics), dtype=float)

    def table(self) -> str:
        """The same as plain text in per cent, below a line that says what the numbers hold for."""
        rows = {**self.classes, MEAN: self.metrics}
        width = max(map(len, rows))
        columns = {name: max(len(name), len("100.0")) for name in self.metrics}
        lines = [
            f"{self.benchmark} {self.split}, protocol {self.protocol}, images {self.images} of {self.images_expected}",
            "  ".join([" " * width, *(f"{name:>{size}}" for name, size in columns.items())]),
        ]
        for row, values in rows.items():
            cells = (f"{percent(values.get(name)):>{size}}" for name, size in columns.items())
            lines.append("  ".join([f"{row:<{width}}", *cells]))
        return "\n".join(lines)


def percent(value: float | None) -> str:
    """A fraction in per cent with one decimal, ``-`` where it is undefined."""
    return "-" if value is None else f"{100 * value:.1f}"


def _values(data: Mapping[str, float | None]) -> dict[str, float | None]:
    for name, value in data.items():
        if not isinstance(value, int | float | None):
            raise TypeError(f"{name} is {value!r}")
    return dict(data)


def summarise(
    protocol: Protocol,
    labels: LabelTable,
    matches: Iterable[ImageMatches],
    *,
    benchmark: str,
    split: str,
    images_expected: int,
    frame_sets: Mapping[str, frozenset[str]] = MappingProxyType({}),
    provenance: Mapping[str, str] = MappingProxyType({}),
    notes: Sequence[str] = (),
    neg_ap: NegativeAp = "hazards",
) -> EvaluationResult:
    """Reduce the matches of any number of images, in any order, to the benchmark's numbers.

    Args:
        protocol, labels: those that the images were matched with.
        matches: one for each image.
        benchmark, split: names of the data set and its part.
        images_expected: images that the split should have.
        frame_sets: frame name -> the named sets it belongs to; ``negative`` and ``<hazard>/<none|low|high>`` have a
            meaning for NegAP.
        provenance, notes: passed on; own notes follow.
        neg_ap: which frames NegAP looks at. ``hazards``: those with a hazard, low or high, and the negative ones
            ("images with visual hazards", arXiv:1807.05361 Table 1). ``negative``: WildDash's negative frames alone.

    Raises:
        ValueError: an image is there twice.
    """
    images = list(matches)
    pool = Pool.of(protocol, labels, images)
    metrics, own_notes = _computable(protocol, images)
    rows = _averages(protocol, labels, metrics, pool)
    if protocol.negative_ap and frame_sets:
        on_negative = _averages(protocol, labels, (NEG_AP,), pool.subset(_negative_frames(frame_sets, neg_ap)))
        rows = {name: {**values, **on_negative[name]} for name, values in rows.items()}
    if protocol.negative_ap:
        own_notes.append(NEG_AP_NOTES[neg_ap] if frame_sets else "NegAP is absent: the frame sets are not known.")
    return EvaluationResult(
        benchmark=benchmark,
        split=split,
        protocol=protocol.name,
        images=len(images),
        images_expected=images_expected,
        metrics=rows.pop(MEAN),
        classes=rows,
        frame_sets=_frame_set_values(protocol, labels, pool, frame_sets),
        provenance=dict(provenance),
        notes=(*notes, *own_notes),
        pool=pool,
    )


def _computable(protocol: Protocol, images: Sequence[ImageMatches]) -> tuple[list[Metric], list[str]]:
    """The metrics that the ground truth allows, and a note on those that it does not."""
    with_objects = [image for image in images if image.has_distances is not None]
    lacking = sorted(image.frame for image in with_objects if not image.has_distances)
    if with_objects and not lacking:
        return list(protocol.metrics), []
    computable = [metric for metric in protocol.metrics if metric.mode == ALL.name]
    absent = [metric.name for metric in protocol.metrics if metric not in computable]
    if not absent:
        return computable, []
    which = f"{len(lacking)} of {len(with_objects)} images with objects have no distances"
    example = f", for example {lacking[0]}" if lacking else ""
    return computable, [f"{', '.join(absent)} are absent: {which}{example}."]


def _averages(
    protocol: Protocol, labels: LabelTable, metrics: Sequence[Metric], pool: Pool
) -> dict[str, dict[str, float | None]]:
    """Class -> metric -> value, and the mean over all classes and overlaps as the last row."""
    aps = pool.average_precisions()
    cells = {metric.name: _select(protocol, metric, aps) for metric in metrics}
    rows = {
        label.name: {name: _mean(values[i]) for name, values in cells.items()}
        for i, label in enumerate(labels.evaluated)
    }
    return {**rows, MEAN: {name: _mean(values) for name, values in cells.items()}}


def _select(protocol: Protocol, metric: Metric, aps: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C, overlaps of the metric) out of (M, C, T)."""
    at = slice(None) if metric.overlap is None else [protocol.overlap_index(metric.overlap)]
    selected: NDArray[np.float64] = aps[protocol.mode_index(metric.mode)][:, at]
    return selected


def _mean(values: NDArray[np.float64]) -> float | None:
    return None if np.isnan(values).all() else float(np.nanmean(values))


def _frame_set_values(
    protocol: Protocol, labels: LabelTable, pool: Pool, frame_sets: Mapping[str, frozenset[str]]
) -> dict[str, dict[str, float | None]]:
    """The same numbers on each named set, in name order."""
    values = {}
    for name in sorted(set().union(*frame_sets.values())):
        subset = pool.subset({frame for frame, sets in frame_sets.items() if name in sets})
        row = _averages(protocol, labels, (AP, AP50), subset)[MEAN] | {"images": len(subset.frames)}
        if name == NEGATIVE:
            row |= {f"FP@{score}": subset.false_positives_per_image(score) for score in NEGATIVE_SCORES}
        values[name] = row
    return values


def _negative_frames(frame_sets: Mapping[str, frozenset[str]], reading: NegativeAp) -> set[str]:
    hazards = ("/low", "/high") if reading == "hazards" else ()
    return {frame for frame, sets in frame_sets.items() if any(s == NEGATIVE or s.endswith(hazards) for s in sets)}
