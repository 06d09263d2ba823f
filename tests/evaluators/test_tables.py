"""Every style of a result's table, from the same columns."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

from dataset_adapters.labels import ROAD_CLASSES, ROAD_LABELS
from dataset_adapters.scannet import SCANNET_LABELS
from evaluators.protocol import KITTI, SCANNET, corrected
from evaluators.result import EvaluationResult
from evaluators.summary import summarise

from .scenes import matched, predicted, region

CAR, ELSEWHERE = (0, 0, 40, 25), (60, 0, 40, 25)


def result(resamples: int = 0) -> EvaluationResult:
    """A car found and a false positive above it, and an image without predictions."""
    images = [
        matched(KITTI, [region("car", CAR)], [predicted("car", CAR, 0.8), predicted("car", ELSEWHERE, 0.9)], "a"),
        replace(matched(KITTI, [], [], "b"), missing=True),
    ]
    return summarise(
        KITTI, ROAD_LABELS, images, benchmark="kitti", split="val", images_expected=9,
        provenance={"robsub": "1", "predictions_sha256": "ab_c"}, notes=["made data"], resamples=resamples,
    )  # fmt: skip


def test_csv_has_one_line_a_class_with_all_that_the_number_holds_for() -> None:
    rows = list(csv.DictReader(io.StringIO(result().to_csv())))
    assert [row["class"] for row in rows] == [*ROAD_CLASSES, "mean"]
    car = next(row for row in rows if row["class"] == "car")
    assert (car["AP"], car["AP50"], rows[0]["AP"]) == ("0.25", "0.25", "")
    for row in rows:
        assert (row["protocol"], row["images"], row["images_expected"], row["images_missing"]) == (
            "kitti",
            "2",
            "9",
            "1",
        )
        assert row["provenance"] == "robsub=1 predictions_sha256=ab_c"


def test_markdown_is_a_table_with_the_mean_last() -> None:
    lines = result().to_markdown().splitlines()
    assert lines[0].replace(" ", "") == "|class|AP|AP50|"
    assert lines[1].replace("-", "").replace(" ", "") == "||:|:|"
    assert lines[10].replace(" ", "") == "|mean|25.0|25.0|"
    assert len({len(line) for line in lines[:11]}) == 1
    assert "protocol kitti, images 2 of 9, 1 of them without predictions. robsub=1" in lines[12]
    assert lines[-1] == "- note: made data"


def test_latex_is_booktabs_with_the_facts_as_comments() -> None:
    text = result().to_latex()
    title = "kitti val, protocol kitti, images 2 of 9, 1 of them without predictions"
    assert text.startswith(f"% {title}")
    assert "% robsub=1 predictions_sha256=ab_c" in text
    assert rf"\multicolumn{{3}}{{p{{\linewidth}}}}{{\footnotesize {title}.}} \\" in text.splitlines()
    assert r"\begin{tabular}{lrr}" in text and r"mean & 25.0 & 25.0 \\" in text
    assert text.count(r"\midrule") == 2


def test_console_text_says_errors_intervals_and_notes() -> None:
    text = result(resamples=20).text()
    assert text.startswith(result().table())
    assert "95 % intervals over images, 20 resamples: AP 25.0 to 25.0" in text
    assert "Bkg" in text and "+75.0  where there is no object" in text
    assert text.endswith("note: made data\nprovenance: robsub=1 predictions_sha256=ab_c")


def test_files_say_errors_intervals_and_notes_too() -> None:
    whole = result(resamples=20)
    remarks = next(row["remarks"] for row in csv.DictReader(io.StringIO(whole.to_csv())) if row["class"] == "mean")
    for text in (remarks, whole.to_markdown(), whole.to_latex()):
        assert "95 % intervals over images, 20 resamples: AP 25.0 to 25.0" in text
        assert "note: made data" in text
        assert "+75.0" in text and "where there is no object" in text


def test_what_is_not_the_benchmarks_own_is_marked_in_every_style() -> None:
    chair = region("chair", CAR, native_id=5001, labels=SCANNET_LABELS)
    whole = summarise(
        corrected(SCANNET), SCANNET_LABELS, [matched(corrected(SCANNET), [chair], [], labels=SCANNET_LABELS)],
        benchmark="scannet", split="val", images_expected=9,
    )  # fmt: skip
    footnote = "AP25* is no number of the benchmark's own 2D program"
    assert whole.table().splitlines()[1].split() == ["AP", "AP50", "AP25*"] and footnote in whole.text()
    assert r"| AP25\* |" in whole.to_markdown() and footnote.replace("*", r"\*") in whole.to_markdown()
    assert "AP25*" in next(csv.reader(io.StringIO(whole.to_csv()))) and footnote in whole.to_csv()
    latex = whole.to_latex()
    printed = [line for line in latex.splitlines() if not line.startswith("%")]
    assert r" & AP & AP50 & AP25* \\" in printed
    assert any(footnote in line for line in printed)
    assert any("protocol scannet-corrected, images 1 of 9" in line.replace(r"\_", "_") for line in printed)


def test_latex_takes_any_sign() -> None:
    odd = replace(result(), benchmark="a_b%c&d#e$f{g}~h^i\\j")
    printed = [line for line in odd.to_latex().splitlines() if not line.startswith("%")]
    escaped = r"a\_b\%c\&d\#e\$f\{g\}\textasciitilde{}h\textasciicircum{}i\textbackslash{}j val"
    assert any(escaped in line for line in printed)


def test_intervals_errors_and_missing_images_come_back_from_json() -> None:
    first = result(resamples=20)
    again = EvaluationResult.from_json(json.loads(json.dumps(first.to_json(), allow_nan=False)))
    assert again == first
    assert first.to_json()["intervals"] == {
        "level": 0.95,
        "resamples": 20,
        "metrics": {"AP": [0.25] * 2, "AP50": [0.25] * 2},
    }
    assert first.to_json()["images_missing"] == 1
