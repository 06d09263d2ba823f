"""WildDash's frame sets: which frames are negatives and which show what hazard (docs/wilddash-frame-sets.md).

No public file tells it, so robsub defines a table: columns ``frame``, ``negative`` (0 or 1) and one for each hazard.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from dataset_adapters.base import remark
from dataset_adapters.problems import InputError, Problem

HAZARDS = (
    "blur", "coverage", "distortion", "hood", "occlusion", "overexposure", "particles", "screen", "underexposure",
    "variations",
)  # fmt: skip
SEVERITIES = ("none", "low", "high")
FRAME_SETS_FILE = "frame_sets.csv"


def read_frame_sets(path: Path) -> dict[str, frozenset[str]]:
    """frame -> its sets: ``classic`` or ``negative``, and ``<hazard>/<none|low|high>`` for every hazard.

    Raises:
        InputError: the file is missing or no text, a column is missing, a value is not one of these, or a frame
            stands there twice; names the line.
    """
    sets: dict[str, frozenset[str]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            _check_columns(path, rows.fieldnames or ())
            for row in rows:
                if not row["frame"]:
                    raise InputError(
                        path, found="a line without a frame", expected=f"{len(rows.fieldnames or ())} cells",
                        fix="Mend or delete that line.", line=rows.line_num,
                    )  # fmt: skip
                if row["frame"] in sets:
                    raise InputError(
                        path, found=f"frame {row['frame']!r} a second time", expected="one line for each frame",
                        fix="Delete one of the two lines.", line=rows.line_num,
                    )  # fmt: skip
                sets[row["frame"]] = _row_sets(path, rows.line_num, row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            path, found=f"no table that can be read ({error})", expected="a CSV file in UTF-8",
            fix="See docs/wilddash-frame-sets.md for the table.",
        ) from error  # fmt: skip
    return sets


def _check_columns(path: Path, columns: object) -> None:
    names = [str(name) for name in columns] if isinstance(columns, list | tuple) else []
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            path, found=f"two columns {twice[0]!r}", expected="every column once", fix="Delete one of the two.", line=1
        )
    missing = [name for name in ("frame", "negative", *HAZARDS) if name not in names]
    if missing:
        raise InputError(
            path, found=f"no column {', '.join(missing)}",
            expected=f"the columns frame, negative, {', '.join(HAZARDS)}",
            fix="See docs/wilddash-frame-sets.md for the table.", line=1,
        )  # fmt: skip


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


def unmatched(
    path: Path, listed: Collection[str], annotated: Collection[str], others: Collection[str]
) -> Iterator[Problem]:
    """Warnings of a table that does not fit the frames on disk.

    Args:
        path: the table.
        listed: names of its frames.
        annotated: frames with ground truth, each of which should be listed.
        others: further frames that may be.
    """
    if strangers := sorted(set(listed) - set(annotated) - set(others)):
        yield remark(
            "frame-set-without-frame", path, found=f"{len(strangers)} names without a frame, first {strangers[0]!r}",
            expected="names of photos without .png or .jpg", fix="Mend the names, or extract the missing photos.",
        )  # fmt: skip
    if missing := sorted(set(annotated) - set(listed)):
        yield remark(
            "frame-without-set", path, found=f"{len(missing)} annotated frames that are not listed, first {missing[0]}",
            expected="a line for every frame", fix="Add them; until then they count for no frame set.",
        )  # fmt: skip
