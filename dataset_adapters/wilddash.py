"""WildDash v1: flat folders of ``<country><number>_100000.png`` with Cityscapes' labels and instance coding.

Source: the ROB 2018 devkit (``benchmark_wilddash.py``). Which frame is a negative or shows which hazard has no public
file format, so robsub reads ``frame_sets.csv`` in the data set's folder (docs/wilddash-frame-sets.md).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

from dataset_adapters.base import DatasetAdapter, Frame, Split, every_fifth, read_instance_map
from dataset_adapters.cityscapes import decode_instance_id
from dataset_adapters.ground_truth import GroundTruth
from dataset_adapters.labels import ROAD_CLASSES, ROAD_LABELS
from dataset_adapters.problems import InputError
from dataset_adapters.submission import PRED_LIST

HAZARDS = (
    "blur", "coverage", "distortion", "hood", "occlusion", "overexposure", "particles", "screen", "underexposure",
    "variations",
)  # fmt: skip
SEVERITIES = ("none", "low", "high")
FRAME_SETS_FILE = "frame_sets.csv"
PHOTO = re.compile(r"[a-z]{2}\d{4}_\d{6}\.png")


class WildDash(DatasetAdapter):
    """70 annotated frames, of which ``val`` is every fifth; the test frames of ``wd_both_01`` or ``wd_bench_01``."""

    name = "wilddash"
    title = "WildDash"
    labels = ROAD_LABELS
    splits = {"train": 56, "val": 14, "trainval": 70, "test": 156}
    class_map = {name: name for name in ROAD_CLASSES}
    submission = PRED_LIST

    def list_frames(self, split: Split) -> list[Frame]:
        """The photos of ``wd_val_01``, or of the test folder."""
        if split == "test":
            return [Frame(p.stem, p, None) for p in photos(self._test_folder())]
        annotated = (
            Frame(p.stem, p, p.with_name(f"{p.stem}_instanceIds.png")) for p in photos(self.root / "wd_val_01")
        )
        return every_fifth(annotated, split)

    def layout_hint(self, split: Split) -> str:
        return "wd_both_01/*.png or wd_bench_01/*.png" if split == "test" else "wd_val_01/*_100000.png"

    def frames_expected(self, split: Split) -> int:
        """``wd_both_01`` holds the 70 annotated frames and the 156 of the benchmark, ``wd_bench_01`` only these."""
        expected = super().frames_expected(split)
        is_official = split == "test" and expected == self.splits["test"]
        return 226 if is_official and self._test_folder().name == "wd_both_01" else expected

    def ground_truth(self, frame: Frame) -> GroundTruth:
        """Segments of the 16-bit instance map."""
        return read_instance_map(frame, self.labels, decode_instance_id)

    def frame_sets(self) -> Mapping[str, frozenset[str]]:
        """frame -> its sets: ``classic`` or ``negative``, and ``<hazard>/<none|low|high>`` for every hazard.

        Raises:
            InputError: ``frame_sets.csv`` is there but has an unknown column or value; names the line.
        """
        path = self.root / FRAME_SETS_FILE
        return read_frame_sets(path) if path.is_file() else {}

    def _test_folder(self) -> Path:
        both = self.root / "wd_both_01"
        return both if both.is_dir() else self.root / "wd_bench_01"


def photos(folder: Path) -> list[Path]:
    """The photos of a flat folder, without the label images beside them."""
    return [path for path in folder.glob("*.png") if PHOTO.fullmatch(path.name)]


def read_frame_sets(path: Path) -> dict[str, frozenset[str]]:
    """Read the documented table: columns ``frame``, ``negative`` (0 or 1) and one for every hazard (none, low, high).

    Raises:
        InputError: a column is missing or a value is not one of these; names the line.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = [name for name in ("frame", "negative", *HAZARDS) if name not in (rows.fieldnames or ())]
        if missing:
            raise InputError(
                path, found=f"no column {', '.join(missing)}",
                expected=f"the columns frame, negative, {', '.join(HAZARDS)}",
                fix="See docs/wilddash-frame-sets.md for the table.", line=1,
            )  # fmt: skip
        return {row["frame"]: _row_sets(path, rows.line_num, row) for row in rows}


def _row_sets(path: Path, line: int, row: Mapping[str, str]) -> frozenset[str]:
    sets = {"negative" if row["negative"] == "1" else "classic"}
    wrong = [] if row["negative"] in ("0", "1") else ["negative"]
    for hazard in HAZARDS:
        sets.add(f"{hazard}/{row[hazard]}")
        wrong += [] if row[hazard] in SEVERITIES else [hazard]
    if wrong:
        raise InputError(
            path, found=f"{wrong[0]} = {row[wrong[0]]!r}", line=line,
            expected="0 or 1" if wrong[0] == "negative" else "none, low or high", fix="Mend that cell.",
        )  # fmt: skip
    return frozenset(sets)
