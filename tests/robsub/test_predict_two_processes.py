"""Two processes under torchrun (gloo) make and fill one store, and speak with one voice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from dataset_adapters.registry import get_adapter
from robsub.predict import predict
from robsub.predictions import MANIFEST

ROOT = Path(__file__).resolve().parents[2]


def predict_by_two(data: Path, checkpoint: Path, out: Path, *options: str) -> str:
    """What two processes print that predict KITTI's training images."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "robsub", "predict"]
    where = ["--dataset", "kitti", "--split", "train", "--data-root", data, "--checkpoint", checkpoint, "--out", out]
    command = [sys.executable, *launcher, *map(str, where), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def lines(store: Path, shards: str = "*.jsonl") -> list[str]:
    return sorted(line for shard in store.glob(shards) for line in shard.read_text().splitlines())


def test_two_processes_fill_a_fresh_store_and_tell_it_once(kitti: Path, checkpoint: Path, tmp_path: Path) -> None:
    printed = predict_by_two(kitti, checkpoint, tmp_path / "two")
    assert printed.count("images of kitti train") == printed.count("Next: ") == 1
    assert [len(lines(tmp_path / "two", f"rank-0000{rank}.jsonl")) for rank in range(2)] == [4, 4]
    predict(get_adapter("kitti", kitti), "train", checkpoint, tmp_path / "one")
    images = [json.loads(line)["image"] for line in lines(tmp_path / "one")]
    assert [json.loads(line)["image"] for line in lines(tmp_path / "two")] == images
    ours, theirs = (json.loads((tmp_path / name / MANIFEST).read_text()) for name in ("one", "two"))
    assert ours == theirs

    (tmp_path / "two/rank-00001.jsonl").unlink()
    assert "8 images of kitti train, 4 of them new" in predict_by_two(kitti, checkpoint, tmp_path / "two")
    assert "8 of them new" in predict_by_two(kitti, checkpoint, tmp_path / "two", "--overwrite")


def test_two_processes_write_one_picture_of_attention(kitti: Path, checkpoint: Path, tmp_path: Path) -> None:
    name = get_adapter("kitti", kitti).frames("train")[0].name
    predict_by_two(kitti, checkpoint, tmp_path / "looks", "--attention", name)
    assert {path.name for path in (tmp_path / "looks").iterdir()} == {f"{name}.json", f"{name}.png"}
