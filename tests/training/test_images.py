"""Which images are trained on: missing data sets, images without objects, upright and lying ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from dataset_adapters.problems import InputError
from robsub.recipe import TrainConfig
from robsub.training.images import INDEX, TrainingImages, annotated_frames, training_images

DEMO = TrainConfig()


@pytest.fixture
def kitti(world: Path, tmp_path: Path) -> Path:
    """A data root with KITTI alone, whose second annotation is empty and whose third pair is upright."""
    root = tmp_path / "datasets"
    shutil.copytree(world / "kitti", root / "kitti")
    second, third = (
        [root / "kitti/training" / folder / f"{number:06}_10.png" for folder in ("image_2", "instance")]
        for number in (1, 2)
    )
    with Image.open(second[1]) as image:
        Image.new("I;16", image.size).save(second[1])
    for path in third:
        with Image.open(path) as image:
            image.transpose(Image.Transpose.ROTATE_90).save(path)
    return root


def find(root: Path, run: Path, **settings: object) -> TrainingImages:
    config = TrainConfig(datasets=("kitti",), **settings)  # type: ignore[arg-type]
    return training_images(config, annotated_frames(config, root), run)


def test_all_images_of_all_data_sets(world: Path, tmp_path: Path) -> None:
    images = training_images(DEMO, annotated_frames(DEMO, world), tmp_path)
    assert images.counts == {"cityscapes": 3, "kitti": 8, "wilddash": 8, "scannet": 3, "ade20k": 2}
    assert images.text() == "24 images (cityscapes 3, kitti 8, wilddash 8, scannet 3, ade20k 2)"
    assert not (tmp_path / INDEX).exists()


def test_a_missing_data_set_is_refused_unless_allowed(kitti: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no cityscapes, no wilddash.*train\.allow_missing=true"):
        annotated_frames(DEMO, kitti)
    some = TrainConfig(allow_missing=True)
    images = training_images(some, annotated_frames(some, kitti), tmp_path)
    assert images.counts == {"cityscapes": 0, "kitti": 8, "wilddash": 0, "scannet": 0, "ade20k": 0}
    assert "wilddash not here" in images.text()
    with pytest.raises(InputError, match="none of the data sets"):
        annotated_frames(some, tmp_path / "nowhere")


def test_images_without_an_object_are_left_out_if_asked(kitti: Path, tmp_path: Path) -> None:
    assert len(find(kitti, tmp_path).frames) == 8
    left = find(kitti, tmp_path, keep_empty=False)
    assert "000001_10" not in {frame.name for _, frame in left.frames}
    assert (len(left.frames), left.empty, left.counts) == (7, 1, {"kitti": 7})
    assert "1 without an object left out" in left.text()


def test_upright_images_are_told_from_lying_ones(kitti: Path, tmp_path: Path) -> None:
    for keep_empty in (True, False):
        images = find(kitti, tmp_path / str(keep_empty), group_by_aspect=True, keep_empty=keep_empty)
        upright = {frame.name for (_, frame), group in zip(images.frames, images.groups, strict=True) if group == 0}
        assert upright == {"000002_10"}


def test_what_was_read_is_kept_until_the_images_change(kitti: Path, tmp_path: Path) -> None:
    assert sum(find(kitti, tmp_path, group_by_aspect=True).groups) == 7
    index = json.loads((tmp_path / INDEX).read_text())
    index["lying"] = "0" * 8
    (tmp_path / INDEX).write_text(json.dumps(index))
    assert find(kitti, tmp_path, group_by_aspect=True).groups == (0,) * 8
    (kitti / "kitti/training/image_2/000005_10.png").unlink()
    assert sum(find(kitti, tmp_path, group_by_aspect=True).groups) == 7


def test_annotations_that_were_mended_are_read_again(kitti: Path, tmp_path: Path) -> None:
    empty, full = (kitti / f"kitti/training/instance/00000{number}_10.png" for number in (1, 3))
    assert find(kitti, tmp_path, keep_empty=False).empty == 1
    shutil.copy(full, empty)
    assert find(kitti, tmp_path, keep_empty=False).empty == 0


def test_photos_that_were_turned_are_read_again(kitti: Path, tmp_path: Path) -> None:
    photo = kitti / "kitti/training/image_2/000005_10.png"
    assert sum(find(kitti, tmp_path, group_by_aspect=True).groups) == 7
    with Image.open(photo) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(photo)
    assert sum(find(kitti, tmp_path, group_by_aspect=True).groups) == 6
