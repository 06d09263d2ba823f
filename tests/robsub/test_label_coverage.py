"""What ``datasets --labels`` shows of the joint label space."""

from __future__ import annotations

from pathlib import Path

from dataset_adapters.joint_space import BACKGROUND, IGNORED
from dataset_adapters.labels import JOINT_CLASSES
from robsub.datasets import take_inventory
from robsub.label_coverage import labels_json, labels_text


def test_every_class_is_named_and_its_training_objects_are_counted(shared: Path) -> None:
    table = labels_text(take_inventory(shared / "realdata", 1)).split("\n\n")[0].splitlines()
    assert [line.split("  ")[0] for line in table[1:]] == list(JOINT_CLASSES)
    assert table[0].split() == ["class", "cityscapes", "kitti", "wilddash", "scannet", "ade20k", "coco"]
    car = next(line for line in table if line.startswith("car"))
    assert car.split("  ", 1)[1].split() == ["26", "26:", "33", "26", "-", "401+2928:", "23", "3"]


def test_what_becomes_of_the_other_labels_is_told(tmp_path: Path) -> None:
    (tmp_path / "wilddash/wd_both_02").mkdir(parents=True)
    inventory = next(i for i in take_inventory(tmp_path, 1) if i.name == "wilddash")
    text = " ".join(labels_text([inventory]).split())
    assert f"wilddash {IGNORED}: 0 unlabeled, 1 ego vehicle, 2 rectification border" in text
    assert f"wilddash {BACKGROUND}: 7 road, 8 sidewalk" in text and "38 road-marking" in text
    labels = {label["id"]: (label["name"], label["training"]) for label in labels_json([inventory])["wilddash"]}
    assert [labels[i] for i in (1, 7, 34)] == [("ego vehicle", IGNORED), ("road", BACKGROUND), ("pickup", "truck")]
    assert len(labels) == 39
