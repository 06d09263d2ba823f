"""A small world of made data: all five data sets in their native layouts, drawn from one seed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dataset_adapters.base import COUNTS_FILE
from dataset_adapters.problems import InputError
from robsub.demo.writers import ade20k, cityscapes, kitti, scannet, wilddash
from robsub.files import explain, read_json, write_json

FORMAT = 1
"""Raised whenever the same seed gives other files."""
MADE_BY_FILE = "made_by.json"
"""In every made data set: the settings it was made with. A folder without it is not ours to replace."""

Writer = Callable[[Path, int, tuple[int, ...], Callable[[], object]], dict[str, int]]
WRITERS: dict[str, Writer] = {
    "cityscapes": cityscapes.write,
    "kitti": kitti.write,
    "wilddash": wilddash.write,
    "scannet": scannet.write,
    "ade20k": ade20k.write,
}


@dataclass(frozen=True)
class WorldScale:
    """How many frames each data set has."""

    cityscapes: tuple[int, int, int] = (140, 40, 8)
    """Train, val, test."""
    kitti: tuple[int, int] = (150, 8)
    """Annotated, of which every fifth is val; test."""
    wilddash: tuple[int, int] = (150, 8)
    """Annotated, of which every fifth is val; test."""
    scannet: tuple[int, int, int] = (250, 40, 8)
    """Train, val, test."""
    ade20k: tuple[int, int] = (100, 16)
    """Training, validation."""


def make_world(root: Path, *, seed: int = 0, scale: WorldScale | None = None, progress: bool = True) -> None:
    """Write ``<root>/{cityscapes,kitti,wilddash,scannet,ade20k}``, the same bytes for the same seed and scale.

    A data set that is already there, made with the same settings, is kept; one is whole or not there at all, so that a
    run that was killed is simply started again.

    Args:
        root: the data root; created if need be.
        seed: seed of everything.
        scale: numbers of frames; None makes the default world.
        progress: show a bar over the frames, on a terminal alone.

    Raises:
        InputError: a folder of that name holds something else, or cannot be written.
    """
    counts: dict[str, tuple[int, ...]] = {name: tuple(n) for name, n in asdict(scale or WorldScale()).items()}
    missing = [name for name in WRITERS if not _is_made(root / name, _settings(seed, counts[name]))]
    total = sum(sum(counts[name]) for name in missing)
    try:
        with tqdm(total=total, desc="drawing", unit="frame", disable=None if progress else True) as bar:
            for name in missing:
                _make(root / name, WRITERS[name], seed, counts[name], bar.update)
    except OSError as error:
        raise explain(error, root) from error


def _make(folder: Path, write: Writer, seed: int, counts: tuple[int, ...], tick: Callable[[], object]) -> None:
    """Make one data set under a temporary name beside its own, and give it its name when it is whole."""
    partial = folder.with_name(f".{folder.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    write_json(partial / COUNTS_FILE, write(partial, seed, counts, tick))
    write_json(partial / MADE_BY_FILE, _settings(seed, counts))
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)


def _settings(seed: int, counts: tuple[int, ...]) -> dict[str, Any]:
    return {"format": FORMAT, "seed": seed, "frames": list(counts)}


def _is_made(folder: Path, settings: dict[str, Any]) -> bool:
    """Whether the folder holds just this data set.

    Raises:
        InputError: it holds something that was not made here.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    note = folder / MADE_BY_FILE
    if not note.is_file():
        raise InputError(
            folder, found="files that were not made by the demo", expected="no folder of that name, or an earlier demo",
            fix="Choose another folder for the demo with --out; nothing was changed here.",
        )  # fmt: skip
    made: Any = read_json(note, expected="the settings of a made data set")
    return bool(made == settings)
