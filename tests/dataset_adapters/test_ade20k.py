"""ADE20K: the three releases, on the real samples and on small made ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset_adapters import rle
from dataset_adapters.ade20k import RELEASE, RELEASE_2016
from dataset_adapters.base import Frame
from dataset_adapters.labels import Label, LabelTable
from dataset_adapters.options import Options
from dataset_adapters.problems import InputError
from dataset_adapters.registry import get_adapter
from tests.dataset_adapters.layouts import photo, save, write_json


def every_class(frames: list[Frame]) -> LabelTable:
    """All classes of some frames, mapped or not."""
    objects = [
        o for f in frames for o in json.loads(f.image.with_suffix(".json").read_text("latin-1"))["annotation"]["object"]
    ]
    return LabelTable(tuple(Label(i, str(i), has_instances=True) for i in sorted({o["name_ndx"] for o in objects})))


def test_real_2021_masks_lie_in_one_region_each_of_the_seg_png(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = get_adapter("ade20k", shared / "realdata")
    frames = adapter.frames("train")
    monkeypatch.setattr(adapter, "labels", every_class(frames))
    objects = equal = 0
    for frame in frames:
        seg = np.asarray(Image.open(frame.image.with_name(f"{frame.name}_seg.png"))).astype(int)
        regions = (seg[..., 0] // 10 * 256 + seg[..., 1]) * 256 + seg[..., 2]
        for segment in adapter.ground_truth(frame).instances:
            mask = rle.decode(segment.rle)
            (region,) = np.unique(regions[mask])
            assert region // 256 == segment.label.id
            objects += 1
            equal += segment.pixels == np.count_nonzero(regions == region)
    assert (len(frames), objects, equal) == (3, 109, 105)


def test_real_2021_objects_are_the_whole_mapped_ones_of_the_json(shared: Path) -> None:
    adapter = get_adapter("ade20k", shared / "realdata")
    found = 0
    for frame in adapter.frames("train"):
        text = frame.image.with_suffix(".json").read_text("latin-1")
        whole = [o for o in json.loads(text)["annotation"]["object"] if o["parts"]["part_level"] == 0]
        wanted = [(o["id"], o["name_ndx"]) for o in whole if o["name_ndx"] in adapter.labels.by_id]
        assert [(s.native_id, s.label.id) for s in adapter.ground_truth(frame).segments] == wanted
        found += len(wanted)
    assert found == 43


@pytest.mark.parametrize(
    ("split", "seg", "people", "objects"),
    [
        ("train", "training/a/aiport_terminal/ADE_train_00000001", 39, 102),
        ("val", "validation/a/abbey/ADE_val_00000001", 0, 8),
    ],
)
def test_real_2016_seg_png_gives_its_objects(
    shared: Path, tmp_path: Path, split: str, seg: str, people: int, objects: int
) -> None:
    source = shared / "realdata/ade20k/ade20k_2016" / RELEASE_2016 / f"images/{seg}_seg.png"
    target = tmp_path / "ade20k" / RELEASE_2016 / f"images/{seg}_seg.png"
    target.parent.mkdir(parents=True)
    target.write_bytes(source.read_bytes())
    colours = np.asarray(Image.open(source))
    photo(target.with_name(target.name.replace("_seg.png", ".jpg")), colours.shape[:2])
    adapter = get_adapter("ade20k", tmp_path)
    truth = adapter.ground_truth(adapter.frames(split)[0])  # type: ignore[arg-type]
    assert adapter.profile == "2016"
    assert sum(s.label.name == "person" for s in truth.instances) == people
    values = np.unique(colours[..., 2])
    assert len(values) - 1 == objects  # every object has its own B, of which only the rank counts
    for segment in truth.instances:
        assert segment.pixels == np.count_nonzero(colours[..., 2] == values[segment.native_id])


def made_2021(root: Path, mask: np.ndarray, part_level: int = 0) -> Path:
    path = root / "ade20k" / RELEASE / "images/ADE/training/urban/street/X.jpg"
    photo(path)
    item = {"id": 4, "name_ndx": 401, "instance_mask": "X/instance_004_X.png", "parts": {"part_level": part_level}}
    write_json(path.with_suffix(".json"), {"annotation": {"imsize": [6, 8, 3], "object": item}})
    return save(path.parent / "X/instance_004_X.png", mask)


@pytest.mark.parametrize(("part_level", "pixels"), [(0, [3]), (1, [])])
def test_occluded_pixels_are_not_visible_and_parts_are_no_objects(
    tmp_path: Path, part_level: int, pixels: list[int]
) -> None:
    mask = np.zeros((6, 8), dtype=np.uint8)
    mask[0, :3], mask[1, :5] = 255, 128
    made_2021(tmp_path, mask, part_level)
    adapter = get_adapter("ade20k", tmp_path)
    assert [s.pixels for s in adapter.ground_truth(adapter.frames("train")[0]).segments] == pixels


def test_an_object_without_a_visible_pixel_is_left_out(tmp_path: Path) -> None:
    made_2021(tmp_path, np.full((6, 8), 128, dtype=np.uint8))
    adapter = get_adapter("ade20k", tmp_path)
    assert adapter.ground_truth(adapter.frames("train")[0]).segments == ()


@pytest.mark.parametrize(("changes", "told"), [
    ({"name_ndx": "abc"}, "'abc'"),
    ({"name_ndx": None}, "TypeError"),
    ({"name_ndx": 99999}, "class 99999, expected classes up to 3688"),
    ({"id": "x"}, "'x'"),
    ({"parts": {}}, "KeyError: 'part_level'"),
    ({"instance_mask": None}, "TypeError"),
    ({"instance_mask": "../../X.png"}, "leads out of the folder"),
    ({"instance_mask": "/X.png"}, "leads out of the folder"),
])  # fmt: skip
def test_a_broken_json_of_2021_is_named(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    path = made_2021(tmp_path, np.full((6, 8), 255, dtype=np.uint8)).parent.with_suffix(".json")
    data = json.loads(path.read_text())
    data["annotation"]["object"] |= changes
    write_json(path, data)
    adapter = get_adapter("ade20k", tmp_path)
    with pytest.raises(InputError, match=f"{path}: found .*{told}"):
        adapter.ground_truth(adapter.frames("train")[0])


@pytest.mark.parametrize(("mask", "told"), [
    (np.eye(6, 8, dtype=np.uint8), r"the values \[0, 1\], expected 255 where it is visible"),
    (np.full((6, 8, 3), 255, dtype=np.uint8), "an image of mode RGB, expected an 8-bit gray PNG"),
])  # fmt: skip
def test_a_mask_of_another_kind_is_refused(tmp_path: Path, mask: np.ndarray, told: str) -> None:
    path = made_2021(tmp_path, mask)
    adapter = get_adapter("ade20k", tmp_path)
    with pytest.raises(InputError, match=f"{path}: found {told}"):
        adapter.ground_truth(adapter.frames("train")[0])


def test_the_first_object_of_2016_counts_where_objects_fill_the_image(tmp_path: Path) -> None:
    colours = np.zeros((6, 8, 3), dtype=np.uint8)
    colours[:] = (401 // 256 * 10, 401 % 256, 85)
    colours[:2, :2] = (1831 // 256 * 10, 1831 % 256, 170)
    image = photo(tmp_path / "ade20k" / RELEASE_2016 / "images/training/s/street/ADE_train_00000001.jpg")
    path = save(image.with_name("ADE_train_00000001_seg.png"), colours)
    adapter = get_adapter("ade20k", tmp_path)
    (frame,) = adapter.frames("train")
    filled = [(s.native_id, s.label.name, s.pixels) for s in adapter.ground_truth(frame).segments]
    assert filled == [(1, "car", 44), (2, "person", 4)]
    colours[5] = 0
    save(path, colours)
    assert [(s.native_id, s.pixels) for s in adapter.ground_truth(frame).segments] == [(1, 36), (2, 4)]


def test_places_png_holds_class_and_number(tmp_path: Path) -> None:
    colours = np.zeros((6, 8, 3), dtype=np.uint8)
    colours[:2, :2], colours[:2, 3:5], colours[3:5, :2] = (9, 1, 0), (9, 2, 0), (99, 3, 0)
    photo(tmp_path / "ade20k/images/training/ADE_train_00000001.jpg")
    path = save(tmp_path / "ade20k/annotations_instance/training/ADE_train_00000001.png", colours)
    adapter = get_adapter("ade20k", tmp_path)
    (frame,) = adapter.frames("train")
    assert (adapter.profile, frame.ground_truth) == ("places", path)
    found = [(s.native_id, s.label.name, s.pixels) for s in adapter.ground_truth(frame).segments]
    assert found == [(1, "car", 4), (2, "car", 4)]
    colours[0, 0, 0] = 101
    save(path, colours)
    with pytest.raises(InputError, match="found class 101, expected classes up to 100"):
        adapter.ground_truth(frame)


def test_a_palette_png_is_refused(tmp_path: Path) -> None:
    photo(tmp_path / "ade20k/images/training/A.jpg")
    save(tmp_path / "ade20k/annotations_instance/training/A.png", np.zeros((6, 8), dtype=np.uint8))
    adapter = get_adapter("ade20k", tmp_path)
    with pytest.raises(InputError, match="an image of mode L, expected an RGB PNG"):
        adapter.ground_truth(adapter.frames("train")[0])


def test_other_releases_are_told(shared: Path) -> None:
    (told,) = get_adapter("ade20k", shared / "realdata").remarks()
    assert told.fix == "Read the other with --profile ade20k=2016."


def test_a_release_can_be_forced() -> None:
    counts = {
        profile: get_adapter("ade20k", Path("nowhere"), Options(profiles={"ade20k": profile})).splits["train"]
        for profile in ("2021", "2016", "places")
    }
    assert counts == {"2021": 25574, "2016": 20210, "places": 20210}


@pytest.mark.parametrize("above", [".", "dataset/unpacked"])
def test_a_missing_split_is_told_as_that(tmp_path: Path, above: str) -> None:
    made_2021(tmp_path, np.full((6, 8), 255, np.uint8))
    root = tmp_path / "ade20k"
    (root / above).mkdir(parents=True, exist_ok=True)
    (root / RELEASE).rename(root / above / RELEASE)
    adapter = get_adapter("ade20k", tmp_path)
    assert len(adapter.frames("train")) == 1
    with pytest.raises(InputError, match="found no image, expected 2000 images of split 'val'"):
        adapter.frames("val")
