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
from robsub.training.checkpoint import save_tensors
from robsub.training.joint_dataset import Sample

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""What CUDA's and the CPU's allocators say."""


@contextmanager
def memory_advice(config: TrainConfig, images: int) -> Iterator[None]:
    """Turn running out of memory into a paragraph that says what to lower.

    Args:
        config: the recipe's training part.
        images: images of this process in one pass through the network.
    """
    try:
        yield
    except RuntimeError as error:
        if not any(words in str(error) for words in OUT_OF_MEMORY):
            raise
        raise InputError(
            "train", found=f"not enough memory for {images} images at a time", expected="room for them",
            fix=f"{_more_parts(config, images)} Further: -o train.precision=bfloat16 on a GPU, a lower model.max_size "
            "and model.min_size, a lower model.roi_batch. The checkpoint is kept.",
        ) from error  # fmt: skip


def _more_parts(config: TrainConfig, images: int) -> str:
    if images > 1:
        return f"Send fewer images at a time with -o train.accumulate={config.accumulate * 2}, which trains the same."
    return "One image at a time is the least; use more processes or a larger device."


def require_finite(losses: Mapping[str, float], samples: Sequence[Sample], iteration: int, run: Path) -> None:
    """Stop at a loss that is not finite, and keep the images and targets that caused it.

    They are in ``<run>/not-finite``: a PNG of each image, and ``batch.pt``, to be read with ``torch.load``.

    Raises:
        InputError: a loss is NaN or infinite; names it, the images and the folder.
    """
    wrong = {name: value for name, value in losses.items() if not math.isfinite(value)}
    if not wrong:
        return
    folder = run / "not-finite"
    for sample in samples:
        with atomic_path(folder / f"{sample.name.replace('/', '-')}.png") as temporary:
            Image.fromarray(sample.image.permute(1, 2, 0).numpy()).save(temporary, format="PNG")
    batch = [{"name": s.name, "image": s.image, "target": s.target} for s in samples]
    save_tensors(folder / "batch.pt", {"iteration": iteration, "losses": dict(losses), "batch": batch})
    raise InputError(
        run, found=f"a loss of {next(iter(wrong.values()))} ({', '.join(wrong)}) at iteration {iteration}",
        expected="a finite loss",
        fix="Lower train.learning_rate, or clip with -o train.clip_norm=10. "
        f"The images were {', '.join(s.name for s in samples)}; they are kept in {folder}.",
    )  # fmt: skip
