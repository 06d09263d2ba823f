"""A result's table in every style: console text, CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from evaluators.pooling import MEAN
from evaluators.tables import IMAGES_MISSING, Table, aligned, shown, table_of

if TYPE_CHECKING:
    from evaluators.result import EvaluationResult

Style = Literal["text", "console", "csv", "markdown", "latex"]
ERRORS = "What AP50 would gain without each kind of error (TIDE):"
LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
"""How LaTeX writes what a backslash before it does not."""


def render_result(result: EvaluationResult, style: Style) -> str:
    """A result in one style; ``text`` is the bare table, all others hold the remarks and the provenance too."""
    table = table_of(result)
    if style == "csv":
        return _csv(table, result)
    if style == "markdown":
        return _markdown(table)
    if style == "latex":
        return _latex(table)
    text = "\n".join([table.title, *aligned(table.classes.cells())])
    return text if style == "text" else "\n".join([text, *_console_rest(table)])


def _console_rest(table: Table) -> list[str]:
    lines = ["", *aligned(table.frame_sets.cells("frame set"))] if table.frame_sets.rows else []
    if table.errors:
        rows = aligned([row[:3] for row in table.errors])
        meanings = [meaning for *_, meaning in table.errors]
        lines += ["", ERRORS, *(f"{row}  {meaning}".rstrip() for row, meaning in zip(rows, meanings, strict=True))]
    return [*lines, *table.remarks, f"provenance: {table.provenance}"]


def _csv(table: Table, result: EvaluationResult) -> str:
    """One line a class, then one a frame set, whose counts of images are its own; the remarks stand beside the mean."""
    rates = sorted({name for row in result.frame_sets.values() for name in row if name.startswith("FP@")})
    sets = ["frame_set"] if result.frame_sets else []
    out = io.StringIO()
    writer = csv.DictWriter(
        out, [*table.facts, *sets, "class", *table.classes.columns, *rates, "remarks", "provenance"],
        restval="", lineterminator="\n",
    )  # fmt: skip
    writer.writeheader()
    shared = {**table.facts, "provenance": table.provenance}
    remarks = " | ".join([*table.remarks, *(" ".join(row) for row in table.errors[1:])])
    for row in table.classes.rows:
        values = dict(zip(table.classes.columns, map(_exact, row.values), strict=True))
        writer.writerow({**shared, "class": row.name, **values, "remarks": remarks if row.name == MEAN else ""})
    unknown = {IMAGES_MISSING: ""} if result.images_missing else {}  # where a set does not say how many of them are its
    for name, numbers in result.frame_sets.items():
        values = {column: shown(column, value, _exact) for column, value in numbers.items()}
        writer.writerow({**shared, **unknown, "frame_set": name, "class": MEAN, **values})
    return out.getvalue()


def _exact(value: float | None) -> str:
    return "" if value is None else repr(value)


def _markdown(table: Table) -> str:
    lines = _pipes(table.classes.cells("class"))
    if table.frame_sets.rows:
        lines += ["", *_pipes(table.frame_sets.cells("frame set"))]
    lines += ["", f"{table.title}. {table.provenance}"]
    if table.errors:
        lines += ["", ERRORS, "", *_pipes([list(row) for row in table.errors])]
    if table.remarks:
        lines += ["", *(f"- {remark}".replace("*", r"\*") for remark in table.remarks)]
    return "\n".join([*lines, ""])


def _pipes(cells: list[list[str]]) -> list[str]:
    cells = [[cell.replace("*", r"\*") for cell in row] for row in cells]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    text = [
        [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        for row in cells
    ]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return ["| " + " | ".join(row) + " |" for row in (text[0], rule, *text[1:])]


def _latex(table: Table) -> str:
    """Printed are the tables and, as their last row, what the numbers hold for; the rest stands in comments."""
    footnotes = [f"{table.title}.", *table.footnotes]
    comments = [table.title, table.provenance, *(" ".join(row) for row in table.errors), *table.remarks]
    lines = [*(f"% {comment}" for comment in comments), *_tabular(table.classes.cells(), footnotes, last=1)]
    if table.frame_sets.rows:
        lines += ["", *_tabular(table.frame_sets.cells("frame set"), [f"{table.title}."])]
    return "\n".join([*lines, ""])


def _tabular(cells: list[list[str]], footnotes: Sequence[str], last: int = 0) -> list[str]:
    """A booktabs table; a rule sets the ``last`` rows apart."""
    head, *rows = [" & ".join(map(_escaped, row)) + r" \\" for row in cells]
    count = len(rows) - last
    span = rf"\multicolumn{{{len(cells[0])}}}{{p{{\linewidth}}}}"
    return [
        r"\begin{tabular}{l" + "r" * (len(cells[0]) - 1) + "}",
        r"\toprule", head, r"\midrule", *rows[:count], *([r"\midrule", *rows[count:]] if last else []), r"\bottomrule",
        *(rf"{span}{{\footnotesize {_escaped(footnote)}}} \\" for footnote in footnotes),
        r"\end{tabular}",
    ]  # fmt: skip


def _escaped(text: str) -> str:
    return re.sub(r"[\\~^&%$#_{}]", lambda sign: LATEX.get(sign[0], rf"\{sign[0]}"), text)
