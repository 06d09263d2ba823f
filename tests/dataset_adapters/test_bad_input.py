"""Broken downloads: each is named with its file, what was found, what was expected and the fix."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from dataset_adapters.base import DatasetAdapter, Split
from dataset_adapters.folders import find
from dataset_adapters.images import check_whole
from dataset_adapters.problems import InputError
from dataset_adapters.registry import get_adapter
from tests.dataset_adapters.layouts import PLAIN, cityscapes_frame, kitti_frame, painted, photo, save


def refusal(adapter: DatasetAdapter, split: Split = "trainval") -> str:
    """What reading the split's first frame is refused with."""
    with pytest.raises(InputError) as caught:
        adapter.ground_truth(adapter.frames(split)[0])
    problem = caught.value.problem
    assert all((problem.file, problem.found, problem.expected, problem.fix))
    return str(caught.value)


@pytest.mark.parametrize(("pixels", "told"), [
    (np.zeros((6, 8), dtype=np.uint8), "an image of mode L, expected a 16-bit gray PNG"),
    (np.zeros((6, 8, 3), dtype=np.uint8), "coloured picture of the labels"),
    (np.zeros((6, 8, 4), dtype=np.uint8), "coloured picture of the labels"),
    (painted({200 * 256 + 1: (0, 0), 201 * 256: (3, 3)}), "label id 200 (pixel value 51201), 201 (pixel value 51456)"),
])  # fmt: skip
def test_a_map_of_the_wrong_kind(tmp_path: Path, pixels: np.ndarray, told: str) -> None:
    path = kitti_frame(tmp_path, pixels)
    text = refusal(get_adapter("kitti", tmp_path))
    assert told in text and str(path) in text


def test_a_map_of_another_size_names_both_files(tmp_path: Path) -> None:
    path = kitti_frame(tmp_path, PLAIN)
    image = photo(tmp_path / "kitti/training/image_2/000000_10.png", (7, 8))
    text = refusal(get_adapter("kitti", tmp_path))
    assert "8 x 6 pixels, expected 8 x 7" in text and str(path) in text and str(image) in text


def test_a_truncated_map(tmp_path: Path) -> None:
    path = kitti_frame(tmp_path, np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint16))
    path.write_bytes(path.read_bytes()[:-3000])
    assert "truncated" in refusal(get_adapter("kitti", tmp_path))


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_truncated_photo_is_known_by_its_end(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / name, np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8))
    check_whole(path)
    whole = path.read_bytes()
    path.write_bytes(whole + b"\0" * 40)  # some cameras pad
    check_whole(path)
    path.write_bytes(whole[:-2000])
    with pytest.raises(InputError, match="truncated"):
        check_whole(path)


def test_a_missing_map(tmp_path: Path) -> None:
    kitti_frame(tmp_path, PLAIN).unlink()
    assert "no such file" in refusal(get_adapter("kitti", tmp_path))


def test_a_map_whose_name_is_in_another_case(tmp_path: Path) -> None:
    path = kitti_frame(tmp_path, PLAIN)
    path.rename(path.with_suffix(".PNG"))
    assert "another case, 000000_10.PNG" in refusal(get_adapter("kitti", tmp_path))


def test_photos_whose_names_are_in_another_case(tmp_path: Path) -> None:
    kitti_frame(tmp_path, PLAIN)
    image = tmp_path / "kitti/training/image_2/000000_10.png"
    image.rename(image.with_suffix(".PNG"))
    assert "000000_10.PNG, a name in another case" in refusal(get_adapter("kitti", tmp_path))


def test_a_folder_whose_name_is_in_another_case(tmp_path: Path) -> None:
    kitti_frame(tmp_path, PLAIN)
    (tmp_path / "kitti/training").rename(tmp_path / "kitti/Training")
    assert "Training/image_2/000000_10.png, a name in another case" in refusal(get_adapter("kitti", tmp_path))


def test_a_data_set_one_folder_too_deep_is_found(tmp_path: Path) -> None:
    kitti_frame(tmp_path / "kitti/data_semantics", PLAIN)
    assert f"the data in another folder, {tmp_path}/kitti/data_semantics/kitti" in refusal(
        get_adapter("kitti", tmp_path)
    )


def test_a_data_set_one_folder_too_high_is_found(tmp_path: Path) -> None:
    cityscapes_frame(tmp_path, PLAIN)
    text = refusal(get_adapter("cityscapes", tmp_path / "cityscapes"))
    assert f"the data in another folder, {tmp_path}/cityscapes" in text


@pytest.mark.parametrize("name", ["kitti.zip", "kitti/data_semantics.zip", "kitti"])
def test_an_archive_where_a_folder_is_expected(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("training/x", "")
    text = refusal(get_adapter("kitti", tmp_path))
    assert str(path) in text and "xtract it" in text


def test_a_link_in_a_circle_instead_of_the_data_set(tmp_path: Path) -> None:
    (tmp_path / "kitti").symlink_to(tmp_path / "kitti")
    assert "runs in a circle" in refusal(get_adapter("kitti", tmp_path))


@pytest.mark.parametrize("name", ["kitti", "scannet", "cityscapes", "ade20k", "wilddash"])
def test_links_in_a_circle_inside_end(tmp_path: Path, name: str) -> None:
    folders = {
        "kitti": "training",
        "scannet": "scannet_frames_25k",
        "cityscapes": "leftImg8bit",
        "wilddash": "wd_val_01",
    }
    folder = tmp_path / name / folders.get(name, "ADE20K_2021_17_01/images/ADE/training/urban")
    folder.mkdir(parents=True)
    for inner in ("scene0011_00", "image_2", "train", "color", "street"):
        (folder / inner).symlink_to(folder)
    (folder / "train2").symlink_to(folder / "train2")
    with pytest.raises(InputError):
        get_adapter(name, tmp_path).frames("train")


def test_a_folder_that_is_a_circle_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "a")
    with pytest.raises(InputError, match="a link that runs in a circle"):
        list(find(tmp_path, "a/*.png"))


def test_an_empty_split_says_what_belongs_there(tmp_path: Path) -> None:
    kitti_frame(tmp_path, PLAIN)
    with pytest.raises(InputError, match=r"expected 200 images of split 'test', testing/image_2/\*_10.png"):
        get_adapter("kitti", tmp_path).frames("test")


def test_a_split_that_the_data_set_lacks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one of train, val, trainval"):
        get_adapter("ade20k", tmp_path).frames("test")
