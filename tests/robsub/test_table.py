"""The paper's table: what a row's numbers are of."""

from __future__ import annotations

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
