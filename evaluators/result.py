"""The result of an evaluation: the numbers, and with them the protocol and the image counts they hold for."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dataset_adapters.json_files import UNFIT
from dataset_adapters.problems import InputError
from evaluators.bootstrap import LEVEL, Interval
from evaluators.error_weights import ErrorWeight
from evaluators.pooling import MEAN, Pool
from evaluators.styles import render_result

if TYPE_CHECKING:
    import pandas as pd

Values = Mapping[str, float | None]
"""Metric name -> value; None (JSON null) where it is undefined, for want of any object to be found."""

NOT_DEFAULT: Final = "is not the default"
"""Stands in those notes of a result that a table of several must tell."""


@dataclass(frozen=True)
class EvaluationResult:
    """What one evaluation found. All AP are fractions.

    Attributes:
        benchmark: name of the data set.
        split: its part.
        protocol: name of the protocol.
        images: images that were evaluated.
        images_expected: images that the split should have.
        images_missing: how many of the images have no predictions and count as empty.
        metrics: metric -> mean over the classes.
        classes: class -> metric -> value, in the order of the label table.
        frame_sets: named set of frames -> AP, AP50, its number of ``images``, for ``negative`` the mean number of false
            positives per image, ``FP@<score>``, and where any image is missing its number of ``images_missing``; None
            where it is undefined.
        intervals: metric -> the bounds of its 95 % interval over images, for the mean; empty if none were asked for.
        resamples: how many resamples the intervals come from.
        errors: TIDE's short name of a kind of error -> its count and weight; empty for a result that lacks them.
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
    images_missing: int = 0
    frame_sets: Mapping[str, Values] = field(default_factory=dict)
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    resamples: int = 0
    errors: Mapping[str, ErrorWeight] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    pool: Pool | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """The result as plain JSON values; what is empty is left out, but for the numbers and the provenance."""
        data: dict[str, Any] = {
            "benchmark": self.benchmark,
            "split": self.split,
            "protocol": self.protocol,
            "images": self.images,
            "images_expected": self.images_expected,
            "metrics": dict(self.metrics),
            "classes": {name: dict(values) for name, values in self.classes.items()},
        }
        if self.images_missing:
            data["images_missing"] = self.images_missing
        if self.frame_sets:
            data["frame_sets"] = {name: dict(values) for name, values in self.frame_sets.items()}
        if self.intervals:
            data["intervals"] = {"level": LEVEL, "resamples": self.resamples, "metrics": _lists(self.intervals)}
        if self.errors:
            data["errors"] = {name: asdict(weight) for name, weight in self.errors.items()}
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
            intervals = data.get("intervals", {})
            return cls(
                benchmark=str(data["benchmark"]),
                split=str(data["split"]),
                protocol=str(data["protocol"]),
                images=_count("images", data["images"]),
                images_expected=_count("images_expected", data["images_expected"]),
                metrics=_values("metrics", data["metrics"]),
                classes={name: _values(name, values) for name, values in data["classes"].items()},
                frame_sets={name: _values(name, values) for name, values in data.get("frame_sets", {}).items()},
                images_missing=_count("images_missing", data.get("images_missing", 0)),
                intervals={name: _interval(name, pair) for name, pair in intervals.get("metrics", {}).items()},
                resamples=_count("resamples", intervals.get("resamples", 0)),
                errors={name: _weight(name, weight) for name, weight in data.get("errors", {}).items()},
                provenance={str(k): str(v) for k, v in data.get("provenance", {}).items()},
                notes=tuple(map(str, data.get("notes", ()))),
            )
        except UNFIT as error:
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
        return render_result(self, "text")

    def text(self) -> str:
        """All that a console shows: the table, the frame sets, the errors, the intervals, the notes, the provenance."""
        return render_result(self, "console")

    def to_csv(self) -> str:
        """One line per class, ``mean``, and one per frame set, fractions; protocol, counts and provenance on each."""
        return render_result(self, "csv")

    def to_markdown(self) -> str:
        """Markdown tables in per cent; protocol, counts, provenance and all remarks stand below."""
        return render_result(self, "markdown")

    def to_latex(self) -> str:
        """booktabs tables in per cent, with protocol and counts as their last row, and the rest as comments."""
        return render_result(self, "latex")


def _values(where: str, data: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else _number(f"{where}: {name}", value) for name, value in data.items()}


def _number(name: str, value: Any) -> float:
    """A number as JSON has it; NaN, infinity and what is too large for a float are none."""
    if not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise _unfit(name, value, "a number")
    return value


def _count(name: str, value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value <= sys.maxsize:
        raise _unfit(name, value, "a count")
    return value


def _interval(name: str, bounds: Any) -> Interval:
    if not isinstance(bounds, list) or len(bounds) != 2:
        raise _unfit(f"intervals: {name}", bounds, "two bounds")
    return _number(f"intervals: {name}", bounds[0]), _number(f"intervals: {name}", bounds[1])


def _weight(name: str, data: Mapping[str, Any]) -> ErrorWeight:
    gain = data["gain"]
    return ErrorWeight(_count(f"errors: {name}", data["count"]), None if gain is None else _number(name, gain))


def _unfit(name: str, value: Any, wanted: str) -> TypeError:
    return TypeError(f"{name} is {value!r:.40}, not {wanted}")


def _lists(intervals: Mapping[str, Interval]) -> dict[str, list[float]]:
    return {name: list(bounds) for name, bounds in intervals.items()}
