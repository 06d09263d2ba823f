"""Prediction: the store it fills, what it refuses, odd photos, and what an object attended to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import robsub.predict
from dataset_adapters import rle
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.problems import InputError
from dataset_adapters.registry import get_adapter
from robsub.model.detections import Detections
from robsub.photos import read_photo
from robsub.predict import BATCHES_UNDER_WAY, Detector, ahead, load_detector, predict, remove_store, save_attention
from robsub.predictions import MANIFEST, PredictionStore
from robsub.training.checkpoint import load_checkpoint
from robsub.training.distributed import Process

CPU = torch.device("cpu")


pytestmark = pytest.mark.usefixtures("one_thread")


def altered(checkpoint: Path, path: Path, **changes: Any) -> Path:
    torch.save({**load_checkpoint(checkpoint), **changes}, path)
    return path


def stored(path: Path, name: str) -> list[Prediction]:
    store = PredictionStore(path)
    size = json.loads(next(line for line in _lines(path) if json.loads(line)["image"] == name))["size"]
    found = store.predictions(name, (size[0], size[1]))
    assert found is not None
    return found


def _lines(path: Path) -> list[str]:
    return [line for shard in path.glob("*.jsonl") for line in shard.read_text().splitlines()]


def test_store_holds_what_the_network_finds(kitti: Path, checkpoint: Path, tmp_path: Path) -> None:
    adapter = get_adapter("kitti", kitti)
    done = predict(adapter, "test", checkpoint, tmp_path / "store")
    assert (done.images, done.new, done.skipped) == (2, 2, ())
    detector = load_detector(checkpoint, load_checkpoint(checkpoint), CPU)
    roads = detector.indices(tuple(adapter.class_map.values()))
    for frame in adapter.frames("test"):
        image = read_photo(frame.image)
        found = detector.model.detect([image], roads)[0]
        expected = list(detector.predictions(found, (image.shape[1], image.shape[2])))
        got = stored(tmp_path / "store", frame.name)
        assert [(p.label, p.score, p.rle) for p in got] == [(p.label, p.score, p.rle) for p in expected]
        assert len(got) == 5
    assert predict(adapter, "test", checkpoint, tmp_path / "store").new == 0


def test_objects_without_a_pixel_are_left_out(kitti: Path, checkpoint: Path) -> None:
    adapter = get_adapter("kitti", kitti)
    detector = load_detector(checkpoint, load_checkpoint(checkpoint), CPU)
    image = read_photo(adapter.frames("test")[0].image)
    found = detector.model.detect([image])[0]
    found.mask_probs[0] = 0
    predictions = list(detector.predictions(found, (image.shape[1], image.shape[2])))
    assert len(predictions) < len(found)
    assert all(rle.area(p.rle) for p in predictions)


def test_the_recipes_threshold_cuts_the_masks(kitti: Path, checkpoint: Path) -> None:
    detector = load_detector(checkpoint, load_checkpoint(checkpoint), CPU)
    side = torch.full((1, 28, 28), 0.7)
    found = Detections(torch.tensor([[10.0, 10, 50, 30]]), torch.ones(1), torch.ones(1, dtype=torch.int64), side)
    for threshold, pixels in ((0.5, 40 * 20), (0.8, None)):
        inference = replace(detector.inference, mask_threshold=threshold)
        predictions = list(replace(detector, inference=inference).predictions(found, (60, 80)))
        assert [rle.area(p.rle) for p in predictions] == [pixels] * (pixels is not None)


def test_overwriting_deletes_a_store_or_nothing(tmp_path: Path) -> None:
    remove_store(tmp_path / "missing")
    remove_store(tmp_path)
    (tmp_path / "a.jsonl").write_text("somebody's lines")
    with pytest.raises(InputError, match="a folder with no manifest"):
        remove_store(tmp_path)
    (tmp_path / MANIFEST).write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"a folder with notes\.txt"):
        remove_store(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    (tmp_path / "notes.txt").unlink()
    remove_store(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_restart_of_torchrun_overwrites_nothing(
    kitti: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = get_adapter("kitti", kitti)
    again = partial(predict, adapter, "test", checkpoint, tmp_path / "store", overwrite=True)
    assert (again().new, again().new) == (2, 2)
    monkeypatch.setattr(robsub.predict, "join_run", lambda: nullcontext(Process(0, 1, CPU, restarted=True)))
    assert again().new == 0


def test_broken_images_are_listed_and_tried_again(kitti: Path, checkpoint: Path, tmp_path: Path) -> None:
    adapter = get_adapter("kitti", kitti)
    photo = adapter.frames("test")[0].image
    whole = photo.read_bytes()
    photo.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=photo.name):
        predict(adapter, "test", checkpoint, tmp_path / "store")
    done = predict(adapter, "test", checkpoint, tmp_path / "store", skip_broken=True)
    assert (done.images, done.new, len(done.skipped)) == (1, 1, 1)
    listed = json.loads((tmp_path / "store" / MANIFEST).read_text())["skipped"]
    assert len(listed) == 1
    assert str(photo) in listed[0]
    photo.write_bytes(whole)
    done = predict(adapter, "test", checkpoint, tmp_path / "store")
    assert (done.images, done.new) == (2, 1)
    assert json.loads((tmp_path / "store" / MANIFEST).read_text())["skipped"] == []


def test_settings_of_a_store_stay(kitti: Path, checkpoint: Path, tmp_path: Path) -> None:
    adapter = get_adapter("kitti", kitti)
    predict(adapter, "test", checkpoint, tmp_path / "store", amp=True, batch_size=2)
    predict(adapter, "test", checkpoint, tmp_path / "views", flip=True, sizes=(64, 96))
    assert len(_lines(tmp_path / "store")) == len(_lines(tmp_path / "views")) == 2
    with pytest.raises(InputError, match="'amp': True"):
        predict(adapter, "test", checkpoint, tmp_path / "store")
    with pytest.raises(InputError, match="'flip': True"):
        predict(adapter, "test", checkpoint, tmp_path / "views")
    assert predict(adapter, "test", checkpoint, tmp_path / "views", flip=True, sizes=(64, 96)).new == 0


def test_nan_is_named_with_its_tensor(kitti: Path, checkpoint: Path, tmp_path: Path) -> None:
    weights = load_checkpoint(checkpoint)["model"]
    weights["roi_heads.box_roi_pool.block.phi.weight"][0, 0] = float("nan")
    path = altered(checkpoint, tmp_path / "nan.pt", model=weights)
    with pytest.raises(
        InputError, match=r"1 of 256 numbers NaN or infinite in roi_heads\.box_roi_pool\.block\.phi\.weight"
    ):
        predict(get_adapter("kitti", kitti), "test", path, tmp_path / "store")
    predict(get_adapter("kitti", kitti), "test", checkpoint, tmp_path / "store", overwrite=True)
    with pytest.raises(InputError, match="NaN"):
        predict(get_adapter("kitti", kitti), "test", path, tmp_path / "store", overwrite=True)
    assert len(_lines(tmp_path / "store")) == 2  # a refused checkpoint costs nothing


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("nl_g", 4), ("nl_embedding", 4), ("nl_heads", ("mask",)), ("layers", (1, 1, 1, 2)), ("width", 8),
        ("stem_kernel", 7), ("fpn_channels", 16), ("box_fc", 128), ("box_convs", 3), ("mask_convs", 3),
        ("block", "bottleneck"),
    ],
)  # fmt: skip
def test_another_configuration_is_named(checkpoint: Path, tmp_path: Path, setting: str, value: object) -> None:
    state = load_checkpoint(checkpoint)
    there = state["recipe"]["model"][setting]
    state["recipe"]["model"][setting] = value
    with pytest.raises(InputError) as error:
        load_detector(tmp_path / "other.pt", state, CPU)
    problem = error.value.problem
    assert problem.found == f"weights of model.{setting} = {there}"
    assert problem.expected == f"model.{setting} = {value}, as its recipe says"


def test_a_tensor_of_another_shape_is_named(checkpoint: Path, tmp_path: Path) -> None:
    for name, words in (
        ("rpn.head.cls_logits.bias", r"found rpn\.head\.cls_logits\.bias of shape \(2,\), expected shape \(3,\)\."),
        (
            "roi_heads.box_predictor.cls_score.bias",
            "of shape .2,., expected shape .27,., a row for each of its classes",
        ),
    ):
        state = load_checkpoint(checkpoint)
        state["model"][name] = torch.zeros(2)
        with pytest.raises(InputError, match=words):
            load_detector(tmp_path / "other.pt", state, CPU)
        del state["model"][name]
        with pytest.raises(InputError, match="missing"):
            load_detector(tmp_path / "other.pt", state, CPU)
    with pytest.raises(InputError, match=r"found extra of shape .*, expected no such tensor"):
        load_detector(
            checkpoint, {**state, "model": load_checkpoint(checkpoint)["model"] | {"extra": torch.ones(1)}}, CPU
        )


def test_odd_photos_are_rgb(tmp_path: Path) -> None:
    """Whatever the mode, the same picture; a 16-bit one is not cut off at 255, and EXIF's turn is not followed."""
    grey = np.linspace(0, 255, 12 * 8).reshape(8, 12).astype(np.uint8)
    rgb = Image.fromarray(grey).convert("RGB")
    sixteen = Image.fromarray(grey.astype(np.uint16) * 256 + 7)
    exif = rgb.getexif()
    exif[0x0112] = 6  # turn by 90 degrees
    files = {
        "grey.png": Image.fromarray(grey), "sixteen.png": sixteen,
        "palette.png": rgb.convert("P", palette=Image.Palette.ADAPTIVE),
        "alpha.png": rgb.convert("RGBA"), "cmyk.tif": rgb.convert("CMYK"),
        "float.tif": Image.fromarray(grey * 1.0).convert("F"),
    }  # fmt: skip
    for name, image in files.items():
        image.save(tmp_path / name)
        read = read_photo(tmp_path / name)
        assert read.dtype == torch.uint8
        assert read.is_contiguous()
        expected = torch.from_numpy(grey).expand(3, 8, 12)
        assert (read.int() - expected.int()).abs().max() <= 1, name
    rgb.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    assert read_photo(tmp_path / "turned.jpg").shape == (3, 8, 12)


@pytest.mark.parametrize("size", [(1, 1), (200, 20000), (20000, 200)])
def test_odd_sizes_are_predicted(kitti: Path, checkpoint: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    adapter = get_adapter("kitti", kitti)
    frame = adapter.frames("test")[0]
    Image.new("L", size[::-1], 128).save(frame.image)
    assert predict(adapter, "test", checkpoint, tmp_path / "store").new == 2
    assert all(tuple(p.rle["size"]) == size for p in stored(tmp_path / "store", frame.name))


def test_loading_runs_one_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    used = []
    for item in ahead(items()):
        time.sleep(0.02)
        used.append(item)
        assert len(made) <= item + 2
    assert used == list(range(5))
    assert list(ahead(iter(()))) == []


def test_masks_are_made_meanwhile_but_do_not_pile_up(
    kitti: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = get_adapter("kitti", kitti)
    seen = {"waiting": 0, "most": 0}
    threads = set()
    detect = Detector.predictions

    def slowly(self: Detector, found: Detections, size: tuple[int, int]) -> list[Prediction]:
        threads.add(threading.current_thread())
        time.sleep(0.05)
        seen["waiting"] -= 1
        return list(detect(self, found, size))

    def quickly(self: Any, images: Any, classes: Any = None) -> list[Detections]:
        seen["waiting"] += 1
        seen["most"] = max(seen["most"], seen["waiting"])
        return [
            Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 28, 28))
        ]

    monkeypatch.setattr(Detector, "predictions", slowly)
    monkeypatch.setattr("robsub.model.mask_rcnn.MaskRCNN.detect", quickly)
    assert predict(adapter, "train", checkpoint, tmp_path / "store").new > 2 * BATCHES_UNDER_WAY
    assert 2 <= seen["most"] <= BATCHES_UNDER_WAY + 2
    assert threading.current_thread() not in threads


def test_attention_of_a_picture(kitti: Path, checkpoint: Path, tmp_path: Path) -> None:
    adapter = get_adapter("kitti", kitti)
    name = adapter.frames("test")[0].name
    picture = save_attention(adapter, "test", checkpoint, name, tmp_path / "looks")
    with Image.open(picture) as image:
        assert image.width > image.height / 4
    record = json.loads((tmp_path / "looks" / f"{name}.json").read_text())
    assert len(record["objects"]) == 5
    boxes = [found["box"] for found in record["objects"]]
    for found in record["objects"]:
        assert found["attends"].keys() == {"box", "mask"}
        for looks in found["attends"].values():
            weights = [look["weight"] for look in looks]
            assert weights == sorted(weights, reverse=True)
            assert 0 < sum(weights) <= 1.001
        assert all(look["box"] in boxes for look in found["attends"]["mask"])  # all objects: a row is whole
        assert sum(look["weight"] for look in found["attends"]["mask"]) == pytest.approx(1, abs=1e-3)
    with pytest.raises(InputError, match="no such image"):
        save_attention(adapter, "test", checkpoint, "none", tmp_path / "looks")
