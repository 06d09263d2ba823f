"""Native submissions as the official evaluators read them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dataset_adapters import rle
from dataset_adapters.labels import ROAD_LABELS
from dataset_adapters.problems import InputError
from dataset_adapters.scannet import SCANNET_LABELS
from dataset_adapters.submission.mask_png import write_mask
from dataset_adapters.submission.reader import NativeSubmission

from .submissions import (
    CITYSCAPES,
    KITTI,
    ROAD_FRAMES,
    SCANNET,
    SIZE,
    Files,
    object_mask,
    pack,
    png,
    sound_files,
    spread,
)

FRAME = ROAD_FRAMES[0]
LIST = f"{FRAME}_pred.txt"
MASK = f"masks/{FRAME}_000.png"


def plain_reading(list_file: Path, labels) -> list[tuple[str, float, bytes]]:
    """The official parser's loop over one list file, in its own few lines."""
    by_mask = {}
    for line in list_file.open():
        path, label, score = line.split(" ")
        by_mask[(list_file.parent / path).resolve()] = int(float(label)), float(score)
    read = []
    for path, (label_id, score) in by_mask.items():
        mask = np.array(Image.open(path).convert("L")) != 0
        if label_id in labels.by_id and mask.any():  # what the official code goes on with
            read.append((labels.by_id[label_id].name, score, rle.encode(mask)["counts"]))
    return read


def frame_size(root: Path, frame: str) -> tuple[int, int]:
    for path in root.rglob(f"{frame}_*.png"):
        with Image.open(path) as mask:
            return mask.height, mask.width
    return SIZE  # a frame without predictions


@pytest.mark.parametrize(
    ("name", "layout", "labels"),
    [("cityscapes", CITYSCAPES, ROAD_LABELS), ("kitti", KITTI, ROAD_LABELS), ("scannet", SCANNET, SCANNET_LABELS)],
)
def test_the_official_fixtures_read_as_plainly_read(shared: Path, name: str, layout, labels) -> None:
    root = shared / "fixtures" / name / "submission"
    submission = NativeSubmission(root, layout, labels)
    lists = {layout.frame_of(path.name): path for path in root.rglob("*.txt")}
    assert set(submission.frames()) == lists.keys()
    total = 0
    for frame, path in lists.items():
        found = submission.predictions(frame, frame_size(root, frame))
        assert found is not None
        taken = [p for p in found if p.label in labels.by_name and rle.area(p.rle)]
        assert [(p.label, p.score, p.rle["counts"]) for p in taken] == plain_reading(path, labels)
        assert all(p.box == rle.box(p.rle) for p in found)
        total += len(found)
    assert total > 100


def read(tmp_path: Path, changes: Files, layout=CITYSCAPES, labels=ROAD_LABELS):
    path = pack(tmp_path / "s.zip", sound_files() | changes)
    return NativeSubmission(path, layout, labels).predictions(FRAME, SIZE)


def test_a_frame_without_list_file_is_none(tmp_path: Path) -> None:
    submission = NativeSubmission(pack(tmp_path / "s.zip", sound_files()), CITYSCAPES, ROAD_LABELS)
    assert submission.predictions("ulm_000000_000019", SIZE) is None
    assert set(submission.frames()) == set(ROAD_FRAMES)
    assert pickle.loads(pickle.dumps(submission)).predictions(FRAME, SIZE) == submission.predictions(FRAME, SIZE)


def test_an_empty_list_is_no_prediction(tmp_path: Path) -> None:
    assert read(tmp_path, {LIST: b""}) == []


def test_of_two_lines_of_a_mask_the_last_one_counts(tmp_path: Path) -> None:
    found = read(tmp_path, {LIST: f"{MASK} 24 0.9\n./{MASK} 26 0.4\n".encode()})
    assert found is not None and [(p.label, p.score) for p in found] == [("car", 0.4)]


def test_labels_are_truncated_and_line_ends_free(tmp_path: Path) -> None:
    found = read(tmp_path, {LIST: f"{MASK} 026.9 1e-1\r\nmasks/{FRAME}_001.png 7 .5".encode()})
    assert found is not None and [(p.label, p.score) for p in found] == [("car", 0.1), ("road", 0.5)]


def test_every_value_but_0_is_the_object_and_empty_masks_are_handed_on(tmp_path: Path) -> None:
    faint = object_mask(0) // 255
    found = read(tmp_path, {MASK: png(faint), f"masks/{FRAME}_001.png": png(faint * 0)})
    assert found is not None and [bool(rle.area(p.rle)) for p in found] == [True, False, True, True]
    assert np.array_equal(rle.decode(found[0].rle), faint != 0)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "1", "LA", "I;16"])
def test_masks_of_any_mode_are_read_as_the_official_code_does(tmp_path: Path, mode: str) -> None:
    found = read(tmp_path, {MASK: png(object_mask(0), mode)})
    assert found is not None and np.array_equal(rle.decode(found[0].rle), object_mask(0) != 0)


def test_masks_of_other_classes_are_not_looked_at(tmp_path: Path) -> None:
    lines = f"nowhere.png 7 0.5\n{MASK} 8 0.5\n".encode()
    found = read(tmp_path, {LIST: lines, MASK: png(object_mask(0, (40, 50)))})
    assert found is not None and [(p.label, rle.area(p.rle)) for p in found] == [("road", 0), ("sidewalk", 0)]


def test_unknown_labels_stop_or_are_handed_on_as_the_benchmark_does(tmp_path: Path) -> None:
    lines = f"{MASK} 99 0.9\nmasks/{FRAME}_001.png 24 0.8\n".encode()
    with pytest.raises(InputError, match=rf"{LIST}:1: found label id 99"):
        read(tmp_path, {LIST: lines})
    files = {f"{FRAME}.txt": lines, MASK: png(object_mask(0)), f"masks/{FRAME}_001.png": png(object_mask(1))}
    found = NativeSubmission(spread(tmp_path / "d", files), SCANNET, SCANNET_LABELS).predictions(FRAME, SIZE)
    assert found is not None and [p.label for p in found] == ["id 99", "refrigerator"]


def test_lines_that_a_later_one_overrides_are_counted(tmp_path: Path) -> None:
    lines = f"{MASK} 24 0.9\n./{MASK} 26 0.4\n{MASK} 25 0.1\n".encode()
    submission = NativeSubmission(pack(tmp_path / "s.zip", sound_files() | {LIST: lines}), CITYSCAPES, ROAD_LABELS)
    assert submission.notes() == [f"2 lines count nothing, for a later line names the same mask; first {LIST}:1."]
    assert submission.count(FRAME) == 3
    assert NativeSubmission(pack(tmp_path / "t.zip", sound_files()), CITYSCAPES, ROAD_LABELS).notes() == []


def test_faults_of_a_frame_are_counted(tmp_path: Path) -> None:
    second = f"masks/{FRAME}_001.png"
    other_size = png(object_mask(0, (10, 16)))
    for changes, found in (
        (
            {LIST: f"{MASK} 24 nan\n{second} 24 0.5\n{second} 24 nan\n".encode()},
            f"{LIST}:1: found the score 'nan', the first of 2",
        ),
        ({LIST: f"{MASK} 99 0.9\n{second} 98 0.8\n".encode()}, f"{LIST}:1: found label id 99, the first of 2"),
        ({MASK: other_size, second: other_size}, f"{MASK}: found 16 x 10 pixels, the first of 2"),
    ):
        with pytest.raises(InputError, match=found):
            read(tmp_path, changes)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({LIST: f"{MASK} 24 0.9\n\n".encode()}, f"{LIST}:2: found a blank line"),
        ({LIST: f"{MASK}\t24\t0.9\n".encode()}, "single spaces"),
        ({LIST: f"{MASK} 24 0.9 \n".encode()}, "single spaces"),
        ({LIST: f"{MASK} 24\n".encode()}, "2 fields"),
        ({LIST: f"{MASK} car 0.9\n".encode()}, "the label 'car'"),
        ({LIST: f"{MASK} 24 nan\n".encode()}, "the score 'nan'"),
        ({LIST: f"/{MASK} 24 0.9\n".encode()}, "relative"),
        ({LIST: f"../{MASK} 24 0.9\n".encode()}, "inside the submission"),
        ({LIST: b"masks/none.png 24 0.9\n"}, "no file 'masks/none.png'"),
        ({LIST: f"\ufeff{MASK} 24 0.9\n".encode()}, "byte order mark"),
        ({f"copy/{FRAME}.txt": b""}, "one list file a frame"),
        ({MASK: png(object_mask(0, (10, 16)))}, f"{MASK}: found 16 x 10 pixels, expected 32 x 20"),
        ({MASK: png(object_mask(0))[:-30]}, "whole PNG"),
        ({MASK: b"GIF89a"}, "PNG file"),
        ({"../out.txt": b""}, "none below the root"),
    ],
)
def test_what_the_official_code_stops_at_is_told(tmp_path: Path, changes: Files, found: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, changes)
    assert found in str(caught.value)
    assert str(tmp_path / "s.zip") in str(caught.value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8), st.binary(max_size=60))
def test_no_damage_ends_in_a_traceback(tmp_path: Path, damage: list[tuple[int, int]], text: bytes) -> None:
    own = write_mask(rle.encode(object_mask(0) != 0))
    path = pack(tmp_path / "s.zip", sound_files() | {MASK: own, LIST: sound_files()[LIST] + text})
    data = bytearray(path.read_bytes())
    for place, value in damage:
        data[place % len(data)] = value
    path.write_bytes(data)
    try:
        submission = NativeSubmission(path, CITYSCAPES, ROAD_LABELS)
        for frame in submission.frames():
            assert all(p.rle["size"] == list(SIZE) for p in submission.predictions(frame, SIZE) or [])
    except InputError as error:
        assert error.problem.fix
