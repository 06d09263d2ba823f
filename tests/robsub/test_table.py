"""The paper's table: what a row's numbers are of."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from evaluators.result import EvaluationResult
from robsub.table import Format, results_table

RESULT = EvaluationResult("wilddash", "val", "wilddash", 15, 851, {"AP": 0.5}, {})


@pytest.mark.parametrize("style", ["markdown", "latex", "csv"])
def test_missing_predictions_and_the_profile_stand_in_the_row(style: Format) -> None:
    assert "robsub, val, 15 of 851 images, protocol wilddash" in results_table([RESULT], style)
    partly = replace(RESULT, images_missing=14, provenance={"profile": "v2"})
    told = "robsub, profile v2, val, 15 of 851 images, 14 of them without predictions, protocol wilddash"
    assert told in results_table([partly], style)


def test_rows_of_other_readings_say_so() -> None:
    note = "The distance is not the default: measure=ray."
    assert "protocol wilddash, The distance is not the default: measure=ray" in results_table(
        [replace(RESULT, notes=("Something else.", note))]
    )


def test_stars_and_units_are_told_in_every_style() -> None:
    told = "the column is inferred from the order of the paper's text"
    assert results_table([RESULT]).endswith(f"\n\nAP in per cent; * {told}")
    assert rf"\multicolumn{{7}}{{l}}{{\footnotesize AP in per cent; $^*$ {told}}} \\" in results_table(
        [RESULT], "latex"
    )
    head, ours, paper = csv.reader(results_table([RESULT], "csv").splitlines())
    assert head[2] == "AP50:95 in per cent" and ours[2] == "50.0"
    assert (ours[-1], paper[-1]) == ("", f"* {told}")
