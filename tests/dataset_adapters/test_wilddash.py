"""WildDash: v1's folders, v2's panoptic files, and the table of frame sets."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from dataset_adapters import rle
from dataset_adapters.annotations.frame_sets import HAZARDS, read_frame_sets
from dataset_adapters.ground_truth import GroundTruth
from dataset_adapters.joint_space import BACKGROUND, IGNORED, training_role
from dataset_adapters.options import Options
from dataset_adapters.problems import InputError
from dataset_adapters.registry import get_adapter
from dataset_adapters.wilddash import WildDash2
from tests.dataset_adapters.layouts import PLAIN, painted, photo, save, write_json

HEADER = f"frame,negative,{','.join(HAZARDS)}\n"


def v1(root: Path, count: int = 5) -> Path:
    for i in range(count):
        folder = root / "wilddash/wd_val_01"
        photo(folder / f"au{i:04}_100000.png")
        save(folder / f"au{i:04}_100000_instanceIds.png", painted({26000 + i: (0, 0)}))
        save(folder / f"au{i:04}_100000_labelIds.png", np.zeros((6, 8), dtype=np.uint8))
    return root / "wilddash"


def v2(root: Path) -> Path:
    """Two frames: a pickup, a van, a crowd of people, the own car, and a road."""
    folder = root / "wilddash/wd_public_02"
    ids = painted({300: (0, 0), 70000 % 65536: (0, 3), 7: (0, 6), 9: (3, 0), 11: (3, 3)}).astype(np.uint32)
    ids[ids == 70000 % 65536] = 70000
    for name in ("aa0000_100000", "aa0001_100000"):
        photo(folder / f"images/{name}.jpg")
        colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
        save(folder / f"panoptic/{name}.png", colours)
    infos = [(300, 34, 0), (70000, 35, 0), (7, 24, 1), (9, 1, 0), (11, 7, 0)]
    segments = [{"id": i, "category_id": c, "iscrowd": crowd} for i, c, crowd in infos]
    names = [(0, "aa0000_100000"), (1, "aa0001_100000")]
    write_json(folder / "panoptic.json", {
        "images": [{"id": i, "file_name": f"{name}.jpg"} for i, name in names],
        "annotations": [{"image_id": i, "file_name": f"{n}.png", "segments_info": segments} for i, n in names],
        "categories": [],
    })  # fmt: skip
    return folder


def test_v1_splits_its_annotated_frames_and_passes_over_label_images(tmp_path: Path) -> None:
    v1(tmp_path)
    adapter = get_adapter("wilddash", tmp_path)
    assert [f.name for f in adapter.frames("val")] == ["au0004_100000"]
    assert len(adapter.frames("train")) == 4
    assert [s.native_id for s in adapter.ground_truth(adapter.frames("val")[0]).instances] == [26004]


def test_both_test_folders_have_their_official_counts(tmp_path: Path) -> None:
    photo(tmp_path / "wilddash/wd_bench_01/zm0003_100000.png")
    adapter = get_adapter("wilddash", tmp_path)
    assert adapter.frames_expected("test") == 156
    photo(tmp_path / "wilddash/wd_both_01/zm0003_100000.png")
    assert adapter.frames_expected("test") == 226  # the 70 annotated frames among them


def test_v2_reads_panoptic_segments(tmp_path: Path) -> None:
    v2(tmp_path)
    adapter = get_adapter("wilddash", tmp_path)
    assert adapter.profile == "v2"
    truth = adapter.ground_truth(adapter.frames("trainval")[0])
    found = [(s.native_id, s.label.name, s.is_group, s.pixels) for s in truth.segments]
    assert found == [
        (7, "person", True, 4), (9, "ego vehicle", False, 4), (300, "pickup", False, 4), (70000, "van", False, 4),
    ]  # fmt: skip
    assert rle.decode(truth.segments[2].rle)[:2, :2].all()


def test_the_other_release_is_told(tmp_path: Path) -> None:
    v1(tmp_path)
    assert list(get_adapter("wilddash", tmp_path).remarks()) == []
    v2(tmp_path)
    (told,) = get_adapter("wilddash", tmp_path).remarks()
    assert told.fix == "Read the other with --profile wilddash=v2."


def test_v2_names_what_each_of_its_eleven_instance_classes_becomes() -> None:
    roles = {label.name: training_role(WildDash2, label) for label in WildDash2.labels}
    official = "ego vehicle,person,rider,car,truck,bus,on rails,motorcycle,bicycle,pickup,van".split(",")
    assert {name: roles[name] for name in official} == {
        "ego vehicle": IGNORED, "person": "person", "rider": "rider", "car": "car", "truck": "truck", "bus": "bus",
        "on rails": "train", "motorcycle": "motorcycle", "bicycle": "bicycle", "pickup": "truck", "van": "car",
    }  # fmt: skip
    assert (roles["caravan"], roles["billboard"]) == (IGNORED, BACKGROUND)
    assert [label.name for label in WildDash2.labels if label.evaluated] == official


def v2p0(root: Path, category: int) -> GroundTruth:
    """One frame of the present release with one segment, number 9."""
    folder = root / f"{category}/wilddash/wd_public_v2p0"
    photo(folder / "images/aa0000_100000.jpg")
    save(folder / "panoptic/aa0000_100000.png", np.stack([painted({9: (0, 0)}), PLAIN, PLAIN], -1).astype(np.uint8))
    infos = [{"id": 9, "category_id": category, "iscrowd": 0}]
    write_json(folder / "panoptic.json", {
        "images": [{"id": 0, "file_name": "aa0000_100000.jpg"}],
        "annotations": [{"image_id": 0, "file_name": "aa0000_100000.png", "segments_info": infos}],
    })  # fmt: skip
    adapter = get_adapter("wilddash", root / str(category))
    return adapter.ground_truth(adapter.frames("trainval")[0])


def test_v2_reads_every_category_of_the_present_release(tmp_path: Path) -> None:
    roles: dict[str, set[int]] = defaultdict(set)
    for category in range(81):
        found = [training_role(WildDash2, segment.label) for segment in v2p0(tmp_path, category).segments]
        roles[found[0] if found else BACKGROUND].add(category)
    # The road classes and what the policy counts as one of them: kinds of riders, and the autorickshaw.
    assert {name: ids for name, ids in roles.items() if name not in (IGNORED, BACKGROUND)} == {
        "person": {24}, "rider": {25, 47, 48, 49}, "car": {26, 35}, "truck": {27, 34}, "bus": {28}, "train": {31},
        "motorcycle": {32, 58}, "bicycle": {33},
    }  # fmt: skip
    # Of the finer ones, what the policy counts as static, dynamic, ground or the own car.
    assert {category for category in roles[IGNORED] if category > 38} == {
        39, 40, 42, 44, 50, 51, 53, 54, 55, 57, 59, 60, 62, 63, 66, 67, 68, 69, 71, 72, 73,
    }  # fmt: skip


def test_v2_finer_riders_are_evaluated_as_riders(tmp_path: Path) -> None:
    (bicyclist,) = v2p0(tmp_path, 48).instances
    assert (bicyclist.native_id, bicyclist.label) == (9, WildDash2.labels.by_name["rider"])


def test_v2_unknown_category_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown category 81"):
        v2p0(tmp_path, 81)


def test_v2_png_of_another_release_is_refused(tmp_path: Path) -> None:
    folder = v2(tmp_path)
    save(folder / "panoptic/aa0000_100000.png", np.full((6, 8, 3), 9, dtype=np.uint8))
    adapter = get_adapter("wilddash", tmp_path)
    with pytest.raises(InputError, match=r"only in the PNG: \[592137\]"):
        adapter.ground_truth(adapter.frames("trainval")[0])
    save(folder / "panoptic/aa0000_100000.png", np.zeros((6, 8, 3), dtype=np.uint8))
    with pytest.raises(InputError, match=r"5 segment ids that stand only in the JSON: \[7, 9, 11, 300, 70000\]"):
        adapter.ground_truth(adapter.frames("trainval")[0])


def test_frame_sets_are_found_beside_the_photos_or_named(tmp_path: Path) -> None:
    root = v1(tmp_path)
    assert get_adapter("wilddash", tmp_path).frame_sets() == {}
    (root / "wd_val_01/frame_sets.csv").write_text(HEADER + "au0000_100000,1" + ",none" * 9 + ",high\n")
    sets = get_adapter("wilddash", tmp_path).frame_sets()["au0000_100000"]
    assert {"negative", "variations/high", "blur/none"} < sets and len(sets) == 11
    other = tmp_path / "mine.csv"
    other.write_text(HEADER + "au0001_100000,0" + ",low" * 10 + "\n")
    assert set(get_adapter("wilddash", tmp_path, Options(frame_sets=other)).frame_sets()) == {"au0001_100000"}


def test_a_table_that_does_not_fit_the_frames_is_told(tmp_path: Path) -> None:
    root = v1(tmp_path)
    photo(root / "wd_both_01/zm0003_100000.png")
    rows = [f"{name},0" + ",none" * 10 for name in ("au0000_100000", "au0001_100000.png", "zm0003_100000")]
    (root / "frame_sets.csv").write_text(HEADER + "\n".join(rows))
    found = {problem.code: problem.found for problem in get_adapter("wilddash", tmp_path).remarks()}
    assert found == {
        "frame-set-without-frame": "1 names without a frame, first 'au0001_100000.png'",
        "frame-without-set": "4 annotated frames that are not listed, first au0001_100000",
    }


@pytest.mark.parametrize(("text", "told"), [
    ("frame,negative\n", "no column blur"),
    (HEADER + "a,2" + ",none" * 10 + "\n", "negative = '2'"),
    (HEADER + "a,1" + ",none" * 9 + ",much\n", "variations = 'much'"),
    (HEADER + ("a,1" + ",none" * 10 + "\n") * 2, ":3: found frame 'a' a second time"),
    (HEADER + "a,1\n", "blur = None"),
    ("", "no column frame"),
    (HEADER.strip() + ",blur\n", "two columns 'blur'"),
    (f"negative,{','.join(HAZARDS)},frame\n0" + ",none" * 10 + "\n", ":2: found a line without a frame"),
])  # fmt: skip
def test_a_wrong_table_is_named_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "frame_sets.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_frame_sets(path)
    assert told in str(caught.value)
