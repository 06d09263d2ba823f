"""Samples in the joint space: objects, ignored regions, flips, against the native files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dataset_adapters import rle
from dataset_adapters.coco import Coco
from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.problems import InputError
from dataset_adapters.registry import BENCHMARKS, get_adapter
from robsub.model.id_map import IGNORE
from robsub.training.draws import Draws
from robsub.training.images import is_object
from robsub.training.joint_dataset import JointDataset, Sample, joint_target, load_sample


@pytest.mark.parametrize("name", [*BENCHMARKS, "ade20k"])
def test_every_object_has_its_box_its_class_and_its_pixels(name: str, world: Path) -> None:
    adapter = get_adapter(name, world)
    for frame in adapter.frames("train"):
        truth = adapter.ground_truth(frame)
        wanted = [s for s in truth.instances if s.label.name in adapter.class_map]
        sample = load_sample(adapter, frame)
        target = sample.target
        assert sample.image.shape == (3, *truth.size)
        assert target["ids"].shape == truth.size
        assert [JOINT_CLASSES[i - 1] for i in target["labels"]] == [adapter.class_map[s.label.name] for s in wanted]
        for value, box, segment in zip(target["values"], target["boxes"], wanted, strict=True):
            rows, columns = np.nonzero((target["ids"] == value).numpy())
            assert len(rows) == segment.pixels
            assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_objects_that_others_hide_are_whole_on_further_maps(shared: Path) -> None:
    adapter = Coco(shared / "realdata/tiny_coco")
    hidden = 0
    for frame in adapter.frames("train"):
        sample = load_sample(adapter, frame, flip=True)
        objects = [s for s in adapter.ground_truth(frame).instances if is_object(s, adapter.class_map)]
        ids = sample.target["ids"]
        maps = ids[None] if ids.dim() == 2 else ids
        hidden += len(maps) - 1
        for value, segment in zip(sample.target["values"], objects, strict=True):
            mask = (maps == value).any(dim=0).numpy()
            assert np.array_equal(mask[:, ::-1], rle.decode(segment.rle))
    assert hidden > 5


def test_groups_and_void_are_ignored_and_stuff_is_background(world: Path) -> None:
    adapter = get_adapter("cityscapes", world)
    for frame in adapter.frames("train"):
        native = np.asarray(Image.open(frame.ground_truth))  # type: ignore[arg-type]
        ids = load_sample(adapter, frame).target["ids"].numpy()
        road = native == 7
        assert road.any()
        assert (ids[road] == 0).all()
        ignored = np.isin(native, [label.id for label in adapter.labels if label.void or label.has_instances])
        assert ignored.any()
        assert (ids[ignored] == IGNORE).all()


def test_a_flip_mirrors_image_boxes_and_ids(world: Path) -> None:
    adapter = get_adapter("kitti", world)
    frame = adapter.frames("train")[0]
    plain, mirrored = load_sample(adapter, frame), load_sample(adapter, frame, flip=True)
    assert torch.equal(mirrored.image, plain.image.flip(2))
    for value, box in zip(mirrored.target["values"], mirrored.target["boxes"], strict=True):
        rows, columns = np.nonzero((mirrored.target["ids"] == value).numpy())
        assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert torch.equal(mirrored.target["labels"], plain.target["labels"])


def test_another_image_of_its_data_set_takes_a_broken_ones_place(world: Path, tmp_path: Path) -> None:
    adapter = get_adapter("kitti", world)
    frames = [(adapter, frame) for frame in adapter.frames("train")[:2]]
    broken = tmp_path / "000000_10.png"
    broken.write_bytes(b"")
    frames[1] = (adapter, replace(frames[1][1], image=broken))
    dataset = JointDataset(frames, Draws((2,), (1.0,), 0.0, seed=0))
    samples = [dataset[i] for i in range(2)]
    assert all(isinstance(s, Sample) and s.name == f"kitti/{frames[0][1].name}" for s in samples)
    told = [error.problem.file for s in samples if isinstance(s, Sample) for error in s.broken]
    assert set(told) == {str(broken)}


def test_a_data_set_of_broken_files_returns_the_error(world: Path, tmp_path: Path) -> None:
    adapter = get_adapter("kitti", world)
    frames = [(adapter, replace(frame, image=tmp_path / "none.png")) for frame in adapter.frames("train")[:2]]
    error = JointDataset(frames, Draws((2,), (1.0,), 0.0, seed=0))[0]
    assert isinstance(error, InputError)
    assert "no such file" in str(error)


def test_an_object_without_a_pixel_is_no_object(world: Path) -> None:
    adapter = get_adapter("kitti", world)
    truth = adapter.ground_truth(adapter.frames("train")[0])
    nothing = replace(truth.instances[0], pixels=0, rle=rle.empty(truth.size))
    target, plain = (
        joint_target(t, adapter.class_map) for t in (replace(truth, segments=(nothing, *truth.segments)), truth)
    )
    assert (target["boxes"][:, 2:] > target["boxes"][:, :2]).all()
    assert all(torch.equal(target[name], plain[name]) for name in plain)
