"""What a run tells while it trains: lines of JSON, and TensorBoard's files if asked."""

from __future__ import annotations

import json
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch

from dataset_adapters.problems import InputError
from robsub.files import naming, write_text

METRICS = "metrics.jsonl"
VALIDATION = "validation.jsonl"
TENSORBOARD = "tensorboard"


class MetricsLog:
    """The files of a run's numbers, exact to the last bit; only the main process has one. A context manager.

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
        """One validation's numbers: ``AP_<data set>`` of each, and ``AP``, their mean, with what it is the mean of."""
        self._write(VALIDATION, iteration, values, data_sets=[name[3:] for name in values if name.startswith("AP_")])

    def has_validation(self, iteration: int) -> bool:
        """Whether the validation of that iteration is written already."""
        return any(line["iteration"] == iteration for line in _read(self.run / VALIDATION))

    def _write(self, name: str, iteration: int, values: Mapping[str, float], **more: object) -> None:
        line = {"iteration": iteration, **values, **more}
        path = self.run / name
        with naming(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self.board is not None:
            for key, value in values.items():
                self.board.add_scalar(f"{Path(name).stem}/{key}", value, iteration)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is left."""
        if self.board is not None:
            self.board.close()


def _cut(path: Path, iteration: int) -> None:
    if path.is_file():
        kept = [line for line in _read(path) if line["iteration"] <= iteration]
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept))


def _read(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file; a kill may have left a part of one at its end."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


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
