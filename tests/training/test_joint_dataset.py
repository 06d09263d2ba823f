"""Samples in the joint space: objects, ignored regions, flips, against the native files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.problems import InputError
from dataset_adapters.registry import BENCHMARKS, get_adapter
from robsub.model.id_map import IGNORE
from robsub.training.draws import Draws
from robsub.training.joint_dataset import JointDataset, Sample, load_sample


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


def test_a_broken_file_is_returned_as_its_error(world: Path, tmp_path: Path) -> None:
    adapter = get_adapter("kitti", world)
    frames = [(adapter, frame) for frame in adapter.frames("train")[:2]]
    broken = tmp_path / "000000_10.png"
    broken.write_bytes(b"")
    from dataclasses import replace

    frames[1] = (adapter, replace(frames[1][1], image=broken))
    samples = JointDataset(frames, Draws((2,), "size", 0.0, seed=0))
    kinds = {type(samples[i]) for i in range(2)}
    assert kinds == {Sample, InputError}
