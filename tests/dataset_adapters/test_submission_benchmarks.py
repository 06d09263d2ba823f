"""The layouts of the benchmarks themselves: what is told where none of their images is at hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from dataset_adapters.base import DatasetAdapter
from dataset_adapters.cityscapes import Cityscapes
from dataset_adapters.kitti import KITTI_LAYOUT, Kitti
from dataset_adapters.scannet import ScanNet, ScanNetRob2018
from dataset_adapters.submission import archive
from dataset_adapters.submission.checks import verify_submission
from dataset_adapters.submission.faults import Check
from dataset_adapters.wilddash import WildDash, WildDash2
from robsub.sample import FRAMES

from .submissions import SIZE, Files, pack, sound_files, spread

ADAPTERS = (Cityscapes, Kitti, WildDash, WildDash2, ScanNet, ScanNetRob2018)
KNOWN = pytest.mark.parametrize("known", [True, False])
BENCHMARKS = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.__name__)


@BENCHMARKS
@pytest.mark.parametrize("name", ["README.txt", "whatever_7.txt", "pred_list/notes.txt"])
def test_text_that_is_no_list_file_is_told_without_the_images(
    tmp_path: Path, adapter: type[DatasetAdapter], name: str
) -> None:
    files = sound(adapter)
    assert not codes(adapter, pack(tmp_path / "a.zip", files), known=False)
    assert codes(adapter, pack(tmp_path / "b.zip", files | {name: b"hello"}), known=False) == {"list-unknown": 1}


@KNOWN
@BENCHMARKS
def test_backslashes_in_every_name_are_told_alone(tmp_path: Path, adapter: type[DatasetAdapter], known: bool) -> None:
    files = {name.replace("/", "\\"): data for name, data in sound(adapter).items()}
    found = codes(adapter, pack(tmp_path / "s.zip", files), known=known)
    assert found == {"member-backslash": sum("\\" in name for name in files)}


@KNOWN
@BENCHMARKS
def test_a_linked_folder_is_told_alone(tmp_path: Path, adapter: type[DatasetAdapter], known: bool) -> None:
    files = sound(adapter)
    folders = {name.partition("/")[0] for name in files if "/" in name}
    for folder in folders:
        root = spread(tmp_path / folder, files)
        (root / folder).rename(tmp_path / f"{folder} elsewhere")
        (root / folder).symlink_to(tmp_path / f"{folder} elsewhere")
        assert codes(adapter, root, known=known) == {"member-link": 1}


@KNOWN
@BENCHMARKS
@pytest.mark.parametrize(
    ("beside", "more"),
    [("README.md", "member-stray"), ("preview.png", "mask-unlisted"), ("README.txt", "list-unknown"), ("", "")],
)
def test_a_folder_too_much_is_told_whatever_lies_beside_it(
    tmp_path: Path, adapter: type[DatasetAdapter], known: bool, beside: str, more: str
) -> None:
    files = {f"my/method/{name}": data for name, data in sound(adapter).items()}
    path = pack(tmp_path / "s.zip", files | ({beside: b""} if beside else {}))
    assert codes(adapter, path, known=known) == {"root-folder": 1} | ({more: 1} if more else {})


@KNOWN
@BENCHMARKS
@pytest.mark.parametrize("folder", ["", "all"])
def test_masks_that_no_link_leads_to_are_told_once(
    tmp_path: Path, adapter: type[DatasetAdapter], known: bool, folder: str
) -> None:
    flat = {f"{folder}/{PurePosixPath(name).name}".lstrip("/"): data for name, data in sound(adapter).items()}
    assert codes(adapter, pack(tmp_path / "a.zip", flat), known=known) == {"root-missing": 1}


@KNOWN
@BENCHMARKS
def test_masks_at_the_root_are_told_once(tmp_path: Path, adapter: type[DatasetAdapter], known: bool) -> None:
    masks = {PurePosixPath(n).name if n.endswith(".png") else n: data for n, data in sound(adapter).items()}
    assert codes(adapter, pack(tmp_path / "b.zip", masks), known=known) == {"root-missing": 1}


@BENCHMARKS
@pytest.mark.parametrize("most", [10**6, 100])
def test_a_submission_in_a_second_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adapter: type[DatasetAdapter], most: int
) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", most)  # most inner archives are too large to read
    inner = pack(tmp_path / "inner.zip", sound(adapter)).read_bytes()
    for files in ({"inner.zip": inner}, {"my/inner.zip": inner}):
        assert codes(adapter, pack(tmp_path / "s.zip", files)) == {"archive-nested": 1}
    assert "archive-nested" not in codes(adapter, pack(tmp_path / "t.zip", sound(adapter) | {"inner.zip": inner}))


def test_what_is_not_compared_for_want_of_images_is_said(tmp_path: Path) -> None:
    path, (first, second) = pack(tmp_path / "s.zip", sound(Kitti)), FRAMES["kitti"].names
    rules = KITTI_LAYOUT, Kitti.labels
    for frames, here in (({}, "the images are not here"), ({first: SIZE}, "1 of 2 images are here")):
        text = verify_submission(path, *rules, frames, 2).text()
        assert f" 3 ⊘ {Check.LISTS.title} ({here}" in text and f" 8 ⊘ {Check.MASKS.title} ({here}" in text
    report = verify_submission(path, *rules, {first: SIZE}, 3)
    assert f" 3 ✗ {Check.LISTS.title} (1 error, 1 of 3 images are here" in report.text()
    assert "⊘" not in verify_submission(path, *rules, {first: SIZE, second: SIZE}, 2).text()


@pytest.mark.parametrize(("count", "expected", "found"), [(156, 226, 0), (226, 156, 0), (157, 156, 1), (156, 14, 1)])
def test_the_editions_of_a_test_set_count_for_no_other_split(
    tmp_path: Path, count: int, expected: int, found: int
) -> None:
    layout = WildDash.submission
    files = {layout.list_name.format(frame=f"aa{i:04}_100000"): b"" for i in range(count)}
    report = verify_submission(pack(tmp_path / "s.zip", files), layout, WildDash.labels, {}, expected)
    assert report.counts == ({"list-count": 1} if found else {})


def sound(adapter: type[DatasetAdapter]) -> Files:
    """A sound submission of the benchmark's sample frames."""
    assert adapter.submission is not None
    ids = tuple(label.id for label in adapter.labels.evaluated)[:4]
    return sound_files(adapter.submission, FRAMES[adapter.name].names, ids)


def codes(adapter: type[DatasetAdapter], path: Path, *, known: bool = True) -> Mapping[str, int]:
    """What verification finds, with or without the images at hand."""
    assert adapter.submission is not None
    frames = dict.fromkeys(FRAMES[adapter.name].names, SIZE) if known else {}
    return verify_submission(path, adapter.submission, adapter.labels, frames, 2).counts
