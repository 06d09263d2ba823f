"""No archive takes time or memory without end, whether it is verified or read."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from dataset_adapters.labels import ROAD_LABELS
from dataset_adapters.problems import InputError
from dataset_adapters.submission.archive import MAX_LIST_BYTES
from dataset_adapters.submission.checks import MOST_FAULTY_LINES, verify_submission
from dataset_adapters.submission.mask_reader import LARGEST_FRAME
from dataset_adapters.submission.reader import NativeSubmission

from .submissions import CITYSCAPES, ROAD_FRAMES, SIZE, Files, object_mask, pack, png, sound_files

FRAME = ROAD_FRAMES[0]
LIST = f"{FRAME}_pred.txt"
MASK = f"masks/{FRAME}_000.png"
SMALL, UNKNOWN = SIZE[0] * SIZE[1] * 8 + 65_536, LARGEST_FRAME[0] * LARGEST_FRAME[1] * 8 + 65_536


def padded(size: int) -> bytes:
    """A sound PNG of this many bytes, by a chunk that nobody reads."""
    data = png(object_mask(0))
    chunk = b"zeRo" + bytes(size - len(data) - 12)
    framed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data[:33] + framed + data[33:]


def counts(tmp_path: Path, changes: Files, size: tuple[int, int] | None = SIZE) -> dict[str, int]:
    path = pack(tmp_path / "s.zip", sound_files() | changes)
    return dict(verify_submission(path, CITYSCAPES, ROAD_LABELS, dict.fromkeys(ROAD_FRAMES, size)).counts)


@pytest.mark.parametrize(("size", "most"), [(SIZE, SMALL), (None, UNKNOWN)])
def test_masks_are_bounded_by_their_frame(tmp_path: Path, size: tuple[int, int] | None, most: int) -> None:
    assert counts(tmp_path, {MASK: padded(most)}, size) == {}
    assert counts(tmp_path, {MASK: padded(most + 1)}, size) == {"member-huge": 1}


@pytest.mark.parametrize("name", [LIST, f"{FRAME}_copy.txt"])
def test_list_files_are_bounded(tmp_path: Path, name: str) -> None:
    found = counts(tmp_path, {name: b"a\n" * (MAX_LIST_BYTES // 2) + b"a"})
    assert found.pop("member-huge") == 1
    assert set(found) <= {"list-double"}


def test_a_list_of_many_faulty_lines_is_not_read_to_its_end(tmp_path: Path) -> None:
    most, sound = MOST_FAULTY_LINES, sound_files()[LIST]
    assert counts(tmp_path, {LIST: sound + b"a\n" * (most - 1)}) == {"line-fields": most - 1}
    assert counts(tmp_path, {LIST: sound + b"a\n" * (2 * most)}) == {"line-fields": most, "line-garbage": 1}


@pytest.mark.parametrize(
    ("name", "data"), [(LIST, b"a\n" * MAX_LIST_BYTES), (MASK, padded(SMALL + 1))], ids=["list", "mask"]
)
def test_the_reader_has_the_same_bounds(tmp_path: Path, name: str, data: bytes) -> None:
    path = pack(tmp_path / "s.zip", sound_files() | {name: data})
    with pytest.raises(InputError, match=rf"{name}: found [0-9,]+ bytes, expected"):
        NativeSubmission(path, CITYSCAPES, ROAD_LABELS).predictions(FRAME, SIZE)
