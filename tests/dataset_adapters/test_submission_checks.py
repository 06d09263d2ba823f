"""Every fault of lists, lines and masks, made on purpose in a sound archive, is found and named, and nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset_adapters import processes
from dataset_adapters.base import DatasetAdapter
from dataset_adapters.kitti import Kitti
from dataset_adapters.labels import ROAD_LABELS, LabelTable
from dataset_adapters.scannet import ScanNet, ScanNetRob2018
from dataset_adapters.submission.faults import FAULTS, Check
from dataset_adapters.submission.report import EXAMPLES, Outcome
from dataset_adapters.wilddash import WildDash

from .submissions import (
    CITYSCAPES,
    INDOOR_FRAMES,
    INDOOR_LABELS,
    KITTI,
    ROAD_FRAMES,
    SCANNET,
    SIZE,
    Files,
    object_mask,
    pack,
    png,
    resized,
    sound_files,
    spread,
)
from .verifying import FRAME, LINE, LIST, MADE, MASK, PIXELS, assert_alone, require_all_of, verify


@pytest.mark.parametrize("make", [pack, spread])
@pytest.mark.parametrize(
    ("layout", "labels", "names", "ids"),
    [
        (CITYSCAPES, ROAD_LABELS, ROAD_FRAMES, (24, 26, 33)),
        (KITTI, ROAD_LABELS, ("000000_10", "000001_10"), (25, 27, 28)),
        (SCANNET, INDOOR_LABELS, INDOOR_FRAMES, (3, 36, 39)),
    ],
)
def test_a_sound_submission_has_no_problem(tmp_path: Path, make, layout, labels, names, ids) -> None:
    path = make(tmp_path / "s", sound_files(layout, names, ids))
    report = verify(path, layout, labels, dict.fromkeys(names, SIZE))
    assert report.ok and not report.counts, report.text()
    assert {check.outcome for check in report.checks} == {Outcome.PASSED}
    assert (report.frames, report.predictions) == (len(names), 3 * len(names))


LISTS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("list-encoding", lambda text: text.decode().encode("utf-16")),
    ("line-bom", lambda text: b"\xef\xbb\xbf" + text),
    ("line-blank", lambda text: text + b"\n"),
    ("line-blank", lambda text: text.replace(b"\n", b"\n\n", 1)),
    ("line-tab", lambda text: text.replace(b" ", b"\t", 1)),
    ("line-spaces", lambda text: text.replace(b"\n", b" \n", 1)),
    ("line-spaces", lambda text: text.replace(b" ", b"  ", 1)),
    ("line-fields", lambda text: text.replace(b" 0.91", b"", 1)),
    ("line-fields", lambda text: text.replace(b"masks/", b"my masks/", 1)),
    ("line-number", lambda text: text.replace(b" 24 ", b" person ", 1)),
    ("line-number", lambda text: text.replace(b" 0.91", b" high", 1)),
    ("path-absolute", lambda text: b"/home/me/" + text),
    ("path-absolute", lambda text: b"C:/" + text),
    ("path-escape", lambda text: b"../" + text),
    ("path-backslash", lambda text: text.replace(b"masks/", b"masks\\", 1)),
    ("line-crlf", lambda text: text.replace(b"\n", b"\r\n")),
    ("label-fraction", lambda text: text.replace(b" 24 ", b" 24.0 ", 1)),
    ("label-unknown", lambda text: text.replace(b" 24 ", b" 99 ", 1)),
    ("label-no-instances", lambda text: text.replace(b" 24 ", b" 11 ", 1)),
    ("label-not-evaluated", lambda text: text.replace(b" 24 ", b" 29 ", 1)),
    ("score-nan", lambda text: text.replace(b" 0.91", b" nan", 1)),
    ("score-infinite", lambda text: text.replace(b" 0.91", b" inf", 1)),
    ("score-range", lambda text: text.replace(b" 0.91", b" -0.5", 1)),
    ("score-range", lambda text: text.replace(b" 0.91", b" 1.0001", 1)),
    ("mask-missing", lambda text: text + b"masks/none.png 24 0.5\n"),
    ("mask-missing", lambda text: text.replace(b"masks/", b"Masks/", 1)),
    ("mask-twice", lambda text: text + LINE.replace(b"24", b"26")),
    ("mask-unlisted", lambda text: text.partition(b"\n")[2]),
]


MASKS: list[tuple[str, bytes]] = [
    ("mask-format", b"\xff\xd8\xff\xe0 a JPEG"),
    ("mask-format", b""),
    ("mask-huge", resized(png(PIXELS), 30_000, 30_000)),
    ("mask-size", png(PIXELS[::2, ::2])),
    ("mask-size", png(PIXELS.T)),
    ("mask-broken", png(PIXELS)[:-30]),
    ("mask-broken", png(PIXELS)[:20]),
    ("mask-colour", png(PIXELS, "RGB")),
    ("mask-colour", png(PIXELS, "RGBA")),
    ("mask-colour", png(PIXELS, "LA")),
    ("mask-palette", png(PIXELS, "P")),
    ("mask-depth", png(PIXELS.astype(np.uint16) * 100)),
    ("mask-depth", png(PIXELS, "1")),
    ("mask-empty", png(PIXELS * 0)),
    ("mask-values", png(np.clip(PIXELS, 0, np.arange(SIZE[1], dtype=np.uint8) * 5))),
]


@pytest.mark.parametrize(("code", "change"), LISTS)
def test_faults_of_list_files(tmp_path: Path, code: str, change: Callable[[bytes], bytes]) -> None:
    files = sound_files()
    report = verify(pack(tmp_path / "s.zip", files | {LIST: change(files[LIST])}))
    assert_alone(report, code)
    if code != "mask-unlisted":
        assert {problem.file for problem in report.problems} == {LIST}


@pytest.mark.parametrize(("code", "data"), MASKS)
def test_faults_of_masks(tmp_path: Path, code: str, data: bytes) -> None:
    report = verify(pack(tmp_path / "s.zip", sound_files() | {MASK: data}))
    assert_alone(report, code)
    assert report.counts[code] == 1 and report.problems[0].file == MASK


def renamed(old: str, new: str) -> Files:
    return {name.replace(old, new): data for name, data in sound_files().items()}


def relabelled(new_ids: dict[int, int]) -> Files:
    def change(line: str) -> str:
        link, label, score = line.split()
        return f"{link} {new_ids[int(label)]} {score}\n"

    return with_lines(change)


def without(name: str) -> Files:
    return {key: data for key, data in sound_files().items() if key != name}


def rescored(score: Callable[[float], object]) -> Files:
    def change(line: str) -> str:
        link, label, value = line.split()
        return f"{link} {label} {score(float(value))}\n"

    return with_lines(change)


def with_lines(change: Callable[[str], str]) -> Files:
    lists = {name: data for name, data in sound_files().items() if name.endswith(".txt")}
    return sound_files() | {n: "".join(map(change, data.decode().splitlines())).encode() for n, data in lists.items()}


WHOLE: list[tuple[str, Files]] = [
    ("root-folder", {f"my_method/{name}": data for name, data in sound_files().items()}),
    ("root-folder", {f"a/b/{name}": data for name, data in sound_files().items()}),
    ("list-missing", without(LIST)),
    ("list-double", sound_files() | {f"{FRAME}_copy.txt": sound_files()[LIST]}),
    ("list-unknown", sound_files() | {"ulm_000000_000019_pred.txt": b""}),
    ("list-unknown", sound_files() | {"README.txt": b"hello"}),
    ("list-case", renamed(LIST, f"{FRAME.title()}_Pred.TXT")),
    ("list-place", without(LIST) | {f"lists/{LIST}": sound_files()[LIST].replace(b"masks/", b"../masks/")}),
    ("label-train-ids", relabelled({24: 11, 26: 13, 33: 18, 31: 16})),
    ("label-train-ids", relabelled({24: 0, 26: 2, 33: 7, 31: 5})),
    ("score-percent", rescored(lambda score: 100 * score)),
    ("score-equal", rescored(lambda score: 0.5)),
    (
        "mask-inverted",
        {n: png(255 - object_mask(int(n[-5]))) if n.endswith("png") else d for n, d in sound_files().items()},
    ),
]


@pytest.mark.parametrize("make", [pack, spread])
@pytest.mark.parametrize(("code", "files"), WHOLE)
def test_faults_of_the_whole(tmp_path: Path, make, code: str, files: Files) -> None:
    assert_alone(verify(make(tmp_path / "s", files)), code)


def test_more_predictions_than_the_benchmark_takes(tmp_path: Path) -> None:
    path = pack(tmp_path / "s.zip", sound_files())
    assert not verify(path, replace(CITYSCAPES, max_per_image=4)).counts
    report = verify(path, replace(CITYSCAPES, max_per_image=3))
    assert_alone(report, "list-long")
    assert "found 4 predictions, expected at most 3" in report.text()


def test_overlapping_masks_where_each_pixel_counts_once(tmp_path: Path) -> None:
    def columns(number: int, width: int) -> bytes:
        mask = np.zeros(SIZE, np.uint8)
        mask[:, 8 * number : 8 * number + width] = 255
        return png(mask)

    masks = [f"masks/{FRAME}_{i:03d}.png" for i in range(4)]
    beside = {name: columns(i, 8) for i, name in enumerate(masks)}
    once, alone = replace(CITYSCAPES, overlaps=False), {FRAME: SIZE}
    files = {n: d for n, d in sound_files(frames=(FRAME,)).items() if n == LIST} | beside
    assert not verify(pack(tmp_path / "a.zip", files), once, frames=alone).counts
    path = pack(tmp_path / "b.zip", files | {masks[1]: columns(1, 10)})
    assert not verify(path, frames=alone).counts
    report = verify(path, once, frames=alone)
    assert_alone(report, "mask-overlap")
    assert report.problems[0].file == masks[2] and "40 pixels" in report.problems[0].found


def test_strict_takes_warnings_for_errors(tmp_path: Path) -> None:
    path = pack(tmp_path / "s.zip", sound_files() | {"notes.md": b""})
    assert verify(path).ok
    report = verify(path, strict=True)
    assert (report.ok, report.errors, report.warnings) == (False, 1, 0)
    assert "error member-stray" in report.text() and report.to_json()["problems"][0]["severity"] == "error"


def test_any_number_of_processes_reports_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "s.zip", sound_files() | {MASK: png(PIXELS[::2]), "notes.md": b""})
    alone = verify(path)
    monkeypatch.setattr(processes, "TRIAL_S", 0)
    monkeypatch.setattr(processes, "START_S", 0)
    assert verify(path, workers=2).to_json() == alone.to_json()
    assert set(alone.counts) == {"mask-size", "member-stray"}


@pytest.mark.parametrize(
    ("code", "ids", "shift"), [("label-rob-ids", (3, 5, 39), 33), ("label-nyu-ids", (3, 5, 39), 0)]
)
def test_indoor_labels_of_the_other_edition(tmp_path: Path, code: str, ids: tuple[int, ...], shift: int) -> None:
    table = INDOOR_LABELS
    if code == "label-nyu-ids":
        table = LabelTable(tuple(replace(label, id=label.id + 33) for label in table))
    path = pack(tmp_path / "s.zip", sound_files(SCANNET, INDOOR_FRAMES, tuple(i + shift for i in ids)))
    assert_alone(verify(path, SCANNET, table, dict.fromkeys(INDOOR_FRAMES, SIZE)), code)


def test_a_palette_that_draws_the_object_black(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS // 255)
    image.putpalette([0, 0, 0] * 256)
    image.save(tmp_path / "mask.png")
    report = verify(pack(tmp_path / "s.zip", sound_files() | {MASK: (tmp_path / "mask.png").read_bytes()}))
    assert_alone(report, "mask-black")


def test_all_faults_are_told_in_one_pass(tmp_path: Path) -> None:
    files = without(f"{ROAD_FRAMES[1]}_pred.txt") | {MASK: b"", LIST: sound_files()[LIST] + b"\n"}
    report = verify(pack(tmp_path / "s.zip", files))
    assert report.counts == {"list-missing": 1, "line-blank": 1, "mask-format": 1}


def test_frames_and_sizes_may_be_unknown(tmp_path: Path) -> None:
    path = pack(tmp_path / "s.zip", sound_files() | {MASK: png(object_mask(0, (40, 50)))})
    assert_alone(verify(path), "mask-size")
    assert not verify(path, frames=dict.fromkeys(ROAD_FRAMES)).counts
    report = verify(path, frames={})
    assert report.ok and report.predictions == 12
    assert [check.check for check in report.checks if check.outcome is Outcome.SKIPPED] == [Check.LISTS, Check.MASKS]


def test_a_count_without_names_is_held_against_the_list_files(tmp_path: Path) -> None:
    path = pack(tmp_path / "s.zip", sound_files())
    for known in ({}, {ROAD_FRAMES[0]: SIZE}):
        report = verify(path, frames=known, expected=10)
        assert_alone(report, "list-count")
        assert "found 3 list files, expected 10" in report.text()
        assert not verify(path, frames=known, expected=3).counts
    assert verify(path, frames={ROAD_FRAMES[0]: SIZE}).counts["list-unknown"] == 2


def test_many_faults_are_counted_and_few_are_kept(tmp_path: Path) -> None:
    path = pack(tmp_path / "s.zip", sound_files() | {LIST: b"nonsense\n" * 100_000})
    report = verify(path)
    assert report.counts == {"line-fields": 1_000, "line-garbage": 1}
    assert len(report.problems) == EXAMPLES + 1
    assert f"and {1_000 - EXAMPLES:,} more" in report.text()
    assert f"{LIST}:1000: found 1,000 faulty lines; the rest of the file was not read" in report.text()


def test_the_report_names_file_line_found_expected_and_fix(tmp_path: Path) -> None:
    files = sound_files()
    report = verify(pack(tmp_path / "s.zip", files | {LIST: files[LIST].replace(b" 26 ", b" 99 ")}))
    text = report.text()
    assert f"  {LIST}:2: found label id 99, expected an id of the benchmark's table" in text
    assert FAULTS["label-unknown"].fix in text
    assert " 5 ✗ " in text and " 1 ✓ " in text
    data = json.loads(json.dumps(report.to_json()))
    assert data["ok"] is False and data["counts"] == {"label-unknown": 1}
    assert data["problems"][0]["line"] == 2 and data["checks"][4]["outcome"] == "failed"


def test_names_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    report = verify(pack(tmp_path / "s.zip", sound_files() | {"\x1b[2Jgone.txt": b"", "a" * 5000 + ".txt": b""}))
    assert "\x1b" not in report.text() and len(report.text()) < 5000


def test_a_list_file_that_is_no_list_ends_soon(tmp_path: Path) -> None:
    files = sound_files() | {LIST: b"a\n" * 400_000}
    begin = time.monotonic()
    report = verify(pack(tmp_path / "s.zip", files))
    assert time.monotonic() - begin < 5
    assert report.counts["line-garbage"] == 1
    MADE.add("line-garbage")


def test_a_second_list_does_not_hide_the_one_in_its_place(tmp_path: Path) -> None:
    proper = KITTI.list_name.format(frame=ROAD_FRAMES[0])
    for second in (f"{ROAD_FRAMES[0]}.txt", f"old/{ROAD_FRAMES[0]}.txt"):
        files = sound_files(KITTI) | {second: b""}
        report = verify(pack(tmp_path / "s.zip", files), KITTI)
        assert_alone(report, "list-double")
        assert second in report.text() and report.predictions == 4 * len(ROAD_FRAMES)
        files[proper] += b"\n"
        assert set(verify(pack(tmp_path / "b.zip", files), KITTI).counts) == {"list-double", "line-blank"}


def test_more_lists_than_frames_where_the_data_are_not_here(tmp_path: Path) -> None:
    path = pack(tmp_path / "s.zip", sound_files())
    assert_alone(verify(path, frames={}, expected=2), "list-count")
    assert_alone(verify(path, frames={}, expected=4), "list-count")
    assert not verify(path, frames={}, expected=3).counts
    assert not verify(path, replace(CITYSCAPES, other_counts=(2, 3)), frames={}, expected=2).counts


@pytest.mark.parametrize(
    ("adapter", "name", "frame"),
    [
        (Kitti, "000000_10.txt", "000000_10"), (Kitti, "README.txt", None),
        (WildDash, "au0000_100000.txt", "au0000_100000"),
        (WildDash, "notes.txt", None), (ScanNet, "scene0707_00_000000.txt", "scene0707_00_000000"),
        (ScanNet, "whatever_1.txt", None), (ScanNetRob2018, "scene0707_00_0.txt", "scene0707_00_0"),
    ],
)  # fmt: skip
def test_only_names_of_frames_are_list_files(adapter: type[DatasetAdapter], name: str, frame: str | None) -> None:
    assert adapter.submission is not None
    assert adapter.submission.frame_of(name) == frame


def test_a_folder_too_much_beside_other_files(tmp_path: Path) -> None:
    nested = {f"my/{name}": data for name, data in sound_files(KITTI).items()}
    report = verify(pack(tmp_path / "s.zip", nested | {"README.md": b"x"}), KITTI)
    assert set(report.counts) == {"root-folder", "member-stray"} and not report.ok


def test_folders_that_are_missing_are_one_fault(tmp_path: Path) -> None:
    flat = {name.rpartition("/")[2]: data for name, data in sound_files(KITTI).items()}
    assert_alone(verify(pack(tmp_path / "f.zip", flat), KITTI), "root-missing")
    lists_only = {name.removeprefix("pred_list/"): data for name, data in sound_files(KITTI).items()}
    assert set(verify(pack(tmp_path / "l.zip", lists_only), KITTI).counts) == {"root-missing"}
    masks = {name.removeprefix("masks/"): data for name, data in sound_files().items()}
    assert_alone(verify(pack(tmp_path / "m.zip", masks)), "root-missing")


@pytest.mark.parametrize("empty", [np.zeros(SIZE, np.uint16), np.zeros(SIZE, np.uint8)], ids=["16 bit", "palette"])
def test_an_empty_mask_of_any_kind_is_one_fault(tmp_path: Path, empty: np.ndarray) -> None:
    data = png(empty, "P" if empty.dtype == np.uint8 else None)
    assert_alone(verify(pack(tmp_path / "s.zip", sound_files() | {MASK: data})), "mask-empty")


def test_one_score_out_of_range_is_no_percent(tmp_path: Path) -> None:
    files = sound_files()
    files[LIST] = files[LIST].replace(b"0.91", b"7")
    assert_alone(verify(pack(tmp_path / "s.zip", files)), "score-range")


def test_utf16_without_its_mark(tmp_path: Path) -> None:
    for coding in ("utf-16-le", "utf-16-be"):
        files = sound_files()
        files[LIST] = files[LIST].decode().encode(coding)
        assert_alone(verify(pack(tmp_path / "s.zip", files)), "list-encoding")


def test_every_fault_of_these_checks_is_made_above(request: pytest.FixtureRequest) -> None:
    require_all_of(__name__, request)
    in_coco_results = {"results-format", "image-unknown", "box-differs"}  # tests/robsub/test_verify_coco.py
    wanted = {code for code, fault in FAULTS.items() if fault.check > Check.MEMBERS}
    assert wanted - in_coco_results <= MADE
