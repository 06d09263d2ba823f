"""The ground-truth cache: the same segments, never stale, never half-written, never in the way."""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from dataset_adapters.annotations.cache import default_cache_folder
from dataset_adapters.annotations.distances import DistanceFormula
from dataset_adapters.base import DatasetAdapter, Split
from dataset_adapters.cityscapes import Cityscapes
from dataset_adapters.ground_truth import GroundTruth
from dataset_adapters.options import Options
from dataset_adapters.registry import get_adapter
from tests.dataset_adapters.layouts import cityscapes_frame, painted, save, write_json

LONG_AGO = 1_500_000_000


def age(root: Path) -> None:
    """Date all files back, so that their times are settled."""
    for path in root.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))


class Reads:
    """Counts how often the native files are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        original = Cityscapes.read_ground_truth

        def counted(adapter: Cityscapes, frame: object) -> GroundTruth:
            self.count += 1
            return original(adapter, frame)  # type: ignore[arg-type]

        monkeypatch.setattr(Cityscapes, "read_ground_truth", counted)


def made(tmp_path: Path) -> tuple[DatasetAdapter, Path]:
    path = cityscapes_frame(tmp_path / "data", painted({26000: (0, 0), 24: (3, 3), 4: (0, 4)}))
    age(tmp_path / "data")
    return get_adapter("cityscapes", tmp_path / "data", Options(cache=tmp_path / "cache")), path


def read(adapter: DatasetAdapter) -> GroundTruth:
    return adapter.ground_truth(adapter.frames("val")[0])


def entries(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_frame_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter, _ = made(tmp_path)
    reads = Reads(monkeypatch)
    first, second = read(adapter), read(adapter)
    assert (first, reads.count, len(entries(tmp_path))) == (second, 1, 1)
    assert len(first.segments) == 4


SAMPLES: list[tuple[str, str, Split]] = [
    ("cityscapes", "fixtures/cityscapes/dataset", "val"), ("kitti", "realdata", "trainval"),
    ("scannet", "fixtures/scannet/dataset", "val"), ("ade20k", "realdata", "train"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "root", "split"), SAMPLES)
def test_the_cache_gives_back_what_the_files_hold(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, root: str, split: Split
) -> None:
    monkeypatch.setattr("dataset_adapters.base.is_settled", lambda _: True)
    plain = get_adapter(name, shared / root)
    cached = get_adapter(name, shared / root, Options(cache=tmp_path / "cache"))
    frames = plain.frames(split)
    truths = [plain.ground_truth(frame) for frame in frames]
    assert [cached.ground_truth(frame) for frame in frames] == truths
    monkeypatch.setattr(type(cached), "read_ground_truth", None)
    assert [cached.ground_truth(frame) for frame in frames] == truths


def test_a_changed_file_of_the_same_size_and_time_is_read_again(tmp_path: Path) -> None:
    adapter, path = made(tmp_path)
    assert [s.native_id for s in read(adapter).instances] == [26000]
    size = path.stat().st_size
    changed = bytearray(path.read_bytes())
    save(path, painted({26001: (0, 0), 24: (3, 3), 4: (0, 4)}))
    assert path.stat().st_size == size and path.read_bytes() != bytes(changed)
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert [s.native_id for s in read(adapter).instances] == [26001]
    assert len(entries(tmp_path)) == 1


def test_a_disparity_that_comes_later_counts(tmp_path: Path) -> None:
    adapter, path = made(tmp_path)
    assert all(segment.distance_m is None for segment in read(adapter).segments)
    disparity = Path(str(path).replace("gtFine/", "disparity/").replace("gtFine_instanceIds", "disparity"))
    save(disparity, np.full((6, 8), 2561, dtype=np.uint16))
    camera = Path(str(disparity).replace("disparity/", "camera/").replace("disparity.png", "camera.json"))
    write_json(camera, {"extrinsic": {"baseline": 0.2}, "intrinsic": {"fx": 2000}})
    age(tmp_path / "data")
    assert read(adapter).instances[0].distance_m == 40
    write_json(camera, {"extrinsic": {"baseline": 0.4}, "intrinsic": {"fx": 2000}})
    age(tmp_path / "data")
    assert read(adapter).instances[0].distance_m == 80


def test_another_formula_has_its_own_entry(tmp_path: Path) -> None:
    adapter, _ = made(tmp_path)
    options = Options(cache=tmp_path / "cache", distance=DistanceFormula(measure="ray"))
    read(adapter), read(get_adapter("cityscapes", tmp_path / "data", options))
    assert len(entries(tmp_path)) == 2


def test_a_file_of_this_second_is_not_cached(tmp_path: Path) -> None:
    adapter, path = made(tmp_path)
    os.utime(path, (time.time(), time.time()))
    read(adapter)
    assert entries(tmp_path) == []


@pytest.mark.parametrize("damage", [b"", b"half", None])
def test_a_damaged_entry_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes | None) -> None:
    adapter, _ = made(tmp_path)
    truth = read(adapter)
    (entry,) = entries(tmp_path)
    whole = entry.read_bytes()
    entry.write_bytes(whole.replace(b"26000", b"27000") if damage is None else damage)
    reads = Reads(monkeypatch)
    assert (read(adapter), reads.count) == (truth, 1)
    assert entry.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    adapter, _ = made(tmp_path)
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert read(adapter) == read(adapter)


def read_often(adapter: DatasetAdapter) -> list[int]:
    frames = adapter.frames("val")
    return [s.native_id for _ in range(10) for frame in frames for s in adapter.ground_truth(frame).segments]


def test_processes_that_build_it_together_agree(tmp_path: Path) -> None:
    for number in range(5):
        cityscapes_frame(tmp_path / "data", painted({26000 + number: (0, 0)}), number=number)
    age(tmp_path / "data")
    adapter = get_adapter("cityscapes", tmp_path / "data", Options(cache=tmp_path / "cache"))
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        found = list(pool.map(read_often, [adapter] * 4))
    expected = [v for _ in range(10) for number in range(5) for v in (0, 26000 + number)]
    assert found == [expected] * 4
    assert len(entries(tmp_path)) == 5


def test_the_folder_is_the_platforms_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "robsub"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_cache_folder() == Path.home() / ".cache" / "robsub"


def test_who_has_no_home_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME")

    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert default_cache_folder() is None
