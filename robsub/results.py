"""Result files: written in every format that was asked for, and read back."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from evaluators.result import EvaluationResult
from robsub.files import is_stream, read_json, write_text
from robsub.places import result_path

Wanted = Mapping[str, str | Path | None]
"""Kind of a result's file (json, csv, md, tex) -> the file or folder to write to, None for not at all."""


def require_folders(wanted: Wanted) -> None:
    """Refuse before the work what ``save_result`` would refuse after it.

    Raises:
        InputError: several results are wanted in one file.
    """
    for kind, path in wanted.items():
        if path is not None:
            result_path(path, "benchmark", "split", kind, many=True)


def save_result(result: EvaluationResult, wanted: Wanted, *, many: bool) -> None:
    """Write one result.

    Args:
        result: the result.
        wanted: where to.
        many: it is one of several; a kind must then go to a folder.

    Raises:
        InputError: several results are wanted in one file, or it cannot be written.
    """
    texts = {
        "json": lambda: json.dumps(result.to_json(), indent=1, allow_nan=False, ensure_ascii=False) + "\n",
        "csv": result.to_csv,
        "md": result.to_markdown,
        "tex": result.to_latex,
    }
    for kind, path in wanted.items():
        if path is not None:
            write_text(result_path(path, result.benchmark, result.split, kind, many=many), texts[kind]())


def load_result(path: Path) -> EvaluationResult:
    """Read what ``robsub evaluate --json`` wrote.

    Raises:
        InputError: the file is missing or something else.
    """
    return EvaluationResult.from_json(read_json(path, "a result of 'robsub evaluate --json'"), str(path))


def next_step(wanted: Wanted) -> str:
    """What to do after an evaluation."""
    path = wanted["json"]
    if not path or is_stream(Path(path)):
        return "robsub evaluate --json results/"
    return f"robsub table {shlex.quote(str(Path(path)))}{'/*.json' if Path(path).is_dir() else ''}"
