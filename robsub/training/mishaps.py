"""What can go wrong in a step, and what the user can do about it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from dataset_adapters.problems import InputError
from robsub.files import atomic_path
from robsub.recipe import TrainConfig
from robsub.training.checkpoint import CHECKPOINT, former_checkpoints, save_tensors
from robsub.training.joint_dataset import Sample

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""What CUDA's and the CPU's allocators say."""
NOT_FINITE = "not-finite"
"""The folder of a run that keeps the images of a step whose losses or gradient were not finite."""


@contextmanager
def memory_advice(config: TrainConfig, run: Path, doing: str, images: int = 1) -> Iterator[None]:
    """Turn running out of memory into a paragraph that says what to lower.

    Args:
        config: the recipe's training part.
        run: the run's folder.
        doing: what the memory is for, in words.
        images: images of this process in one pass through the network.
    """
    try:
        yield
    except RuntimeError as error:
        if not any(words in str(error) for words in OUT_OF_MEMORY):
            raise
        kept = " The checkpoint is kept, and the run goes on from it with them." if (run / CHECKPOINT).is_file() else ""
        raise InputError(
            "train", found=f"not enough memory for {doing}", expected="room for it",
            fix=f"{_more_parts(config, images)} Further: -o train.precision=bfloat16 on a GPU, a lower model.max_size "
            f"and model.min_size, a lower model.roi_batch.{kept}",
        ) from error  # fmt: skip


def _more_parts(config: TrainConfig, images: int) -> str:
    if images > 1:
        parts = config.accumulate * 2
        return f"Send fewer images at a time with -o train.accumulate={parts}, which trains much the same."
    return "One image at a time is the least; use more processes or a larger device."


@contextmanager
def loader_advice(setting: str, workers: int, afterwards: str) -> Iterator[None]:
    """Turn the sudden end of a process that loads images into a paragraph.

    The loader tells of it wherever the work happens to be: torch raises it from a signal.

    Args:
        setting: what says how many processes load.
        workers: how many.
        afterwards: what is kept, for who lowers it.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise InputError(
            setting, found="a loading process that was killed, most often for memory",
            expected=f"{workers} of them, alive", fix=f"Lower {setting}; {afterwards}.",
        ) from error  # fmt: skip


def require_finite(
    values: Mapping[str, float], samples: Sequence[Sample], iteration: int, run: Path, rank: int = 0
) -> None:
    """Stop at a loss or a gradient that is not finite, and keep the images and targets that caused it.

    They are in ``<run>/not-finite``: a PNG of each image, and ``batch-rank-<rank>.pt``, to be read with ``torch.load``.

    Raises:
        InputError: a value is NaN or infinite; names it, the images and the folder.
    """
    wrong = [f"{name} = {value}" for name, value in values.items() if not math.isfinite(value)]
    if not wrong:
        return
    folder = run / NOT_FINITE
    for sample in samples:
        with atomic_path(folder / f"{sample.name.replace('/', '-')}.png") as temporary:
            Image.fromarray(sample.image.permute(1, 2, 0).numpy()).save(temporary, format="PNG")
    batch = [{"name": s.name, "image": s.image, "target": s.target} for s in samples]
    save_tensors(folder / f"batch-rank-{rank}.pt", {"iteration": iteration, "values": dict(values), "batch": batch})
    raise InputError(
        run, found=f"{', '.join(wrong)} at iteration {iteration}", expected="finite losses and gradients",
        fix="Lower train.learning_rate and train.step_rates, or clip with -o train.clip_norm=10; a run may go on with "
        f"other ones.{_way_back(run)} "
        f"The images were {', '.join(s.name for s in samples)}; they are kept in {folder}.",
    )  # fmt: skip


def _way_back(run: Path) -> str:
    """How to go on from before the losses began to grow."""
    earlier = former_checkpoints(run)[1:]
    return f" To go on from an earlier checkpoint: mv {earlier[0]} {run / CHECKPOINT}." if earlier else ""
