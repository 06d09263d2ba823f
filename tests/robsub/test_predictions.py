"""The prediction store: round trip, resume after a cut line, refusal of what does not belong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataset_adapters import rle
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.problems import InputError
from robsub.predictions import MANIFEST as MANIFEST_NAME
from robsub.predictions import PredictionStore, PredictionWriter, open_store

MANIFEST = {"dataset": "kitti", "split": "val", "frames_expected": 2, "checkpoint": "c0ffee", "settings": {}}
SIZE = (6, 9)


def prediction(label: str = "car", score: float = 0.75) -> Prediction:
    mask = np.zeros(SIZE, dtype=bool)
    mask[1:4, 2:7] = True
    return Prediction(label, score, (2.0, 1.0, 7.0, 4.0), rle.encode(mask))


def fill(path: Path, *frames: str, shard: str = "rank-00000", **changed: Any) -> None:
    with PredictionWriter(path, shard, MANIFEST | changed) as writer:
        for frame in frames:
            writer.add(frame, SIZE, [prediction(), prediction("person", 0.5)])


def test_what_is_written_is_read_and_is_cocos_json(tmp_path: Path) -> None:
    fill(tmp_path, "a", "b")
    store = open_store(tmp_path, "kitti")
    assert set(store.frames()) == {"a", "b"}
    assert store.predictions("a", SIZE) == [prediction(), prediction("person", 0.5)]
    assert store.predictions("c", SIZE) is None
    record = json.loads((tmp_path / "rank-00000.jsonl").read_text().splitlines()[0])
    assert record["size"] == [6, 9]
    assert record["instances"][0]["bbox"] == [2.0, 1.0, 5.0, 3.0]
    assert record["instances"][0]["segmentation"]["counts"] == prediction().rle["counts"].decode()


def test_an_image_without_objects_is_there(tmp_path: Path) -> None:
    with PredictionWriter(tmp_path, "s", MANIFEST) as writer:
        writer.add("empty", SIZE, [])
    assert PredictionStore(tmp_path).predictions("empty", SIZE) == []


def test_a_cut_line_is_lost_and_written_again_and_nothing_else(tmp_path: Path) -> None:
    fill(tmp_path, "a", "b")
    shard = tmp_path / "rank-00000.jsonl"
    whole = shard.read_bytes()
    for cut in range(whole.index(b"\n") + 1, len(whole)):
        shard.write_bytes(whole[:cut])
        store = PredictionStore(tmp_path)
        assert set(store.frames()) == {"a"}
        cut_off = ["rank-00000.jsonl:2 is cut off; its image has no predictions in it."]
        assert store.notes() == (cut_off if whole[cut - 1 : cut] != b"\n" else [])
        with PredictionWriter(tmp_path, "rank-00000", MANIFEST) as writer:
            assert writer.done == {"a"}
        assert shard.read_bytes() == whole[: whole.index(b"\n") + 1]
    fill(tmp_path, "b")
    assert shard.read_bytes() == whole and PredictionStore(tmp_path).notes() == []


def test_shards_of_several_processes_are_one_store(tmp_path: Path) -> None:
    fill(tmp_path, "a", shard="rank-00000")
    fill(tmp_path, "b", shard="rank-00001")
    assert set(PredictionStore(tmp_path).frames()) == {"a", "b"}


@pytest.mark.parametrize("key", ["dataset", "split", "checkpoint", "settings"])
def test_another_runs_store_is_refused(tmp_path: Path, key: str) -> None:
    fill(tmp_path, "a")
    with pytest.raises(InputError, match=f"{key} = other.*--overwrite"):
        fill(tmp_path, "b", **{key: "other"})  # found is the store's, expected the run's
    assert set(PredictionStore(tmp_path).frames()) == {"a"}


def test_lines_of_nobody_knows_what_are_not_taken_for_done(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    (tmp_path / MANIFEST_NAME).unlink()
    with pytest.raises(InputError, match=r"found rank-00000\.jsonl without a manifest"):
        fill(tmp_path, "b", checkpoint="another")
    assert not (tmp_path / MANIFEST_NAME).exists()


def test_a_store_of_another_data_set_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    with pytest.raises(InputError, match="predictions of kitti, expected predictions of scannet"):
        open_store(tmp_path, "scannet")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"score": 0.75', b'"score": NaN'),
        (b'"instances"', b'"objects"'),
        (b'"size": [6, 9], "inst', b'"size": [9, 6], "inst'),
        (b'"image": "a"', b'"imag": "a"'),
        (b"[2.0, 1.0", b"[Infinity, 1.0"),
        (b'"counts": "', b'"counts": "1'),
        (b'"counts": "', b'"counts": "~'),
        (b'"score": 0.75', b'"score": 1' + 400 * b"0"),
        (b'"size": [6, 9], "inst', b'"size": [1e999, 9], "inst'),
        (b'"image": "a"', rb'"image": "\q"'),
        (b'"image": "a"', b'"previous": {"image": "a"}, "image": "b"'),
        (b'"instances": [', b'"instances": {}, "rest": ['),
        (b'"score": 0.75', b'"score": true'),
        (b'"score": 0.75', b'"score": "0.75"'),
        (b'"size": [6, 9], "inst', b'"size": [6.5, 9], "inst'),
        (b'"image": "a"', b'"image": "\xff"'),
        (b'"image": "a"', rb'"image": "\ud800"'),
        (b'"instances": [', b'"deep": ' + 100_000 * b"[" + b', "instances": ['),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, old: bytes, new: bytes) -> None:
    fill(tmp_path, "a")
    shard = tmp_path / "rank-00000.jsonl"
    assert old in shard.read_bytes()
    shard.write_bytes(shard.read_bytes().replace(old, new))
    with pytest.raises(InputError, match=r"rank-00000\.jsonl:1"):
        PredictionStore(tmp_path).predictions("a", SIZE)


@pytest.mark.parametrize("line", [b'[{"image": "a"}]\n', b'{"image": "a", "instances": 5}\n'])
def test_a_line_of_another_kind_is_named_where_its_objects_are_counted(tmp_path: Path, line: bytes) -> None:
    fill(tmp_path)
    (tmp_path / "rank-00000.jsonl").write_bytes(line)
    with pytest.raises(InputError, match=r"rank-00000\.jsonl:1"):
        PredictionStore(tmp_path).count("a")


@pytest.mark.parametrize("manifest", ["[]", "null", '"x"', '{"dataset": 5}', '{"dataset": "kitti", "split": []}'])
def test_a_manifest_of_another_kind_is_refused(tmp_path: Path, manifest: str) -> None:
    (tmp_path / MANIFEST_NAME).write_text(manifest)
    for use in (lambda: PredictionStore(tmp_path), lambda: fill(tmp_path)):
        with pytest.raises(InputError, match=r"manifest\.json: found JSON of another kind"):
            use()


def test_overridden_lines_are_counted(tmp_path: Path) -> None:
    fill(tmp_path, "c", "a", "b", "a")
    fill(tmp_path, "a", "b", shard="rank-00001")
    note = "3 lines count nothing, for a later line is of the same image: 2 images, first a."
    assert PredictionStore(tmp_path).notes() == [note]


@pytest.mark.parametrize(
    ("made_for", "split", "covered"),
    [("val", "val", True), ("trainval", "val", True), ("trainval", "train", True), (None, "test", True),
     ("trainval", "test", False), ("val", "trainval", False), ("test", "val", False)],
)  # fmt: skip
def test_a_store_covers_its_split_and_what_that_contains(
    tmp_path: Path, made_for: str | None, split: str, covered: bool
) -> None:
    fill(tmp_path, "a", split=made_for)
    assert PredictionStore(tmp_path).covers(split) == covered


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (
            b'"score": 0.',
            b'"score": NaN, "was": 0.',
            "found the score nan of instance 0, the first of 2, expected finite",
        ),
        (b'"size": [6, 9]', b'"size": [3, 9]', "found a with 9 x 3 pixels, expected 9 x 6"),
        (b'"counts": "', b'"counts": "1', "mask of instance 0 does not fill 9 x 6 pixels, the first of 2"),
    ],
)
def test_a_fault_is_told_for_what_it_is_and_counted(tmp_path: Path, old: bytes, new: bytes, found: str) -> None:
    fill(tmp_path, "a")
    shard = tmp_path / "rank-00000.jsonl"
    shard.write_bytes(shard.read_bytes().replace(old, new))
    with pytest.raises(InputError, match=found):
        PredictionStore(tmp_path).predictions("a", SIZE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_disk_is_told_and_the_finished_lines_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a")
    with (
        PredictionWriter(tmp_path, "rank-00001", MANIFEST) as writer,
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        monkeypatch.setattr(writer, "_file", full)
        with pytest.raises(InputError, match="found no space left on device, expected room for it"):
            writer.add("b", SIZE, [prediction()])
    assert set(PredictionStore(tmp_path).frames()) == {"a"}
