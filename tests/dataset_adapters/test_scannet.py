"""ScanNet: its two profiles are told apart by pixel values and give the same 18 classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_adapters.base import SPLITS, Split
from dataset_adapters.labels import INDOOR_CLASSES
from dataset_adapters.options import Options
from dataset_adapters.problems import InputError
from dataset_adapters.registry import get_adapter
from dataset_adapters.scannet import ROB18_LABELS, SCANNET_LABELS, VAL_SPACES, recognise_coding
from dataset_adapters.submission.layout import PRED_LIST
from tests.dataset_adapters.layouts import painted, photo, scannet_frame, write_json

OBJECTS = [(5, 1), (5, 2), (39, 7), (1, 1), (40, 1)]
"""(NYU40 id, number): two chairs, other furniture, a wall, otherprop."""
PLACES = [(0, 0), (0, 3), (0, 6), (3, 0), (3, 3)]


def coded(base: int, offset: int) -> np.ndarray:
    return painted({(n + offset) * base + k: place for (n, k), place in zip(OBJECTS, PLACES, strict=True)})


def test_both_profiles_give_the_same_objects(tmp_path: Path) -> None:
    scannet_frame(tmp_path / "v2", coded(1000, 0))
    scannet_frame(tmp_path / "rob", coded(256, 33), folder="scenes_all")
    found = []
    for root in (tmp_path / "v2", tmp_path / "rob"):
        adapter = get_adapter("scannet", root)
        truth = adapter.ground_truth(adapter.frames("val")[0])
        found.append([(s.label.name, s.rle) for s in truth.instances])
        assert {label.name for label in adapter.labels.evaluated} == set(INDOOR_CLASSES)
    assert found[0] == found[1]
    assert [name for name, _ in found[0]] == ["chair", "chair", "otherfurniture"]


def test_a_profile_has_its_own_ids_layout_and_protocol(tmp_path: Path) -> None:
    scannet_frame(tmp_path, coded(256, 33))
    rob, v2 = get_adapter("scannet", tmp_path), get_adapter("scannet", tmp_path, Options(profiles={"scannet": "v2"}))
    assert (rob.profile, rob.protocol, v2.profile, v2.protocol) == ("rob2018", "scannet_rob18", "v2", "scannet")
    assert rob.submission is not None and rob.submission.list_name == PRED_LIST.list_name
    assert [label.id for label in rob.labels.evaluated] == [
        36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 47, 49, 57, 61, 66, 67, 69, 72,
    ]  # fmt: skip
    assert v2.submission is not None and v2.submission.list_name == "{frame}.txt"


def test_a_profile_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one of v2, rob2018"):
        get_adapter("scannet", tmp_path, Options(profiles={"scannet": "v3"}))


OBJECT_LISTS = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 30)), min_size=1, max_size=20, unique=True)


@settings(max_examples=300, deadline=None)
@given(OBJECT_LISTS)
def test_the_coding_is_recognised_from_any_room(objects: list[tuple[int, int]]) -> None:
    # Numbers count upwards within a label, as the converters write them.
    highest = {nyu: max(k for n, k in objects if n == nyu) for nyu, _ in objects}
    room = [(nyu, k) for nyu, top in highest.items() for k in range(1, top + 1)]
    assert recognise_coding([0, *(1000 * nyu + k for nyu, k in room)]) == "v2"
    assert recognise_coding([0, *(256 * (nyu + 33) + k for nyu, k in room)]) == "rob2018"


def test_an_unlabelled_map_decides_nothing_and_the_folder_does(tmp_path: Path) -> None:
    assert recognise_coding([0, 1, 2]) is None
    scannet_frame(tmp_path, painted({}), folder="scenes_all")
    assert get_adapter("scannet", tmp_path).profile == "rob2018"


def test_tables_of_both_profiles_hold_every_nyu40_label_once() -> None:
    assert [label.id for label in ROB18_LABELS] == [0, *range(34, 74)]
    assert [label.name for label in ROB18_LABELS] == [label.name for label in SCANNET_LABELS]


def test_built_in_split_and_official_lists_agree_on_their_rooms(tmp_path: Path) -> None:
    assert len(VAL_SPACES) == 142  # the rooms of scannetv2_val.txt's 312 scenes
    for scene in ("0011_00", "0011_01", "0012_00"):
        scannet_frame(tmp_path, coded(1000, 0), scene=scene)
    adapter = get_adapter("scannet", tmp_path)
    assert [f.name for f in adapter.frames("val")] == ["scene0011_00_000000", "scene0011_01_000000"]
    assert [f.name for f in adapter.frames("train")] == ["scene0012_00_000000"]
    (adapter.root / "scannetv2_val.txt").write_text("\ufeffscene0012_00\n", encoding="utf-8")  # as Windows saves it
    assert [f.name for f in adapter.frames("val")] == ["scene0012_00_000000"]


def test_test_frames_are_of_either_package(tmp_path: Path) -> None:
    photo(tmp_path / "scannet/scenes_test/scene0707_00/color/000000.jpg")
    adapter = get_adapter("scannet", tmp_path)
    assert (adapter.profile, [f.name for f in adapter.frames("test")]) == ("rob2018", ["scene0707_00_000000"])


def test_nobody_says_how_many_frames_the_challenge_had(tmp_path: Path) -> None:
    scannet_frame(tmp_path, coded(256, 33), folder="scenes_all")
    adapter = get_adapter("scannet", tmp_path)
    assert [adapter.frames_expected(split) for split in SPLITS] == [None] * 4
    with pytest.raises(InputError, match="expected images of split 'test', scenes_test"):
        adapter.frames("test")
    write_json(adapter.root / "frames_expected.json", {"val": 1})
    assert adapter.frames_expected("val") == 1


def test_a_list_of_test_scenes_is_kept_to(tmp_path: Path) -> None:
    for scene in ("scene0707_00", "scene0708_00"):
        photo(tmp_path / f"scannet/scannet_frames_test/{scene}/color/000000.jpg")
    adapter = get_adapter("scannet", tmp_path)
    assert len(adapter.frames("test")) == 2
    (adapter.root / "scannetv2_test.txt").write_text("scene0708_00\n")
    assert [f.name for f in adapter.frames("test")] == ["scene0708_00_000000"]


def test_a_test_room_among_the_annotated_ones_is_left_aside_and_told(tmp_path: Path) -> None:
    for scene in ("0706_00", "0707_00"):
        scannet_frame(tmp_path, coded(1000, 0), scene=scene)
    adapter = get_adapter("scannet", tmp_path)
    assert [f.name for f in adapter.frames("trainval")] == ["scene0706_00_000000"]
    (told,) = adapter.remarks()
    assert (told.code, Path(told.file).name) == ("scene-without-split", "scene0707_00")


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_list_that_is_no_text_is_named(tmp_path: Path, split: Split) -> None:
    scannet_frame(tmp_path, coded(1000, 0))
    path = tmp_path / f"scannet/scannetv2_{split}.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=f"{path}: found no list of scenes"):
        get_adapter("scannet", tmp_path).frames(split)


@pytest.mark.parametrize(("forced", "told"), [("v2", ["other-coding"]), ("rob2018", [])])
def test_a_forced_profile_that_the_pixels_contradict_is_told(tmp_path: Path, forced: str, told: list[str]) -> None:
    scannet_frame(tmp_path, coded(256, 33), folder="scenes_all")
    adapter = get_adapter("scannet", tmp_path, Options(profiles={"scannet": forced}))
    assert [problem.code for problem in adapter.remarks()] == told


def test_a_second_release_is_told(tmp_path: Path) -> None:
    scannet_frame(tmp_path, coded(1000, 0))
    scannet_frame(tmp_path, coded(256, 33), folder="scenes_all")
    for forced, other in (("v2", "rob2018"), ("rob2018", "v2")):
        (told,) = get_adapter("scannet", tmp_path, Options(profiles={"scannet": forced})).remarks()
        assert (told.code, told.fix) == ("other-release", f"Read the other with --profile scannet={other}.")
