"""The paper's Table 1 from results: a row for every benchmark, the measured numbers beside the paper's own.

Source: arXiv:1807.05361, Table 1, whose text gives some cells without their columns; those are marked.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Literal

from evaluators.result import NOT_DEFAULT, EvaluationResult

Format = Literal["markdown", "latex", "csv"]

COLUMNS = {"AP": "AP50:95", "AP50": "AP50", "AP100m": "AP100m", "AP50m": "AP50m", "NegAP": "Neg AP"}
TITLES = {"kitti": "KITTI", "cityscapes": "Cityscapes", "wilddash": "WildDash", "scannet": "ScanNet"}

PAPER: dict[str, dict[str, float]] = {
    "kitti": {"AP": 0.1637, "AP50": 0.345},
    "cityscapes": {"AP": 0.240, "AP50": 0.458, "AP100m": 0.361, "AP50m": 0.408},
    "wilddash": {"AP": 0.194, "AP50": 0.340, "NegAP": 0.197},
    "scannet": {"AP": 0.11},
}
"""Fractions, test sets of the challenge's servers."""
INFERRED = {("kitti", "AP50"), ("wilddash", "AP50"), ("wilddash", "NegAP")}
UNIT = "in per cent"
FOOTNOTE = "* the column is inferred from the order of the paper's text"


def results_table(results: Sequence[EvaluationResult], style: Format = "markdown") -> str:
    """Lay out results as the paper's table, percentages; the benchmarks stand in the paper's order.

    Args:
        results: results of any of the benchmarks.
        style: markdown, latex (booktabs) or csv.
    """
    order = {name: i for i, name in enumerate(PAPER)}
    rows = []
    for result in sorted(results, key=lambda r: order.get(r.benchmark, len(order))):
        name = result.benchmark
        title = TITLES.get(name, name)
        rows.append([title, _description(result), *_cells(name, result.metrics, inferred=False)])
        if name in PAPER:
            rows.append([title, "paper, test server", *_cells(name, PAPER[name], inferred=True)])
    return _render([["Data set", "Numbers of", *COLUMNS.values()], *rows], style)


def _description(result: EvaluationResult) -> str:
    """What the numbers of a result are of."""
    profile = [f"profile {result.provenance['profile']}"] if "profile" in result.provenance else []
    images = f"{result.images} of {result.images_expected} images"
    missing = [f"{result.images_missing} of them without predictions"] if result.images_missing else []
    readings = [note.rstrip(".") for note in result.notes if NOT_DEFAULT in note]
    return ", ".join(["robsub", *profile, result.split, images, *missing, f"protocol {result.protocol}", *readings])


def _cells(name: str, metrics: Mapping[str, float | None], *, inferred: bool) -> list[str]:
    return [_cell(metrics.get(key)) + ("*" if inferred and (name, key) in INFERRED else "") for key in COLUMNS]


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _render(rows: list[list[str]], style: Format) -> str:
    return {"csv": _csv, "latex": _latex, "markdown": _markdown}[style](rows)


def _csv(rows: list[list[str]]) -> str:
    head = [*rows[0][:2], *(f"{name} {UNIT}" for name in rows[0][2:]), "remarks"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([*row, FOOTNOTE if any(cell.endswith("*") for cell in row) else ""] for row in rows[1:])
    return out.getvalue().rstrip("\n")


def _latex(rows: list[list[str]]) -> str:
    head, *body = [_starred(" & ".join(row)).replace("_", r"\_") + r" \\" for row in rows]
    begin = r"\begin{tabular}{ll" + "r" * len(COLUMNS) + "}"
    span = rf"\multicolumn{{{2 + len(COLUMNS)}}}{{l}}"
    foot = rf"{span}{{\footnotesize AP {UNIT}; {_starred(FOOTNOTE)}}} \\"
    return "\n".join([begin, r"\toprule", head, r"\midrule", *body, r"\bottomrule", foot, r"\end{tabular}"])


def _starred(text: str) -> str:
    return text.replace("*", "$^*$")


def _markdown(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    text = [
        [cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]
        for row in rows
    ]
    rule = ["-" * w if i < 2 else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    lines = ["| " + " | ".join(row) + " |" for row in (text[0], rule, *text[1:])]
    return "\n".join([*lines, "", f"AP {UNIT}; {FOOTNOTE}"])
