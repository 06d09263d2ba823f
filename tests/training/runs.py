"""Short runs of the demo recipe, and what they leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from dataset_adapters.labels import JOINT_CLASSES
from robsub.training.checkpoint import save_checkpoint

SETTINGS = (
    "train.iterations=6", "train.batch_size=2", "train.workers=0", "train.log_every=1", "train.checkpoint_every=2",
    "train.keep_checkpoints=3", "train.time_budget_s=0",
)  # fmt: skip
"""Six steps, and the checkpoints after every second one."""


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a JSONL file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def losses(run: Path) -> list[tuple[int, float]]:
    """(iteration, loss) of every step that the run tells of."""
    return [(line["iteration"], line["loss"]) for line in lines(run / "metrics.jsonl")]


def save(run: Path, iteration: int, *, keep: int = 3, is_best: bool = False, **others: object) -> None:
    """A checkpoint that training would go on from, but for its weights."""
    state = {
        "recipe": {},
        "classes": list(JOINT_CLASSES),
        "model": {"weight": torch.full((64, 64), float(iteration))},
        "optimizer": {},
        "iteration": iteration,
        "seconds": 1.0,
        "rng": [[torch.get_rng_state()]],
        "finished": False,
        **others,
    }
    save_checkpoint(run, state, keep=keep, best=is_best)
