"""Every fault of an archive and its members, made on purpose in a sound one, is found and named, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataset_adapters.labels import ROAD_LABELS
from dataset_adapters.problems import InputError
from dataset_adapters.submission import archive, list_checks, mask_reader
from dataset_adapters.submission.faults import FAULTS, Check
from dataset_adapters.submission.reader import NativeSubmission
from dataset_adapters.submission.report import Outcome

from .submissions import (
    CITYSCAPES,
    KITTI,
    SIZE,
    Files,
    pack,
    png,
    sound_files,
    spread,
)
from .verifying import FRAME, LINE, LIST, MADE, MASK, PIXELS, assert_alone, require_all_of, verify


def spoilt_crc(path: Path, name: str) -> None:
    with zipfile.ZipFile(path) as packed:
        crc = packed.getinfo(name).CRC.to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(crc, b"\1\2\3\4"))


def encrypted(path: Path, name: str) -> None:
    data = bytearray(path.read_bytes())
    place = data.rindex(name.encode()) - 46  # the member's entry in the table of contents
    data[place + 8] |= 1
    path.write_bytes(data)


def linked(path: Path, name: str) -> None:
    set_mode(path, name, stat.S_IFLNK | 0o777)


def piped(path: Path, name: str) -> None:
    set_mode(path, name, stat.S_IFIFO | 0o644)


def set_mode(path: Path, name: str, mode: int) -> None:
    data = bytearray(path.read_bytes())
    place = data.rindex(name.encode()) - 46
    data[place + 38 : place + 42] = (mode << 16).to_bytes(4, "little")
    path.write_bytes(data)


def repacked(path: Path, name: str) -> None:
    with zipfile.ZipFile(path) as packed:
        files = {member: packed.read(member) for member in packed.namelist()}
    with zipfile.ZipFile(path, "w") as out:
        for member, data in files.items():
            out.writestr(member, data, zipfile.ZIP_BZIP2 if member == name else zipfile.ZIP_STORED)


def doubled(path: Path, name: str) -> None:
    with zipfile.ZipFile(path) as packed:
        data = packed.read(name)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as out:
        warnings.simplefilter("ignore")
        out.writestr(name, data)


def escaping(path: Path, name: str) -> None:
    with zipfile.ZipFile(path, "a") as out:
        out.writestr(f"../{name}", b"")


PACKED: list[tuple[str, Callable[[Path, str], None]]] = [
    ("member-broken", spoilt_crc),
    ("member-encrypted", encrypted),
    ("member-link", linked),
    ("member-special", piped),
    ("member-compression", repacked),
    ("member-double", doubled),
    ("member-escape", escaping),
]


@pytest.mark.parametrize("name", [MASK, LIST])
@pytest.mark.parametrize(("code", "spoil"), PACKED)
def test_faults_of_the_zip(tmp_path: Path, code: str, spoil: Callable[[Path, str], None], name: str) -> None:
    path = pack(tmp_path / "s.zip", sound_files())
    spoil(path, name)
    assert_alone(verify(path), code)


@pytest.mark.parametrize("make", [pack, spread])
@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("member-backslash", {"pred\\out.txt": b""}),
        ("member-stray", {"__MACOSX/._x.txt": b"", ".DS_Store": b""}),
        ("member-stray", {"notes.md": b""}),
    ],
)
def test_members_that_do_not_belong_there(tmp_path: Path, make, code: str, more: Files) -> None:
    assert_alone(verify(make(tmp_path / "s", sound_files() | more)), code)


def test_a_member_too_large_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 10_000)
    assert_alone(verify(pack(tmp_path / "s.zip", sound_files() | {MASK: bytes(20_000)})), "member-huge")


def test_an_archive_too_large_for_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_reader, "MOST_TEXT", 2_000_000)
    path = pack(tmp_path / "s.zip", sound_files() | {MASK: png(PIXELS) + np.random.default_rng(0).bytes(1_500_000)})
    assert verify(path, replace(CITYSCAPES, zip_limit_mb=2)).ok
    assert_alone(verify(path, replace(CITYSCAPES, zip_limit_mb=1)), "archive-size")


def test_more_files_than_a_plain_zip_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "s.zip", sound_files())
    monkeypatch.setattr(list_checks, "MOST_ZIP_FILES", 15)
    assert not verify(path).counts
    monkeypatch.setattr(list_checks, "MOST_ZIP_FILES", 14)
    assert_alone(verify(path), "archive-zip64")


@pytest.mark.parametrize("data", [b"\x1f\x8b\x08", b"Rar!", b""])
def test_an_archive_that_does_not_open_skips_the_other_checks(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "s.zip").write_bytes(data)
    report = verify(tmp_path / "s.zip")
    assert_alone(report, "archive-format")
    assert [check.outcome for check in report.checks[1:]] == [Outcome.SKIPPED] * (len(Check) - 1)


def test_nothing_at_the_path_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        verify(tmp_path / "s.zip")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8), st.binary(max_size=60))
def test_no_damage_ends_in_a_traceback(tmp_path: Path, damage: list[tuple[int, int]], text: bytes) -> None:
    path = pack(tmp_path / "s.zip", sound_files() | {LIST: LINE + text})
    data = bytearray(path.read_bytes())
    for place, value in damage:
        data[place % len(data)] = value
    path.write_bytes(data)
    report = verify(path)
    assert json.dumps(report.to_json()) and report.text().encode()


def test_lists_and_masks_have_bounds_of_their_own(tmp_path: Path) -> None:
    long_list = sound_files() | {LIST: LINE * (2 << 20)}
    assert verify(pack(tmp_path / "l.zip", long_list)).counts["member-huge"] == 1
    text = png(PIXELS)
    chunk = struct.pack(">I4s", 0, b"tEXt") + struct.pack(">I", zlib.crc32(b"tEXt"))
    many_chunks = sound_files() | {MASK: text[:33] + chunk * 20_000 + text[33:]}
    assert_alone(verify(pack(tmp_path / "m.zip", many_chunks)), "member-huge")
    with pytest.raises(InputError, match="240,"):
        NativeSubmission(tmp_path / "m.zip", CITYSCAPES, ROAD_LABELS).predictions(FRAME, SIZE)


def test_what_lies_below_a_refused_folder_is_not_missing(tmp_path: Path) -> None:
    folder = spread(tmp_path / "real", sound_files(KITTI))
    for linked in ("pred_img", "pred_list"):
        here = tmp_path / linked
        here.mkdir()
        for part in ("pred_img", "pred_list"):
            if part == linked:
                (here / part).symlink_to(folder / part)
            else:
                shutil.copytree(folder / part, here / part)
        assert_alone(verify(here, KITTI), "member-link")
    backslashes = {name.replace("/", "\\"): data for name, data in sound_files(KITTI).items()}
    assert_alone(verify(pack(tmp_path / "s.zip", backslashes), KITTI), "member-backslash")


def test_a_submission_in_an_archive_in_an_archive(tmp_path: Path) -> None:
    inner = pack(tmp_path / "inner.zip", sound_files())
    assert_alone(verify(pack(tmp_path / "s.zip", {"inner.zip": inner.read_bytes()})), "archive-nested")


def test_a_path_that_is_no_text_can_be_reported(tmp_path: Path) -> None:
    path = pack(tmp_path / os.fsdecode(b"x\xff.zip"), sound_files())
    report = verify(path)
    (report.text() + json.dumps(report.to_json(), ensure_ascii=False)).encode()


def test_every_fault_of_these_checks_is_made_above(request: pytest.FixtureRequest) -> None:
    require_all_of(__name__, request)
    assert {code for code, fault in FAULTS.items() if fault.check <= Check.MEMBERS} <= MADE
