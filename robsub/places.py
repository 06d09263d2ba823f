"""The default places of everything that a command reads or writes, below the working directory."""

from __future__ import annotations

from pathlib import Path

from dataset_adapters.problems import InputError
from robsub.predictions import MANIFEST

RUNS = Path("runs")
CHECKPOINT = "checkpoint.pt"


def run_path(recipe: str) -> Path:
    """Where a recipe is trained."""
    return RUNS / recipe


def store_path(dataset: str, split: str) -> Path:
    """Where a split's predictions are."""
    return Path("predictions") / f"{dataset}-{split}"


def attention_path(dataset: str, split: str) -> Path:
    """Where pictures of what objects attended to go."""
    return Path("predictions") / f"{dataset}-{split}-attention"


def conversion_path(dataset: str, split: str, target: str) -> Path:
    """Where predictions in another form go: ``store``, ``coco`` or ``devkit``, whose folder is for all data sets."""
    if target == "devkit":
        return Path("predictions") / "devkit"
    store = store_path(dataset, split)
    return store.with_name(f"{store.name}.json") if target == "coco" else store


def archive_path(benchmark: str, split: str) -> Path:
    """Where a submission goes."""
    return Path("submissions") / f"{benchmark}-{split}.zip"


def latest_checkpoint() -> Path:
    """The checkpoint that was written last.

    Raises:
        InputError: there is no run.
    """
    checkpoints = sorted(RUNS.glob(f"*/{CHECKPOINT}"), key=lambda path: path.stat().st_mtime)
    if not checkpoints:
        raise InputError(
            RUNS, found="no run with a checkpoint", expected="at least one",
            fix="Train one with 'robsub train', or name a checkpoint with --checkpoint.",
        )  # fmt: skip
    return checkpoints[-1]


def predicted_datasets(split: str, datasets: tuple[str, ...]) -> list[str]:
    """The data sets that have a prediction store of the split at the default place.

    Raises:
        InputError: none has.
    """
    found = [name for name in datasets if (store_path(name, split) / MANIFEST).is_file()]
    if not found:
        raise InputError(
            "predictions", found=f"no store of any data set's split {split!r}",
            expected=f"one or more of {', '.join(f'{name}-{split}' for name in datasets)}",
            fix=f"Make one with 'robsub predict --dataset kitti --split {split}', or name --dataset and --predictions.",
        )  # fmt: skip
    return found


def result_path(wanted: str | Path, benchmark: str, split: str, kind: str, *, many: bool) -> Path:
    """Where one result goes: the file that was asked for, or a file of its own in the folder that was asked for.

    Args:
        wanted: the place as it was typed; a slash at its end, or no suffix, makes it a folder, unless a file is there.
        benchmark, split: what the result is of.
        kind: suffix of a file of its own.
        many: the result is one of several.

    Raises:
        InputError: several results are wanted in one file.
    """
    path = Path(wanted)
    return _place(wanted, f"{benchmark}-{split}.{kind}", is_folder=not path.suffix and not path.exists(), many=many)


def matches_path(wanted: str | Path, benchmark: str, split: str, *, many: bool = False) -> Path:
    """Where the matches of an evaluation go: like ``result_path``, but a file may lack a suffix."""
    return _place(wanted, f"{benchmark}-{split}.matches", is_folder=False, many=many)


def _place(wanted: str | Path, name: str, *, is_folder: bool, many: bool) -> Path:
    if is_folder or str(wanted).endswith("/") or Path(wanted).is_dir():
        return Path(wanted) / name
    if many:
        raise InputError(
            wanted, found="one file for several data sets", expected="a folder, such as results/",
            fix="Name a folder, or choose one data set with --dataset.",
        )  # fmt: skip
    return Path(wanted)
