"""The benchmarks that robsub knows, by name. To add one, write its module and enter its class here."""

from __future__ import annotations

import difflib
from pathlib import Path

from dataset_adapters.ade20k import Ade20k
from dataset_adapters.base import DatasetAdapter
from dataset_adapters.cityscapes import Cityscapes
from dataset_adapters.coco import Coco
from dataset_adapters.kitti import Kitti
from dataset_adapters.options import Options
from dataset_adapters.problems import InputError
from dataset_adapters.scannet import ScanNet
from dataset_adapters.wilddash import WildDash

ADAPTERS: dict[str, type[DatasetAdapter]] = {
    adapter.name: adapter for adapter in (Cityscapes, Kitti, WildDash, ScanNet, Ade20k, Coco)
}
BENCHMARKS = tuple(name for name, adapter in ADAPTERS.items() if adapter.submission is not None)
"""The data sets that have a server to submit to."""


def get_adapter(name: str, data_root: Path, options: Options | None = None) -> DatasetAdapter:
    """The adapter of a data set whose files are under ``<data_root>/<name>``, in the profile that they have.

    Raises:
        InputError: no such data set; names the nearest one. A profile in the options that the data set lacks.
    """
    if name not in ADAPTERS:
        near = difflib.get_close_matches(name, ADAPTERS, n=1)
        raise InputError(
            name, found="an unknown data set", expected=f"one of {', '.join(ADAPTERS)}",
            fix=f"Did you mean {near[0]!r}?" if near else "Choose one of these.",
        )  # fmt: skip
    return ADAPTERS[name].open(data_root / name, options)
