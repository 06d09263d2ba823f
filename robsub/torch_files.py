"""Files of ``torch.save``, read without running what is in them, and what a checkpoint of robsub has to hold."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dataset_adapters.problems import InputError

FORMAT = "robsub-checkpoint-1"


def read_torch_file(path: Path, expected: str, fix: str) -> dict[str, Any]:
    """Read a dictionary, building nothing but tensors and plain values; every record is held against its CRC.

    Args:
        path: the file.
        expected: what it should be, for the error.
        fix: what to do if it is not.

    Raises:
        InputError: it is missing or damaged, holds no dictionary, or wants to call something.
    """
    try:
        _check_records(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or forged file can fail in any way
        raise InputError(
            path, found=f"a file that does not load ({_reason(error)})", expected=expected, fix=fix
        ) from error
    if not isinstance(state, dict):
        raise InputError(path, found=f"a saved {type(state).__name__}", expected=expected, fix=fix)
    return {str(name): value for name, value in state.items()}


def require_checkpoint(state: Mapping[str, Any], path: Path) -> None:
    """Refuse a checkpoint without what prediction needs.

    Raises:
        InputError: names the first part that is missing or something else.
    """
    classes, weights = state.get("classes"), state.get("model")
    parts = {
        "recipe": isinstance(state.get("recipe"), dict),
        "classes": isinstance(classes, list | tuple) and all(isinstance(name, str) for name in classes),
        "model": isinstance(weights, dict) and all(_is_weight(*item) for item in weights.items()),
    }
    for name, sound in parts.items():
        if not sound:
            kind = f"{type(state[name]).__name__} of something else" if name in state else "missing"
            raise InputError(
                path, found=f"a checkpoint whose {name!r} is {kind}", expected="the recipe, names of classes, weights",
                fix="Something else has written it; name another checkpoint.",
            )  # fmt: skip


def _is_weight(name: object, value: object) -> bool:
    return isinstance(name, str) and isinstance(value, Tensor) and value.is_floating_point() and not value.is_sparse


def _check_records(path: Path) -> None:
    """torch writes a CRC for every record, but does not look at it when it reads; its old format has none."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"record {damaged} is damaged")


def _reason(error: Exception) -> str:
    """Why torch refused, in one line, without its advice to run the file."""
    text = str(error)
    if call := re.search(r"GLOBAL (\S+)", text):
        return f"it wants to call {call[1].rstrip('.')}, and weights call nothing"
    told = re.search(r"Unpickler error: (.*)", text)
    line = told[1] if told else next(iter(text.splitlines()), "")
    return line[:200] if line and "weights_only" not in line else type(error).__name__
