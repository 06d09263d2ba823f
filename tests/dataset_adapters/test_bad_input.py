"""Broken downloads: each is named with its file, what was found, what was expected and the fix."""

from __future__ import annotations

import errno
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset_adapters.base import DatasetAdapter, Split
from dataset_adapters.folders import find
from dataset_adapters.images import check_whole
from dataset_adapters.options import Options
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


def test_a_thumbnails_end_is_not_the_photos(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
    thumbnail = save(tmp_path / "t.jpg", pixels[:12, :16]).read_bytes()
    path = save(tmp_path / "a.jpg", pixels)
    whole, inner = path.read_bytes(), b"Exif\0\0" + thumbnail
    whole = whole[:2] + b"\xff\xe1" + (len(inner) + 2).to_bytes(2, "big") + inner + whole[2:]
    path.write_bytes(whole)
    check_whole(path)
    for length in (len(whole) // 2, len(inner) + 10):  # within the pixels, and before they begin
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="does not open as an image"):
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


@pytest.mark.parametrize(("name", "folder"), [
    ("kitti", "training"), ("scannet", "scannet_frames_25k"), ("cityscapes", "leftImg8bit"), ("wilddash", "wd_val_01"),
    ("ade20k", "ADE20K_2021_17_01/images/ADE/training/urban"),
])  # fmt: skip
def test_folders_that_link_back_up_are_not_followed_for_ever(tmp_path: Path, name: str, folder: str) -> None:
    above = tmp_path / name / folder
    above.mkdir(parents=True)
    for inner in ("scene0000_00", "image_2", "train", "color", "street"):
        (above / inner).symlink_to(above)
    with pytest.raises(InputError, match=r"found no image, expected \d+ images of split 'train'"):
        get_adapter(name, tmp_path).frames("train")


@pytest.mark.parametrize(("target", "told"), [("train", "runs in a circle"), ("nowhere", "leads nowhere")])
def test_a_broken_link_on_the_way_to_photos_is_named(tmp_path: Path, target: str, told: str) -> None:
    (tmp_path / "cityscapes/leftImg8bit").mkdir(parents=True)
    link = tmp_path / "cityscapes/leftImg8bit/train"
    link.symlink_to(target)
    with pytest.raises(InputError, match=f"{link}.*: found a link that {told}"):
        get_adapter("cityscapes", tmp_path).frames("train")


@pytest.mark.parametrize(("target", "told"), [("000004_10.png", "runs in a circle"), ("gone.png", "leads nowhere")])
def test_a_photo_that_is_a_broken_link_is_named_and_keeps_its_place(tmp_path: Path, target: str, told: str) -> None:
    for number in range(6):
        kitti_frame(tmp_path, PLAIN, number)
    image = tmp_path / "kitti/training/image_2/000004_10.png"
    image.unlink()
    image.symlink_to(target)
    (frame,) = get_adapter("kitti", tmp_path).frames("val")  # the fifth, as if it were there
    assert frame.image == image
    with pytest.raises(InputError, match=f"000004_10.png: found a link that {told}.*Replace the link"):
        check_whole(image)


def test_a_folder_instead_of_a_map(tmp_path: Path) -> None:
    path = kitti_frame(tmp_path, PLAIN)
    path.unlink()
    path.mkdir()
    assert "found a folder, expected a whole image. Delete it" in refusal(get_adapter("kitti", tmp_path))


def test_a_map_that_is_a_link_in_a_circle(tmp_path: Path) -> None:
    path = kitti_frame(tmp_path, PLAIN)
    path.unlink()
    path.symlink_to(path)
    assert "a link that runs in a circle" in refusal(get_adapter("kitti", tmp_path))


def test_a_map_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path) -> None:  # the tests may run as root, who may read everything
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    kitti_frame(tmp_path, PLAIN)
    monkeypatch.setattr(Image, "open", forbidden)
    assert "a file that may not be read, expected a whole image. Mend its perm" in refusal(
        get_adapter("kitti", tmp_path)
    )


def test_a_folder_that_is_a_circle_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "a")
    with pytest.raises(InputError, match="a link that runs in a circle"):
        list(find(tmp_path, "a/*.png"))


@pytest.mark.parametrize("there", [(), ("testing",), ("testing/image_2",)])
def test_an_empty_split_says_what_belongs_there(tmp_path: Path, there: tuple[str, ...]) -> None:
    kitti_frame(tmp_path, PLAIN)
    for folder in there:
        (tmp_path / "kitti" / folder).mkdir(parents=True, exist_ok=True)
    with pytest.raises(InputError) as caught:
        get_adapter("kitti", tmp_path).frames("test")
    assert str(caught.value) == (
        f"{tmp_path}/kitti: found no image, expected 200 images of split 'test', "
        "testing/image_2/*_10.png. Extract them there; docs/data.md says which archive has them."
    )


@pytest.mark.parametrize(("there", "told"), [
    ("datasets/kitti", "Name the folder above it with --data-root: {}/datasets."),
    ("KITTI", "Rename it to kitti."),
    ("KITTI_2015", "Rename it to kitti."),
])  # fmt: skip
def test_a_data_set_under_another_name_or_root_is_found(tmp_path: Path, there: str, told: str) -> None:
    (tmp_path / there / "training").mkdir(parents=True)
    text = refusal(get_adapter("kitti", tmp_path))
    assert str(tmp_path / there) in text and text.endswith(told.format(tmp_path))


def test_a_split_that_the_data_set_lacks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one of train, val, trainval"):
        get_adapter("ade20k", tmp_path).frames("test")


def test_a_profile_of_a_data_set_that_has_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="profile 'v2', expected none: KITTI has one edition"):
        get_adapter("kitti", tmp_path, Options(profiles={"kitti": "v2"}))


@pytest.mark.parametrize(("text", "told"), [
    ('{"val": -1}', "val is -1"), ('{"vla": 1}', "unknown split 'vla'"), ('{"val": "1"}', "val is '1'"),
    ("[1]", "keys"), ("{", "JSONDecodeError"),
])  # fmt: skip
def test_wrong_counts_of_ones_own_are_named(tmp_path: Path, text: str, told: str) -> None:
    kitti_frame(tmp_path, PLAIN)
    path = tmp_path / "kitti/frames_expected.json"
    path.write_text(text)
    with pytest.raises(InputError, match=f"{path}: found no table of counts .*{told}"):
        get_adapter("kitti", tmp_path).frames_expected("val")
