"""The ROB 2018 devkit's results folder: every benchmark in KITTI's layout, side by side under prefixed names.

Source: rvc_devkit, state of ROB 2018, ``segmentation/README.md`` and ``devkit.py``: ``datasets_kitti2015/test/
algo_<METHOD>_instance/{pred_list,pred_img}``, ids of the joint label space (Cityscapes' 0 to 33, ScanNet's NYU40 + 33).
The devkit's own packer drops every bicycle from Cityscapes (its ids are ``range(0, 33)``): pack with robsub.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from dataset_adapters.base import DatasetAdapter
from dataset_adapters.labels import ROAD_LABELS, LabelTable
from dataset_adapters.problems import InputError
from dataset_adapters.scannet import ROB18_LABELS
from dataset_adapters.submission.layout import PRED_LIST, SubmissionLayout
from dataset_adapters.submission.reader import NativeSubmission
from dataset_adapters.submission.writer import PackedFrame
from robsub.files import atomic_path

PREFIXES = {"cityscapes": "Cityscapes_", "kitti": "Kitti2015_", "wilddash": "WildDash_", "scannet": "ScanNet_"}
"""Benchmark -> how the devkit's names of its images begin."""


def devkit_layout(adapter: DatasetAdapter) -> SubmissionLayout:
    """Where a benchmark's files are in a method's folder.

    Raises:
        InputError: the challenge did not have the data set.
    """
    if adapter.name not in PREFIXES:
        raise InputError(
            adapter.title, found="a data set that was no part of ROB 2018's instance challenge",
            expected=f"one of {', '.join(PREFIXES)}", fix="Choose one of these.",
        )  # fmt: skip
    name = PREFIXES[adapter.name] + "{frame}"
    mask = PRED_LIST.mask_name.replace("{frame}", name)
    return replace(
        PRED_LIST, list_name=f"pred_list/{name}.txt", mask_name=mask, mask_link=f"../{mask}", list_pattern=f"{name}.txt"
    )


def devkit_labels(adapter: DatasetAdapter) -> LabelTable:
    """The joint label space's ids of a benchmark's classes."""
    return ROB18_LABELS if adapter.name == "scannet" else ROAD_LABELS


def open_devkit(adapter: DatasetAdapter, folder: Path) -> NativeSubmission:
    """A benchmark's predictions in a method's folder; the other benchmarks' files there are passed over.

    Raises:
        InputError: no such folder, or the challenge did not have the data set.
    """
    return NativeSubmission(folder, devkit_layout(adapter), devkit_labels(adapter))


def devkit_folder(root: Path, method: str) -> Path:
    """The folder of one method's results.

    Raises:
        InputError: the method's name is none of a folder.
    """
    if not method or set(method) & set("/\\\0"):
        raise InputError(
            f"--method {method}", found="no name of a folder", expected="a name without / and \\, such as NL_ROI",
            fix="Choose another name; --out says where the folder goes.",
        )  # fmt: skip
    return root / "datasets_kitti2015" / "test" / f"algo_{method}_instance"


def make_room(adapter: DatasetAdapter, folder: Path, *, overwrite: bool) -> None:
    """See that a method's folder has no file of a benchmark: the devkit would take two detectors' files for one's.

    Args:
        adapter: the benchmark.
        folder: the method's folder.
        overwrite: delete what there is of the benchmark's.

    Raises:
        InputError: there are files of the benchmark's, and they are not to be deleted.
    """
    prefix = PREFIXES[adapter.name]
    there = sorted(path for pattern in (f"{prefix}*", f".{prefix}*") for path in folder.glob(f"*/{pattern}"))
    if there and not overwrite:
        raise InputError(
            folder, found=f"{len(there)} files of {adapter.title}, first {there[0].relative_to(folder)}",
            expected="none, for two detectors' files would mix",
            fix="Choose another --out or --method, or start over with --overwrite, which deletes them; so too after a "
            "command that was stopped.",
        )  # fmt: skip
    for path in there:
        path.unlink()


def write_folder(folder: Path, frames: Iterable[PackedFrame]) -> None:
    """Write frames as files, each frame's list last: the devkit takes a frame with a list for whole."""
    for packed in frames:
        for name, data in reversed(packed.files):
            with atomic_path(folder / name) as temporary:
                temporary.write_bytes(data)
