"""Written archives: the line grammar, the layout of every benchmark, the same bytes each time, nothing lost."""

from __future__ import annotations

import io
import re
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dataset_adapters import rle
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import ROAD_CLASSES, ROAD_LABELS
from dataset_adapters.problems import InputError
from dataset_adapters.submission.checks import verify_submission
from dataset_adapters.submission.reader import NativeSubmission
from dataset_adapters.submission.selection import Selection
from dataset_adapters.submission.writer import FramePacker, SubmissionSummary, _decimal
from dataset_adapters.submission.writer import write_submission as write_packed

from .submissions import CITYSCAPES, INDOOR_LABELS, KITTI, SCANNET, SIZE, object_mask


def prediction(label: str, score: float, index: int = 0, size: tuple[int, int] = SIZE) -> Prediction:
    mask = rle.encode(object_mask(index, size) != 0)
    return Prediction(label, score, rle.box(mask), mask)


def write_submission(path, layout, labels, frames, **options) -> SubmissionSummary:
    packer = FramePacker(layout, labels, **options)
    return write_packed(path, (packer.pack(frame, given) for frame, given in frames))


ROAD = [
    ("000000_10", [prediction(name, (i + 1) / 10, i) for i, name in enumerate(ROAD_CLASSES)]),
    ("000001_10", []),
]


def text_of(path: Path, name: str) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


def test_lines_and_names_are_the_devkits(tmp_path: Path) -> None:
    path = tmp_path / "kitti.zip"
    summary = write_submission(path, KITTI, ROAD_LABELS, ROAD)
    assert (summary.frames, summary.predictions, summary.files) == (2, 8, 10)
    assert summary.bytes == path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        masks = [f"pred_img/000000_10_{i:03d}.png" for i in range(8)]
        assert archive.namelist() == ["pred_list/000000_10.txt", *masks, "pred_list/000001_10.txt"]
    lines = text_of(path, "pred_list/000000_10.txt").split("\n")
    assert lines[0] == "../pred_img/000000_10_000.png 033 0.8"
    assert lines[-1] == "" and len(lines) == 9
    assert all(re.fullmatch(r"\.\./pred_img/000000_10_\d{3}\.png 0\d\d 0\.\d+", line) for line in lines[:-1])
    assert text_of(path, "pred_list/000001_10.txt") == ""


def test_every_evaluated_class_keeps_its_native_id(tmp_path: Path) -> None:
    write_submission(tmp_path / "s.zip", CITYSCAPES, ROAD_LABELS, ROAD)
    ids = {int(line.split(" ")[1]) for line in text_of(tmp_path / "s.zip", "000000_10_pred.txt").splitlines()}
    assert ids == {24, 25, 26, 27, 28, 31, 32, 33}


def test_masks_are_gray_of_0_and_255_in_the_frames_size(tmp_path: Path) -> None:
    write_submission(
        tmp_path / "s.zip", SCANNET, INDOOR_LABELS, [("scene0707_00_000000", [prediction("sofa", 1.0, 2)])]
    )
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        image = Image.open(io.BytesIO(archive.read("predicted_masks/scene0707_00_000000_000.png")))
        assert (image.mode, image.size) == ("L", (SIZE[1], SIZE[0]))
        assert np.array_equal(np.asarray(image), object_mask(2))


def test_the_same_predictions_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        write_submission(tmp_path / name, KITTI, ROAD_LABELS, iter(ROAD))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {(m.date_time, m.compress_type, m.create_system) for m in archive.infolist()} == {
            ((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, 3)
        }


def test_ties_keep_their_order(tmp_path: Path) -> None:
    tied = [prediction("car", 0.5), prediction("bus", 0.7), prediction("person", 0.5), prediction("truck", 0.5)]
    write_submission(tmp_path / "s.zip", CITYSCAPES, ROAD_LABELS, [("a_0_0", tied)])
    ids = [line.split(" ")[1] for line in text_of(tmp_path / "s.zip", "a_0_0_pred.txt").splitlines()]
    assert ids == ["28", "26", "24", "27"]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    empty = rle.empty(SIZE)
    given = [prediction("car", 0.5), prediction("sofa", 0.4), prediction("sofa", 0.3), prediction("caravan", 0.2)]
    given.append(Prediction("car", 0.9, (0, 0, 0, 0), empty))
    summary = write_submission(tmp_path / "s.zip", CITYSCAPES, ROAD_LABELS, [("a_0_0", given)])
    assert summary.to_json() | {"bytes": 0} == {
        "frames": 1, "predictions": 1, "files": 2, "bytes": 0, "empty_masks": 1,
        "not_evaluated": {"caravan": 1, "sofa": 2}, "not_selected": {},
    }  # fmt: skip


def test_a_selection_takes_the_best_and_counts_the_others(tmp_path: Path) -> None:
    scores = {"car": 0.9, "bus": 0.8, "train": 0.7, "truck": 0.3, "person": 0.2, "rider": 0.1}
    given = [prediction(name, score, i) for i, (name, score) in enumerate(scores.items())]
    chosen = Selection(0.3, 2, frozenset(scores) - {"car", "bicycle"})
    summary = write_submission(tmp_path / "s.zip", CITYSCAPES, ROAD_LABELS, [("a_0_0", given)], selection=chosen)
    assert text_of(tmp_path / "s.zip", "a_0_0_pred.txt").splitlines() == [
        "masks/a_0_0_000.png 28 0.8", "masks/a_0_0_001.png 31 0.7",
    ]  # fmt: skip
    assert summary.not_selected == {
        "beyond the best 2 of their image": 1, "of a score below 0.3": 2, "of other classes": 1,
    }  # fmt: skip
    assert (summary.predictions, summary.files) == (2, 3)


def test_a_class_that_is_not_scored_cannot_be_selected() -> None:
    Selection(classes=frozenset({"bicycle"})).check(ROAD_LABELS)
    with pytest.raises(InputError, match="Did you mean 'bicycle'"):
        Selection(classes=frozenset({"bicycles"})).check(ROAD_LABELS)


def test_masks_of_one_bit_read_as_0_and_255(tmp_path: Path) -> None:
    for name, one_bit in (("8.zip", False), ("1.zip", True)):
        write_submission(tmp_path / name, KITTI, ROAD_LABELS, ROAD, one_bit=one_bit)
    read = [NativeSubmission(tmp_path / name, KITTI, ROAD_LABELS) for name in ("8.zip", "1.zip")]
    assert read[0].predictions("000000_10", SIZE) == read[1].predictions("000000_10", SIZE)
    with zipfile.ZipFile(tmp_path / "1.zip") as archive:
        assert Image.open(io.BytesIO(archive.read("pred_img/000000_10_000.png"))).mode == "1"


@given(st.floats(0, 1))
def test_scores_read_back_to_the_last_bit(score: float) -> None:
    text = _decimal(score)
    assert float(text) == score
    assert re.fullmatch(r"\d+(\.\d+)?", text)
    assert len(Decimal(text).normalize().as_tuple().digits) <= len(Decimal(repr(score)).normalize().as_tuple().digits)


@pytest.mark.parametrize(
    ("frames", "found"),
    [
        ([("a_0_0", [prediction("car", float("nan"))])], "score nan"),
        ([("a_0_0", [prediction("car", 1.5)])], "score 1.5"),
        ([("a_0_0", []), ("a_0_0", [])], "second list"),
        ([("a_0_0", [prediction("car", 0.5), prediction("car", 0.4, size=(40, 50))])], "masks of 32 x 20 and 50 x 40"),
        ([("a_0_0", [Prediction("car", 0.5, (0, 0, 1, 1), rle.Rle(size=[4, 4], counts=b"11"))])], "broken mask"),
    ],
)
def test_predictions_that_no_server_takes_are_refused(tmp_path: Path, frames: list, found: str) -> None:
    with pytest.raises(InputError, match=found):
        write_submission(tmp_path / "s.zip", CITYSCAPES, ROAD_LABELS, frames)


@pytest.mark.parametrize("layout", [CITYSCAPES, KITTI])
def test_what_is_written_reads_back_and_verifies_clean(tmp_path: Path, layout) -> None:
    frames = [(name.replace("_10", "_000000_000019"), items) for name, items in ROAD]
    write_submission(tmp_path / "s.zip", layout, ROAD_LABELS, frames)
    submission = NativeSubmission(tmp_path / "s.zip", layout, ROAD_LABELS)
    assert set(submission.frames()) == {name for name, _ in frames}
    for name, items in frames:
        assert submission.predictions(name, SIZE) == items[::-1]
    report = verify_submission(tmp_path / "s.zip", layout, ROAD_LABELS, {name: SIZE for name, _ in frames})
    assert report.ok and not report.counts, report.text()
