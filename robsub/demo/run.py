"""The demonstration's path: made data, one model, four submissions that pass verification, the paper's table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np

from dataset_adapters.base import Split
from dataset_adapters.images import open_image
from dataset_adapters.problems import InputError
from dataset_adapters.registry import BENCHMARKS, get_adapter
from robsub.config import load_recipe
from robsub.demo.world import make_world
from robsub.evaluate import evaluate
from robsub.files import atomic_path, write_text
from robsub.package import package
from robsub.pictures import draw_predictions, sheet
from robsub.places import archive_path, run_path, store_path
from robsub.predict import predict
from robsub.predictions import open_store
from robsub.results import save_result
from robsub.table import results_table
from robsub.train import train

RECIPE = "demo"
SETTINGS = f"""# Settings of the commands typed in this folder; flags win over them.
data_root = "datasets"

[train]
recipe = "{RECIPE}"

[predict]
checkpoint = "{run_path(RECIPE)}"
"""
SHOWN = 2
"""Frames of each benchmark in the picture."""


def run_demo(out: Path, *, overwrite: bool = False) -> str:
    """Run the whole path into a folder; what an earlier start has finished is kept.

    Returns:
        The table and the next commands to type.

    Raises:
        InputError: a step's own, or an archive that does not pass verification.
    """
    data, run = out / "datasets", out / run_path(RECIPE)
    with _step("1/6 making five small data sets"):
        make_world(data)
        write_text(out / "robsub.toml", SETTINGS)
    with _step("2/6 training one model on all five"):
        click.echo(train(load_recipe(RECIPE), data, run, overwrite=overwrite).text())
    with _step("3/6 predicting four benchmarks"):
        for name in BENCHMARKS:
            for split in ("val", "test"):
                predict(get_adapter(name, data), split, run, out / store_path(name, split), overwrite=overwrite)
    with _step("4/6 packaging and verifying four submissions"):
        for name in BENCHMARKS:
            _package(out, name, overwrite)
    with _step("5/6 evaluating as the servers do"):
        table = _evaluate(out)
    with _step("6/6 drawing"):
        _draw(out)
    return f"\n{table}\n\nPictures: {out / 'pictures.png'}\nNext: cd {out}, then\n" + "\n".join(
        f"  robsub {command}" for command in ("evaluate", "predict --dataset kitti", "package --benchmark cityscapes")
    )


@contextmanager
def _step(title: str) -> Iterator[None]:
    start = time.perf_counter()
    click.echo(f"== {title}")
    yield
    click.echo(f"   {time.perf_counter() - start:.0f} s")


def _package(out: Path, name: str, overwrite: bool) -> None:
    archive = out / archive_path(name, "test")
    store = open_store(out / store_path(name, "test"), name)
    written = package(get_adapter(name, out / "datasets"), "test", store, archive, overwrite=overwrite)
    click.echo(written.text().splitlines()[-1])  # the archive; its checks are told if one fails
    if not written.report.ok:
        raise InputError(
            archive, found="errors:\n" + written.report.text(), expected="a submission that passes verification",
            fix="This is a fault of robsub; please report it.",
        )  # fmt: skip


def _evaluate(out: Path, split: Split = "val") -> str:
    results = []
    for name in BENCHMARKS:
        store = open_store(out / store_path(name, split), name)
        result = evaluate(get_adapter(name, out / "datasets"), split, store)
        save_result(result, {"json": out / "results"}, many=True)
        results.append(result)
    table = results_table(results)
    write_text(out / "table.md", table + "\n")
    return table


def _draw(out: Path) -> None:
    rows = []
    for name in BENCHMARKS:
        store = open_store(out / store_path(name, "test"), name)
        pictures = []
        for frame in get_adapter(name, out / "datasets").frames("test")[:SHOWN]:
            with open_image(frame.image) as image:
                photo = np.asarray(image.convert("RGB"))
            predictions = store.predictions(frame.name, (photo.shape[0], photo.shape[1])) or []
            pictures.append(draw_predictions(photo, predictions, scale=3))
        rows.append(pictures)
    with atomic_path(out / "pictures.png") as temporary:
        sheet(rows, height=288).save(temporary, format="PNG")
