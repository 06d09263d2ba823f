"""One process of a training under torchrun that tells what it loaded and may kill itself; run by the tests.

``python recorded_training.py DATA OUT RANK_TO_KILL SETTING...``; with a rank of -1 nobody dies. Every start of a
process writes the samples that it loads to ``OUT/loaded-<start>-<rank>``.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from robsub.config import load_recipe
from robsub.train import train
from robsub.training import joint_dataset
from robsub.training.trainer import Trainer

DEADLY = 3
"""The iteration in which a process dies at its first start."""


def in_order(count: int, **_: object) -> torch.Tensor:
    """In the place of randperm, which picks anchors and RoIs: the same in one process as in two."""
    return torch.arange(count)


def main(data: str, out: str, rank_to_kill: str, *settings: str) -> None:
    """Train."""
    torch.set_num_threads(1)
    torch.randperm = in_order  # type: ignore[assignment]
    rank, start = os.environ.get("RANK", "0"), os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    load, step = joint_dataset.load_sample, Trainer._step
    loaded = Path(out) / f"loaded-{start}-{rank}"

    def recorded(*args: object, **kwargs: object) -> joint_dataset.Sample:
        sample = load(*args, **kwargs)  # type: ignore[arg-type]
        with loaded.open("a") as file:
            file.write(f"{sample.name}\n")
        return sample

    def deadly(self: Trainer, *args: object) -> dict[str, float]:
        if (rank, start, self.iteration) == (rank_to_kill, "0", DEADLY):
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, *args)  # type: ignore[arg-type]

    joint_dataset.load_sample = recorded
    Trainer._step = deadly  # type: ignore[method-assign, assignment]
    Path(out).mkdir(parents=True, exist_ok=True)
    train(load_recipe("demo", settings), Path(data), Path(out), overwrite=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
