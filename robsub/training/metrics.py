"""What a run tells while it trains: lines of JSON, and TensorBoard's files if asked."""

from __future__ import annotations

import json
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dataset_adapters.problems import InputError
from robsub.files import naming, write_text

METRICS = "metrics.jsonl"
VALIDATION = "validation.jsonl"
TENSORBOARD = "tensorboard"


class MetricsLog:
    """The files of a run's numbers; only the main process has one.

    Args:
        run: the run's folder.
        iteration: where this start goes on; what an earlier one wrote of later iterations is dropped.
        tensorboard: write TensorBoard's files too.

    Raises:
        InputError: TensorBoard is asked for and not installed.
    """

    def __init__(self, run: Path, iteration: int, *, tensorboard: bool) -> None:
        self.run = run
        for name in (METRICS, VALIDATION):
            _cut(run / name, iteration)
        self.board: Any = _summary_writer(run / TENSORBOARD, iteration) if tensorboard else None

    def add(self, iteration: int, values: Mapping[str, float]) -> None:
        """One step's numbers."""
        self._write(METRICS, iteration, values)

    def add_validation(self, iteration: int, values: Mapping[str, float]) -> None:
        """One validation's numbers."""
        self._write(VALIDATION, iteration, values)

    def _write(self, name: str, iteration: int, values: Mapping[str, float]) -> None:
        line = {"iteration": iteration, **{key: round(value, 6) for key, value in values.items()}}
        path = self.run / name
        with naming(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self.board is not None:
            for key, value in values.items():
                self.board.add_scalar(f"{Path(name).stem}/{key}", value, iteration)

    def close(self) -> None:
        """Write what is left."""
        if self.board is not None:
            self.board.close()


def _cut(path: Path, iteration: int) -> None:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    kept = [line for line in lines if line.endswith("}") and json.loads(line)["iteration"] <= iteration]
    if len(kept) < len(lines):
        write_text(path, "".join(f"{line}\n" for line in kept))


def _summary_writer(folder: Path, iteration: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(
            "train.tensorboard", found="no package tensorboard", expected="it to be installed",
            fix="Install it with 'pip install tensorboard', or leave the setting out: metrics.jsonl has the numbers.",
        ) from error  # fmt: skip
    return SummaryWriter(str(folder), purge_step=iteration + 1)


def memory_mb(device: torch.device) -> float:
    """The most memory so far, MB: of the GPU, or of the process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
