"""One declaration of what a result shows: its table, its frame sets, and the remarks that no number travels without.

``evaluators/styles.py`` writes them as console text, CSV, Markdown and LaTeX.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evaluators.errors import DESCRIPTIONS
from evaluators.pooling import MEAN
from evaluators.protocol import UNOFFICIAL

if TYPE_CHECKING:
    from evaluators.result import EvaluationResult

IMAGES, IMAGES_MISSING = "images", "images_missing"
"""The columns that count a frame set's images, and those of them without predictions."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its name, and a value for every column; None where it is undefined."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Named rows of the same columns.

    Attributes:
        columns: the metrics, in order; those that are no number of the benchmark's own bear a star.
        rows: the classes and the mean as the last, or the frame sets.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def cells(self, corner: str = "") -> list[list[str]]:
        """All as text, the head first: fractions in per cent with one decimal, counts of images whole."""
        rows = [
            [row.name, *(shown(*pair, percent) for pair in zip(self.columns, row.values, strict=True))]
            for row in self.rows
        ]
        return [[corner, *self.columns], *rows]


@dataclass(frozen=True, slots=True)
class Table:
    """What every style is made of.

    Attributes:
        title: what the numbers hold for.
        classes: the classes and the mean.
        frame_sets: the frame sets; without rows where there are none.
        errors: TIDE's kinds of errors as (name, count, gain, meaning), the head first; empty where they are unknown.
        footnotes: those of the notes that explain a star.
        remarks: sentences: what holds of negative frames, the intervals, the notes.
        facts: name -> value, what a number must not travel without.
        provenance: what made the numbers, on one line.
    """

    title: str
    classes: Grid
    frame_sets: Grid
    errors: tuple[tuple[str, str, str, str], ...]
    footnotes: tuple[str, ...]
    remarks: tuple[str, ...]
    facts: dict[str, str]
    provenance: str


def table_of(result: EvaluationResult) -> Table:
    """The table of a result."""
    missing = f", {result.images_missing} of them without predictions" if result.images_missing else ""
    return Table(
        title=f"{result.benchmark} {result.split}, protocol {result.protocol}, "
        f"images {result.images} of {result.images_expected}{missing}",
        classes=_grid(result.metrics, {**result.classes, MEAN: result.metrics}),
        frame_sets=_grid(("AP", "AP50", IMAGES, *[IMAGES_MISSING] * bool(missing)), result.frame_sets),
        errors=_errors(result),
        footnotes=tuple(note for note in result.notes if note.startswith(tuple(map(marked, UNOFFICIAL)))),
        remarks=(*_negative(result), *_intervals(result), *(f"note: {note}" for note in result.notes)),
        facts={
            "benchmark": result.benchmark,
            "split": result.split,
            "protocol": result.protocol,
            IMAGES: str(result.images),
            "images_expected": str(result.images_expected),
            IMAGES_MISSING: str(result.images_missing),
        },
        provenance=" ".join(f"{name}={value}" for name, value in result.provenance.items()),
    )


def marked(metric: str) -> str:
    """The metric's name, with a star if it is no number of the benchmark's own program."""
    return f"{metric}*" if metric in UNOFFICIAL else metric


def percent(value: float | None) -> str:
    """A fraction in per cent with one decimal, ``-`` where it is undefined."""
    return "-" if value is None else f"{100 * value:.1f}"


def aligned(rows: Sequence[Sequence[str]], least: int = len("100.0")) -> list[str]:
    """Columns of equal width, the first to the left and the others to the right."""
    widths = [max(len(row[0]) for row in rows)] + [
        max(least, *(len(row[i]) for row in rows)) for i in range(1, len(rows[0]))
    ]
    return [
        "  ".join([f"{row[0]:<{widths[0]}}", *(f"{cell:>{w}}" for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]


def _grid(columns: Iterable[str], rows: Mapping[str, Mapping[str, float | None]]) -> Grid:
    names = tuple(columns)
    return Grid(
        tuple(map(marked, names)),
        tuple(Row(name, tuple(values.get(column) for column in names)) for name, values in rows.items()),
    )


def shown(column: str, value: float | None, otherwise: Callable[[float | None], str]) -> str:
    """A count of images as a whole number, any other value as ``otherwise`` shows it."""
    return f"{value:.0f}" if column in (IMAGES, IMAGES_MISSING) and value is not None else otherwise(value)


def _errors(result: EvaluationResult) -> tuple[tuple[str, str, str, str], ...]:
    if not any(weight.count for weight in result.errors.values()):
        return ()
    meanings = dict(DESCRIPTIONS.values())
    rows = [
        (name, str(weight.count), f"+{percent(weight.gain)}" if weight.gain else percent(weight.gain), meanings[name])
        for name, weight in result.errors.items()
    ]
    return (("", "count", "gain", ""), *rows)


def _negative(result: EvaluationResult) -> list[str]:
    """What AP cannot say of frames without objects, beside what it says."""
    row = result.frame_sets.get("negative", {})
    rates = [f"{name} {value:.2f}" for name, value in row.items() if name.startswith("FP@") and value is not None]
    if not rates:
        return []
    neg_ap = f"NegAP {percent(result.metrics['NegAP'])}; " if "NegAP" in result.metrics else ""
    return [f"{neg_ap}false positives per negative frame: {', '.join(rates)}"]


def _intervals(result: EvaluationResult) -> list[str]:
    spans = [f"{marked(name)} {percent(low)} to {percent(high)}" for name, (low, high) in result.intervals.items()]
    return [f"95 % intervals over images, {result.resamples} resamples: {', '.join(spans)}"] if spans else []
