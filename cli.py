"""The click commands: parse, call one function, print. No logic.

Every command imports what it needs inside, so that ``robsub --help`` is quick and only ``train``, ``predict`` and
``demo`` wait for torch.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dataset_adapters.annotations.cache import default_cache_folder
from dataset_adapters.base import DatasetAdapter
from dataset_adapters.options import Options
from dataset_adapters.problems import InputError
from dataset_adapters.registry import ADAPTERS, BENCHMARKS, get_adapter
from robsub import __version__, places
from robsub.config import read_settings
from robsub.files import explain, write_json, write_text

if TYPE_CHECKING:
    from dataset_adapters.base import Split
    from robsub.evaluate import NegAP
    from robsub.table import Format

F = TypeVar("F", bound=Callable[..., Any])


class Refusal(click.ClickException):
    """One paragraph on standard error, exit status 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print it."""
        click.echo(f"robsub: {self.message}", err=True)


class Commands(click.Group):
    """Commands in the order of use; a user's mistake is one paragraph and exit status 2, a bug keeps its traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of their definition."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command with robsub.toml's defaults and translate its errors."""
        try:
            names = {name: [p.name or "" for p in command.params] for name, command in self.commands.items()}
            ctx.default_map = read_settings(names)
            return super().invoke(ctx)
        except InputError as error:
            raise Refusal(str(error)) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Refusal(str(explain(error))) from error
        except KeyboardInterrupt as error:
            raise Refusal("stopped. What was finished is kept; the same command goes on from there.") from error


def path_option(*names: str, **kwargs: Any) -> Callable[[F], F]:
    """An option that takes a path."""
    return click.option(*names, type=click.Path(path_type=Path), **kwargs)


def dataset_option(names: tuple[str, ...], **kwargs: Any) -> Callable[[F], F]:
    """``--dataset`` and ``--benchmark``, two spellings of one option."""
    return click.option("--dataset", "--benchmark", "dataset", type=click.Choice(names), **kwargs)


def split_option(default: str) -> Callable[[F], F]:
    """``--split`` with its default."""
    choice = click.Choice(("train", "val", "trainval", "test"))
    return click.option("--split", type=choice, default=default, show_default=True, help="Split of the data set.")


@dataclass(frozen=True)
class Data:
    """Where the data sets are and how they are read: what the data options of a command say."""

    root: Path
    options: Options

    def adapter(self, name: str) -> DatasetAdapter:
        """The adapter of one data set."""
        return get_adapter(name, self.root, self.options)


def data_options(command: F) -> F:
    """The options of every command that reads data sets; the command gets them as one ``data``."""

    @functools.wraps(command)
    def with_data(
        *args: Any, data_root: Path, profile: tuple[str, ...], frame_sets: Path | None, no_cache: bool, **kwargs: Any
    ) -> Any:
        profiles = dict(choice.split("=", 1) for choice in profile)
        options = Options(None if no_cache else default_cache_folder(), profiles, frame_sets)
        return command(*args, data=Data(data_root, options), **kwargs)

    for option in (
        click.option("--no-cache", is_flag=True, help="Read every annotation anew."),
        path_option("--frame-sets", metavar="CSV", help="WildDash's table of negatives and hazards."),
        click.option(
            "--profile", multiple=True, metavar="DATASET=PROFILE", callback=check_profiles,
            help="Take a data set for that edition, e.g. scannet=rob2018, instead of recognising it.",
        ),
        path_option(
            "--data-root", default=Path("datasets"), show_default=True, help="Folder with one folder for each data set."
        ),
    ):  # fmt: skip
        with_data = option(with_data)
    return with_data  # type: ignore[return-value]


def check_profiles(ctx: click.Context, option: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Require DATASET=PROFILE."""
    for choice in value:
        if choice.partition("=")[0] not in ADAPTERS or "=" not in choice:
            raise click.BadParameter(f"{choice!r} is not like scannet=rob2018")
    return value


json_file = path_option("--json", "json_path", metavar="FILE", help="Write the result there as JSON.")
overwrite = click.option("--overwrite", is_flag=True, help="Start over instead of reusing what is finished.")
allow_missing = click.option("--allow-missing", is_flag=True, help="Accept missing images; their number is told.")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="robsub")
def main() -> None:
    """One instance-segmentation model for many benchmarks.

    Train the NL-RoI Mask R-CNN, turn predictions into the native submissions of Cityscapes, KITTI, WildDash and
    ScanNet, verify them before the upload, and evaluate them locally as the servers do. New here? robsub demo
    """


@main.command(short_help="See everything run on made data, in a few minutes.")
@path_option("--out", default=Path("robsub-demo"), show_default=True, help="Folder that the demo fills.")
@overwrite
def demo(out: Path, overwrite: bool) -> None:
    """Show everything on made data: train, predict, package, verify, evaluate, in a few minutes."""
    from robsub.demo.run import run_demo

    click.echo(run_demo(out, overwrite=overwrite))


@main.command(short_help="See what data is there, and what is wrong with it.")
@data_options
@json_file
@click.option("--workers", type=click.IntRange(1), help="Processes that read; all cores if not given.")
@click.option("--labels", is_flag=True, help="Also print each joint class's native ids and training instances.")
def datasets(data: Data, json_path: Path | None, workers: int | None, labels: bool) -> None:
    """List what is on disk: images found and expected, instances, and every problem with its file.

    Exit status 1 if a file is wrong.
    """
    from robsub.datasets import labels_table, take_inventory

    inventories = take_inventory(data.root, workers, data.options)
    click.echo("\n".join(inventory.text() for inventory in inventories))
    if labels:
        click.echo(f"\n{labels_table(inventories)}")
    if json_path:
        write_json(json_path, {"datasets": [inventory.to_json() for inventory in inventories]})
    click.echo(f"\nNext: robsub train --data-root {data.root}")
    sys.exit(0 if all(inventory.ok for inventory in inventories) else 1)


@main.command(short_help="Train one model jointly on all data sets.")
@click.option("--recipe", default="rob2018", show_default=True, help="rob2018, demo, or a TOML file.")
@click.option(
    "-o", "--override", multiple=True, metavar="PART.NAME=VALUE", help="A setting that wins over the recipe's."
)
@data_options
@path_option("--out", help="Folder of the run; runs/RECIPE if not given.")
@click.option("--resume", is_flag=True, help="Insist on going on from the run's checkpoint, which is the default.")
@overwrite
def train(recipe: str, override: tuple[str, ...], data: Data, out: Path | None, resume: bool, overwrite: bool) -> None:
    """Train a recipe jointly on the data sets at hand.

    Goes on from the run's checkpoint if there is one. On many GPUs: torchrun --nproc-per-node N -m robsub train ...
    """
    from robsub.config import load_recipe

    settings = load_recipe(recipe, override)
    from robsub.train import train as run_training

    run = run_training(settings, data.root, out or places.run_path(settings.name), overwrite=overwrite, resume=resume)
    click.echo(run.text())
    click.echo(f"Next: robsub predict --dataset kitti --checkpoint {run.path}")


@main.command(short_help="Fill a prediction store.")
@dataset_option(tuple(ADAPTERS), required=True, help="Data set to predict.")
@split_option("test")
@data_options
@path_option("--checkpoint", help="A run's folder or its checkpoint; the latest run if not given.")
@path_option("--out", help="Prediction store; predictions/DATASET-SPLIT if not given.")
@click.option("--batch-size", type=click.IntRange(1), default=1, show_default=True, help="Images at a time.")
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="Processes that load images.")
@overwrite
def predict(
    dataset: str,
    split: Split,
    data: Data,
    checkpoint: Path | None,
    out: Path | None,
    batch_size: int,
    workers: int,
    overwrite: bool,
) -> None:
    """Fill a prediction store; images that it already holds are not predicted again."""
    adapter = data.adapter(dataset)
    adapter.frames(split)  # refuse before torch is imported
    checkpoint = checkpoint or places.latest_checkpoint()
    from robsub.predict import predict as run_prediction

    store = out or places.store_path(dataset, split)
    done = run_prediction(
        adapter, split, checkpoint, store, overwrite=overwrite, batch_size=batch_size, workers=workers
    )
    click.echo(f"{done.path}: {done.images} images of {dataset} {split}, {done.new} of them new, by {checkpoint}")
    verb = f"package --benchmark {dataset}" if split == "test" else f"evaluate --dataset {dataset} --split {split}"
    click.echo(f"Next: robsub {verb}")


@main.command(short_help="Write a benchmark's native submission.")
@dataset_option(BENCHMARKS, required=True, help="Benchmark whose native layout is written.")
@split_option("test")
@data_options
@path_option("--predictions", help="Prediction store; predictions/BENCHMARK-SPLIT if not given.")
@path_option("--out", help="Archive; submissions/BENCHMARK-SPLIT.zip if not given.")
@allow_missing
@overwrite
def package(
    dataset: str,
    split: Split,
    data: Data,
    predictions: Path | None,
    out: Path | None,
    allow_missing: bool,
    overwrite: bool,
) -> None:
    """Write a benchmark's native submission and verify it. Exit status 1 if verification finds an error."""
    from robsub.package import package as write_package
    from robsub.predictions import open_store

    adapter = data.adapter(dataset)
    store = open_store(predictions or places.store_path(dataset, split), dataset)
    archive = out or places.archive_path(dataset, split)
    written = write_package(adapter, split, store, archive, allow_missing=allow_missing, overwrite=overwrite)
    click.echo(written.text())
    sys.exit(0 if written.report.ok else 1)


@main.command(short_help="Find every fault of a submission.")
@dataset_option(BENCHMARKS, required=True, help="Benchmark whose rules hold.")
@click.argument("submission", type=click.Path(path_type=Path))
@split_option("test")
@data_options
@json_file
@allow_missing
def verify(
    dataset: str, submission: Path, split: Split, data: Data, json_path: Path | None, allow_missing: bool
) -> None:
    """Find everything that is wrong with a native zip or directory, in one pass. Exit status 1 on an error."""
    from robsub.verify import verify as verify_archive

    report = verify_archive(data.adapter(dataset), submission, split, allow_missing=allow_missing)
    click.echo(report.text())
    if json_path:
        write_json(json_path, report.to_json())
    sys.exit(0 if report.ok else 1)


@main.command(short_help="Score predictions as the servers do.")
@dataset_option(BENCHMARKS, help="Benchmark; every one with predictions of the split if not given.")
@split_option("val")
@data_options
@path_option("--predictions", help="Store, native zip or directory; predictions/DATASET-SPLIT if not given.")
@path_option("--json", "json_path", metavar="PATH", help="Write JSON: a file, or a folder (ending in /) for many.")
@path_option("--csv", "csv_path", metavar="PATH", help="Write the per-class table as CSV: a file or a folder.")
@click.option("--workers", type=click.IntRange(1), help="Processes; all cores if not given.")
@click.option(
    "--neg-ap", type=click.Choice(("hazards", "negative")), default="hazards", show_default=True,
    help="NegAP over images with visual hazards (the paper's caption), or over WildDash's negative frames.",
)  # fmt: skip
@allow_missing
def evaluate(
    dataset: str | None,
    split: Split,
    data: Data,
    predictions: Path | None,
    json_path: Path | None,
    csv_path: Path | None,
    workers: int | None,
    neg_ap: NegAP,
    allow_missing: bool,
) -> None:
    """Score predictions locally by the benchmark's own protocol."""
    from robsub.evaluate import evaluate_many

    for result in evaluate_many(
        [dataset] if dataset else places.predicted_datasets(split, BENCHMARKS),
        split,
        data.root,
        predictions,
        allow_missing=allow_missing,
        workers=workers,
        neg_ap=neg_ap,
    ):
        click.echo("\n".join([result.table(), *(f"note: {note}" for note in result.notes), ""]))
        if json_path:
            write_json(
                places.result_path(json_path, result.benchmark, split, "json", many=not dataset), result.to_json()
            )
        if csv_path:
            write_text(places.result_path(csv_path, result.benchmark, split, "csv", many=not dataset), result.to_csv())
    files = f"{json_path / '*.json' if json_path.is_dir() else json_path}" if json_path else ""
    click.echo(f"Next: robsub table {files}" if files else "Next: robsub evaluate --json results/")


@main.command(short_help="Print the paper's results table.")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format", "style", type=click.Choice(("markdown", "latex", "csv")), default="markdown", show_default=True,
    help="How the table is written.",
)  # fmt: skip
def table(results: tuple[Path, ...], style: Format) -> None:
    """Print the paper's results table: the paper's own numbers beside the measured RESULTS."""
    from robsub.table import load_result, results_table

    click.echo(results_table([load_result(path) for path in results], style))
