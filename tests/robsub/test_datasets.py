"""The datasets verb: everything that is wrong, in one pass, each with its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dataset_adapters import processes
from dataset_adapters.base import Frame
from dataset_adapters.ground_truth import GroundTruth
from dataset_adapters.kitti import Kitti
from dataset_adapters.problems import InputError
from robsub.datasets import Inventory, next_step, take_inventory
from tests.dataset_adapters.layouts import PLAIN, cityscapes_frame, kitti_frame, painted, photo, scannet_frame


def kitti_of(root: Path, workers: int = 1) -> Inventory:
    return next(inventory for inventory in take_inventory(root, workers) if inventory.name == "kitti")


def codes(inventory: Inventory) -> dict[str, list[str]]:
    """code -> the files that have it, without the counts of a split that is not whole."""
    found: dict[str, list[str]] = {}
    for problem in inventory.problems:
        assert all((problem.file, problem.found, problem.expected, problem.fix))
        if problem.code != "frame-count":
            found.setdefault(problem.code, []).append(Path(problem.file).name)
    return found


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """KITTI with one fault a frame; frames 0 and 9 to 29 are whole."""
    for number in range(30):
        kitti_frame(tmp_path, painted({26 * 256 + 1: (0, 0), 24 * 256 + 1: (3, 3)}), number)
    kitti_frame(tmp_path, np.zeros((6, 8), dtype=np.uint8), 1)
    kitti_frame(tmp_path, painted({99 * 256: (0, 0)}), 2)
    folder = tmp_path / "kitti/training"
    photo(folder / "image_2/000003_10.png", (7, 8))
    (folder / "instance/000004_10.png").unlink()
    (folder / "image_2/000005_10.png").unlink()
    (folder / "image_2/000006_10.png").rename(folder / "image_2/000006_10.PNG")
    (folder / "image_2/000007_10.png").write_bytes((folder / "image_2/000007_10.png").read_bytes()[:-20])
    kitti_frame(tmp_path, painted({26 * 256 + 255: (0, 0), 27 * 256: (3, 3)}), 8)
    return tmp_path


@pytest.mark.parametrize("workers", [1, 2])
def test_every_problem_is_told_in_one_pass(broken: Path, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "TRIAL_S", 0)
    monkeypatch.setattr(processes, "START_S", 0)
    inventory = kitti_of(broken, workers)
    assert {code: sorted(files) for code, files in codes(inventory).items()} == {
        "ground-truth": ["000001_10.png", "000002_10.png", "000003_10.png"],
        "no-ground-truth": ["000004_10.png"],
        "no-photo": ["000005_10.png", "000006_10.png"],
        "file-case": ["000006_10.PNG"],
        "photo": ["000007_10.png"],
        "instance-overflow": ["000008_10.png"],
    }
    assert not inventory.ok
    assert (inventory.found["train"] + inventory.found["val"], inventory.found["test"]) == (28, 0)
    assert sum(inventory.instances["person"].values()) == 23
    assert inventory.to_json()["splits"]["train"]["expected"] == 160


def test_a_failure_that_nobody_thought_of_is_told_and_the_pass_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = kitti_frame(tmp_path, painted({26 * 256 + 1: (0, 0)}))
    kitti_frame(tmp_path, painted({26 * 256 + 1: (0, 0)}), 1)
    original = Kitti.read_ground_truth

    def failing(adapter: Kitti, frame: Frame) -> GroundTruth:
        if frame.ground_truth == first:
            raise MemoryError("two million by two million")
        return original(adapter, frame)

    monkeypatch.setattr(Kitti, "read_ground_truth", failing)
    inventory = kitti_of(tmp_path)
    (problem,) = (p for p in inventory.problems if p.code == "ground-truth")
    assert (problem.file, sum(inventory.instances["car"].values())) == (str(first), 1)
    assert "MemoryError: two million by two million" in problem.found


def test_a_data_set_that_is_only_not_whole_is_no_error(shared: Path) -> None:
    inventory = kitti_of(shared / "realdata")
    assert inventory.ok
    assert sum(sum(counts.values()) for counts in inventory.instances.values()) == 80
    assert {problem.code for problem in inventory.problems} == {"frame-count"}


def test_a_scene_of_two_splits_is_a_duplicate(tmp_path: Path) -> None:
    scannet_frame(tmp_path, painted({5001: (0, 0)}))
    for split in ("train", "val"):
        (tmp_path / f"scannet/scannetv2_{split}.txt").write_text("scene0011_00\n")
    (inventory,) = (i for i in take_inventory(tmp_path, 1) if i.name == "scannet")
    assert codes(inventory) == {"duplicate-name": ["000000.jpg"]}


def test_a_data_set_elsewhere_is_one_error_and_the_others_go_on(tmp_path: Path) -> None:
    cityscapes_frame(tmp_path / "cityscapes/too_deep", PLAIN)
    (tmp_path / "wilddash").symlink_to(tmp_path / "wilddash")
    (tmp_path / "scannet/scannet_frames_25k").mkdir(parents=True)
    (tmp_path / "scannet/scannet_frames_25k/scene0000_00").symlink_to("scene0000_00")
    kitti_frame(tmp_path, PLAIN)
    found = {inventory.name: inventory for inventory in take_inventory(tmp_path, 1)}
    told = {
        name: [(Path(p.file), p.found) for p in inventory.problems if p.code != "frame-count"]
        for name, inventory in found.items()
    }
    deep = tmp_path / "cityscapes/too_deep/cityscapes"
    circle = tmp_path / "scannet/scannet_frames_25k/scene0000_00"
    assert told == {
        "cityscapes": [(tmp_path / "cityscapes", f"the data in another folder, {deep}")],
        "wilddash": [(tmp_path / "wilddash", "a link that leads nowhere or runs in a circle")],
        "scannet": [(circle, "a link that runs in a circle")],
        "kitti": [], "ade20k": [], "coco": [],
    }  # fmt: skip
    assert found["kitti"].ok and not found["ade20k"].here


def test_annotations_without_any_photo_are_told(tmp_path: Path) -> None:
    for number in range(2):
        kitti_frame(tmp_path, PLAIN, number)
        (tmp_path / f"kitti/training/image_2/{number:06}_10.png").unlink()
    inventory = kitti_of(tmp_path)
    assert codes(inventory) == {"input": ["kitti"], "no-photo": ["000000_10.png", "000001_10.png"]}
    assert "Extract them there" in inventory.problems[0].fix


def test_frames_that_cannot_be_listed_are_one_problem(tmp_path: Path) -> None:
    folder = tmp_path / "wilddash/wd_public_02"
    photo(folder / "images/aa0000_100000.jpg")
    photo(folder / "panoptic/aa0000_100000.png")
    (folder / "panoptic.json").write_text("{")
    (inventory,) = (i for i in take_inventory(tmp_path, 1) if i.name == "wilddash")
    assert codes(inventory) == {"input": ["panoptic.json"]}


@pytest.mark.parametrize("method", ["frames_expected", "list_frames", "annotations"])
def test_a_folder_that_may_not_be_read_is_one_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    kitti_frame(tmp_path, painted({26 * 256 + 1: (0, 0)}))
    cityscapes_frame(tmp_path, painted({26001: (0, 0)}))

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "kitti/training")

    monkeypatch.setattr(Kitti, method, refused)
    found = {inventory.name: inventory for inventory in take_inventory(tmp_path, 1)}
    (problem,) = (p for p in found["kitti"].problems if p.code == "input")
    assert (problem.file, problem.found, problem.expected) == ("kitti/training", "permission denied", "permission")
    assert sum(found["cityscapes"].found.values()) == 1


def test_scenes_of_no_split_are_told_once(tmp_path: Path) -> None:
    scannet_frame(tmp_path, painted({5001: (0, 0)}))
    scannet_frame(tmp_path, painted({5001: (0, 0)}), scene="0800_00")
    (inventory,) = (i for i in take_inventory(tmp_path, 1) if i.name == "scannet")
    assert codes(inventory) == {"scene-without-split": ["scene0800_00"]}


def test_what_comes_next_depends_on_what_is_here(tmp_path: Path) -> None:
    (tmp_path / "KITTI").mkdir()
    inventories = take_inventory(tmp_path, 1)
    assert "Rename it to kitti" in next(i for i in inventories if i.name == "kitti").problems[0].fix
    assert next_step(inventories, tmp_path).startswith("extract the downloads")
    kitti_frame(tmp_path, PLAIN)
    assert next_step(take_inventory(tmp_path, 1), tmp_path) == f"robsub train --data-root {tmp_path}"


def test_a_missing_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--data-root"):
        take_inventory(tmp_path / "nowhere")
