"""Archives are read in place and not trusted."""

from __future__ import annotations

import os
import pickle
import stat
import tarfile
import zipfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataset_adapters.problems import InputError
from dataset_adapters.submission import archive as archive_module
from dataset_adapters.submission.archive import Archive, open_archive

from .submissions import pack, sound_files, spread

FILES = {"a.txt": b"one", "masks/b.png": b"two" * 500}


def read_all(archive: Archive) -> dict[str, bytes]:
    return {name: archive.read(name) for name in archive.names()}


@pytest.mark.parametrize("make", [pack, spread])
def test_zip_and_directory_read_alike(tmp_path: Path, make) -> None:
    with open_archive(make(tmp_path / "s", FILES)) as archive:
        assert read_all(archive) == FILES
        assert [archive.size(name) for name in archive.names()] == [3, 1500]
        assert archive.refusals == []


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_every_process_reads_for_itself(tmp_path: Path, method: str) -> None:
    files = {f"{i}.txt": bytes([i]) * 100_000 for i in range(40)}
    archive = open_archive(pack(tmp_path / "s.zip", files))
    archive.read("0.txt")
    with ProcessPoolExecutor(2, get_context(method)) as pool:
        assert list(pool.map(archive.read, files)) == list(files.values())
    assert pickle.loads(pickle.dumps(archive)).read("7.txt") == files["7.txt"]


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"\x1f\x8b\x08rest", "gzip"),
        (b"Rar!\x1a\x07", "rar"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"", "empty file"),
        (b"PK\x03\x04 and no end", "cut off"),
        (b"%PDF-1.7", "another kind"),
    ],
)
def test_other_formats_are_told_by_name(tmp_path: Path, head: bytes, found: str) -> None:
    path = tmp_path / "submission.zip"
    path.write_bytes(head)
    with pytest.raises(InputError, match=found):
        open_archive(path)


def test_a_tar_is_told(tmp_path: Path) -> None:
    path = tmp_path / "submission.zip"
    with tarfile.open(path, "w") as tar:
        tar.add(spread(tmp_path / "s", FILES), "s")
    with pytest.raises(InputError, match="tar file"):
        open_archive(path)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../out.txt", "member-escape"),
        ("a/../../out.txt", "member-escape"),
        ("/etc/passwd", "member-escape"),
        ("C:/out.txt", "member-escape"),
        (".", "member-escape"),
        ("masks\\b.png", "member-backslash"),
    ],
)
def test_names_that_leave_the_root_are_refused(tmp_path: Path, name: str, code: str) -> None:
    archive = open_archive(pack(tmp_path / "s.zip", {**FILES, name: b"x"}))
    assert [refusal.code for refusal in archive.refusals] == [code]
    assert archive.names() == sorted(FILES)


def test_a_member_without_a_name_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "s.zip", FILES)
    path.write_bytes(path.read_bytes().replace(b"a.txt", b"\0.txt"))
    archive = open_archive(path)
    assert [refusal.code for refusal in archive.refusals] == ["member-escape"]
    assert archive.names() == ["masks/b.png"]


def test_links_and_pipes_are_refused(tmp_path: Path) -> None:
    folder = spread(tmp_path / "s", FILES)
    (folder / "link.txt").symlink_to("/etc/passwd")
    (folder / "folder").symlink_to("/")
    os.mkfifo(folder / "pipe")
    archive = open_archive(folder)
    assert sorted(refusal.code for refusal in archive.refusals) == ["member-link", "member-link", "member-special"]
    assert archive.names() == sorted(FILES)

    packed = pack(tmp_path / "s.zip", FILES)
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(packed, "a") as out:
        out.writestr(link, "/etc/passwd")
    assert [refusal.code for refusal in open_archive(packed).refusals] == ["member-link"]


def test_bombs_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "s.zip", {**FILES, "zeros.txt": bytes(200_000)})
    monkeypatch.setattr(archive_module, "MAX_MEMBER_BYTES", 100_000)
    assert not open_archive(path).refusals
    with monkeypatch.context() as patch:
        patch.setattr(archive_module, "MAX_LIST_BYTES", 100_000)
        assert [refusal.code for refusal in open_archive(path).refusals] == ["member-huge"]
    other = pack(tmp_path / "other.zip", {**FILES, "zeros.png": bytes(200_000)})
    assert [refusal.code for refusal in open_archive(other).refusals] == ["member-huge"]
    for bound in ("MAX_TOTAL_BYTES", "MAX_MEMBERS", "MAX_DIRECTORY_BYTES"):
        with monkeypatch.context() as patch:
            patch.setattr(archive_module, bound, 2)
            with pytest.raises(InputError):
                open_archive(path)


def test_a_member_never_unpacks_to_more_than_it_declares(tmp_path: Path) -> None:
    path = pack(tmp_path / "s.zip", {"zeros.txt": bytes(3_000_000)})
    data = path.read_bytes()
    path.write_bytes(data.replace((3_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    archive = open_archive(path)
    with pytest.raises(InputError, match="damaged"):
        archive.read("zeros.txt")


def test_members_that_share_their_bytes_are_a_bomb(tmp_path: Path) -> None:
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("a.txt", b"x" * 1000)
        out.filelist.extend(out.filelist * 3)
    with pytest.raises(InputError, match="bomb"):
        open_archive(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8), st.integers(0, 400))
def test_damage_is_told_and_never_a_traceback(tmp_path: Path, damage: list[tuple[int, int]], cut: int) -> None:
    path = pack(tmp_path / "s.zip", sound_files())
    data = bytearray(path.read_bytes())
    for place, value in damage:
        data[-1 - place % min(len(data), 2500)] = value
    path.write_bytes(data[: len(data) - cut // 10])
    try:
        with open_archive(path) as archive:
            for name in archive.names():
                archive.read(name)
    except InputError as error:
        assert str(path) in str(error)
