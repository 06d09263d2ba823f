"""One declaration of a result's columns, and every way to write it: console text, CSV, Markdown, LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evaluators.errors import DESCRIPTIONS
from evaluators.pooling import MEAN

if TYPE_CHECKING:
    from evaluators.result import EvaluationResult

Style = Literal["text", "console", "csv", "markdown", "latex"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its name, and a value for every column; None where it is undefined."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """What every style is made of.

    Attributes:
        title: what the numbers hold for.
        columns: the metrics, in order.
        rows: the classes, and the mean as the last.
        facts: name -> value, what a number must not travel without.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    facts: dict[str, str]


def table_of(result: EvaluationResult) -> Table:
    """The table of a result."""
    columns = tuple(result.metrics)
    rows = {**result.classes, MEAN: result.metrics}
    missing = f", {result.images_missing} of them without predictions" if result.images_missing else ""
    facts = {
        "benchmark": result.benchmark,
        "split": result.split,
        "protocol": result.protocol,
        "images": str(result.images),
        "images_expected": str(result.images_expected),
        "images_missing": str(result.images_missing),
    }
    return Table(
        title=f"{result.benchmark} {result.split}, protocol {result.protocol}, "
        f"images {result.images} of {result.images_expected}{missing}",
        columns=columns,
        rows=tuple(Row(name, tuple(values.get(column) for column in columns)) for name, values in rows.items()),
        facts=facts,
    )


def render_result(result: EvaluationResult, style: Style) -> str:
    """A result in one style; the text of every style but ``text`` carries the provenance or the notes too."""
    table = table_of(result)
    if style == "csv":
        return _csv(table, result)
    if style == "markdown":
        return _markdown(table, result)
    if style == "latex":
        return _latex(table, result)
    lines = aligned([["", *table.columns], *([row.name, *map(percent, row.values)] for row in table.rows)])
    text = "\n".join([table.title, *lines])
    return text if style == "text" else "\n".join([text, *_remarks(result)])


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


def _remarks(result: EvaluationResult) -> list[str]:
    lines = []
    if result.intervals:
        spans = ", ".join(f"{name} {percent(low)} to {percent(high)}" for name, (low, high) in result.intervals.items())
        lines.append(f"95 % intervals over images, {result.resamples} resamples: {spans}")
    if any(weight.count for weight in result.errors.values()):
        meanings = dict(DESCRIPTIONS.values())
        rows = [
            [name, str(weight.count), f"+{percent(weight.gain)}" if weight.gain else percent(weight.gain)]
            for name, weight in result.errors.items()
        ]
        lines += ["", "What AP50 would gain without each kind of error (TIDE):"]
        lines_of_errors = aligned([["", "count", "gain"], *rows])
        lines += [
            lines_of_errors[0],
            *(f"{line}  {meanings[row[0]]}" for line, row in zip(lines_of_errors[1:], rows, strict=True)),
        ]
    return lines + [f"note: {note}" for note in result.notes]


def _csv(table: Table, result: EvaluationResult) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*table.facts, "class", *table.columns, "provenance"])
    provenance = _joined(result.provenance.items())
    for row in table.rows:
        values = ["" if value is None else repr(value) for value in row.values]
        writer.writerow([*table.facts.values(), row.name, *values, provenance])
    return out.getvalue()


def _markdown(table: Table, result: EvaluationResult) -> str:
    cells = [["class", *table.columns], *([row.name, *map(percent, row.values)] for row in table.rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    text = [
        [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        for row in cells
    ]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = ["| " + " | ".join(row) + " |" for row in (text[0], rule, *text[1:])]
    return "\n".join([*lines, "", f"{table.title}. {_joined(result.provenance.items())}", ""])


def _latex(table: Table, result: EvaluationResult) -> str:
    rows = [" & ".join([_escaped(row.name), *map(percent, row.values)]) + r" \\" for row in table.rows]
    head = " & ".join(["", *map(_escaped, table.columns)]) + r" \\"
    return "\n".join(
        [
            f"% {table.title}",
            *(f"% {name}: {value}" for name, value in result.provenance.items()),
            r"\begin{tabular}{l" + "r" * len(table.columns) + "}",
            r"\toprule", head, r"\midrule", *rows[:-1], r"\midrule", rows[-1], r"\bottomrule",
            r"\end{tabular}", "",
        ]
    )  # fmt: skip


def _escaped(text: str) -> str:
    return text.replace("_", r"\_")


def _joined(items: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{name}={value}" for name, value in items)
