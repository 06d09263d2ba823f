"""The click commands: parse, call one function, print. No logic.

Every command imports what it needs inside, so that ``robsub --help`` is quick and only ``train``, ``predict`` and
``demo`` wait for torch.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from dataset_adapters.base import SPLITS
from dataset_adapters.registry import ADAPTERS, BENCHMARKS
from evaluators.protocol import PROTOCOLS
from robsub import __version__, places
from robsub.command_line import (
    OUTPUTS,
    Commands,
    Data,
    Share,
    SomePath,
    allow_missing,
    data_options,
    dataset_option,
    distance_option,
    image_list,
    json_file,
    output_options,
    overwrite,
    parse_part,
    parse_sizes,
    path_option,
    place_option,
    place_options,
    refuse_all_but,
    refuse_options,
    split_option,
    tell,
    tell_next,
    tell_use,
)
from robsub.files import write_json

if TYPE_CHECKING:
    from dataset_adapters.base import Split
    from robsub.convert import Target
    from robsub.evaluate import Kind, NegAP
    from robsub.table import Format


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
@click.option("--labels", is_flag=True, help="Also show what training makes of every native label.")
def datasets(data: Data, json_path: Path | None, workers: int | None, labels: bool) -> None:
    """List what is on disk: images found and expected, instances, and every problem with its file.

    Exit status 1 if a file is wrong.
    """
    from robsub.datasets import next_step, take_inventory
    from robsub.label_coverage import labels_json, labels_text

    inventories = take_inventory(data.root, workers, data.options)
    click.echo("\n".join(inventory.text() for inventory in inventories))
    if labels:
        click.echo(f"\n{labels_text(inventories)}")
    if json_path:
        found = {"datasets": [inventory.to_json() for inventory in inventories]}
        write_json(json_path, {**found, "labels": labels_json(inventories)} if labels else found)
    click.echo(f"\nNext: {next_step(inventories, data.root)}")
    sys.exit(0 if all(inventory.ok for inventory in inventories) else 1)


@main.command(short_help="Train one model jointly on all data sets.")
@click.option(
    "--recipe", default="rob2018", show_default=True, help="rob2018, detectron, finetune, demo, or a TOML file."
)
@click.option(
    "-o", "--override", multiple=True, metavar="PART.NAME=VALUE", help="A setting that wins over the recipe's."
)
@data_options
@path_option("--out", help="Folder of the run; runs/RECIPE if not given.")
@click.option("--resume", is_flag=True, help="Insist on going on from the run's checkpoint, which is the default.")
@click.option("--show-recipe", is_flag=True, help="Print every setting and what it means, and train nothing.")
@overwrite
def train(
    recipe: str,
    override: tuple[str, ...],
    data: Data,
    out: Path | None,
    resume: bool,
    show_recipe: bool,
    overwrite: bool,
) -> None:
    """Train a recipe jointly on the data sets at hand.

    Goes on from the run's checkpoint if there is one. On many GPUs: torchrun --nproc-per-node N -m robsub train ...
    """
    from robsub.config import load_recipe
    from robsub.recipe_text import recipe_text, remarks

    if overwrite:
        refuse_options("--overwrite", "resume")
    settings = load_recipe(recipe, override)
    if show_recipe:
        click.echo(f"{recipe_text(settings)}\n{remarks(settings, data.root, data.options)}")
        return
    from robsub.train import train as run_training

    place = out or places.run_path(settings.name)
    run = run_training(settings, data.root, place, overwrite=overwrite, resume=resume, options=data.options)
    tell(run.text())
    trained = [name for name, count in run.images.counts.items() if count and name in BENCHMARKS]
    tell_next(f"predict --dataset {[*trained, 'kitti'][0]} --checkpoint {shlex.quote(str(run.path))}")


@main.command(short_help="Fill a prediction store.")
@dataset_option(tuple(ADAPTERS), required=True, help="Data set to predict.")
@split_option("test")
@data_options
@path_option("--checkpoint", help="A run's folder or its checkpoint; the latest run if not given.")
@path_option("--out", help="Prediction store; predictions/DATASET-SPLIT if not given.")
@click.option("--batch-size", type=click.IntRange(1), default=1, show_default=True, help="Images at a time.")
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="Processes that load images.")
@click.option("--amp", is_flag=True, help="Compute in bfloat16, for GPUs that have it.")
@click.option("--flip", is_flag=True, help="Look at each image mirrored too, and merge by voting.")
@click.option("--sizes", metavar="N,N", callback=parse_sizes, help="Look at these shorter sides, not the model's own.")
@click.option("--skip-broken", is_flag=True, help="Go on past images that do not open; the manifest lists them.")
@click.option(
    "--attention",
    metavar="IMAGE",
    help="Instead, save for one image which RoIs its objects attended to, in --out.",
)
@overwrite
def predict(
    dataset: str,
    split: Split,
    data: Data,
    checkpoint: Path | None,
    out: Path | None,
    attention: str | None,
    **choices: Any,
) -> None:
    """Fill a prediction store; images that it already holds are not predicted again."""
    adapter = data.adapter(dataset)
    adapter.frames(split)  # refuse before torch is imported
    checkpoint = checkpoint or places.latest_checkpoint()
    if attention:
        refuse_options("--attention", *choices)
        from robsub.predict import save_attention

        folder = out or places.attention_path(dataset, split)
        click.echo(save_attention(adapter, split, checkpoint, attention, folder))
        return
    from robsub.predict import predict as run_prediction

    store = out or places.store_path(dataset, split)
    done = run_prediction(adapter, split, checkpoint, store, **choices)
    tell(f"{done.path}: {done.images} images of {dataset} {split}, {done.new} of them new, by {checkpoint}")
    for reason in done.skipped:
        tell(f"skipped: {reason}")
    if done.missing_classes:
        tell(f"never predicted, because the network does not know them: {', '.join(done.missing_classes)}")
    tell_use(dataset, split, out)


@main.command(short_help="Turn predictions of one form into another.")
@dataset_option(tuple(ADAPTERS), help="Data set; a store says it itself.")
@click.option("--split", type=click.Choice(SPLITS), help="Split; a store says it itself, else val.")
@data_options
@click.option(
    "--from",
    "kind",
    type=click.Choice(("auto", "store", "coco", "native", "devkit")),
    default="auto",
    show_default=True,
    help="Form of SOURCE; devkit is the ROB 2018 devkit's folder.",
)
@click.option(
    "--to",
    "target",
    type=click.Choice(("store", "coco", "devkit")),
    default="store",
    show_default=True,
    help="Form of the outcome.",
)
@path_option("--annotations", metavar="FILE", help="Annotations that the ids of COCO results refer to.")
@click.option("--method", default="robsub", show_default=True, help="Name of the method in a devkit's folder.")
@path_option("--out", help="Where it goes; another way to say TARGET.")
@overwrite
@click.argument("source", type=SomePath(path_type=Path))
@click.argument("target_path", metavar="[TARGET]", required=False, type=SomePath(path_type=Path))
def convert(
    dataset: str | None,
    split: str | None,
    data: Data,
    kind: Kind | Literal["devkit"],
    target: Target,
    annotations: Path | None,
    method: str,
    out: Path | None,
    overwrite: bool,
    source: Path,
    target_path: Path | None,
) -> None:
    """Turn anybody's predictions into a prediction store, or a store into COCO results or a ROB devkit folder.

    TARGET is predictions/DATASET-SPLIT if not given, predictions/DATASET-SPLIT.json for COCO results and
    predictions/devkit for the devkit. With --to coco, --annotations says the ids of the outcome.
    """
    from robsub.convert import convert as run_conversion
    from robsub.convert import open_source, split_of

    if target != "devkit":
        refuse_options(f"--to {target}", "method")
    if kind == "devkit" and target != "coco":
        refuse_options("--from devkit", "annotations")
    if target_path:
        refuse_options("TARGET", "out")
    name, part = split_of(source, dataset, split)
    adapter = data.adapter(name)
    opened = open_source(adapter, part, source, kind, annotations, target)
    place = target_path or out or places.conversion_path(name, part, target)
    done = run_conversion(
        adapter, part, opened, target, place, annotations=annotations, method=method, overwrite=overwrite
    )
    click.echo(done.text())
    if target == "store":
        tell_use(name, part, done.path)


@main.command(short_help="Write a benchmark's submission.")
@dataset_option(BENCHMARKS, required=True, help="Benchmark whose layout is written.")
@split_option("test")
@place_options
@path_option("--predictions", help="Prediction store; predictions/BENCHMARK-SPLIT if not given.")
@path_option("--out", help="Archive; submissions/BENCHMARK-SPLIT.zip if not given.")
@click.option("--min-score", type=Share(), default=0.0, help="Leave out objects below that score.")
@click.option("--max-per-image", type=click.IntRange(0), help="Keep only the best objects of each image.")
@click.option("--class", "classes", multiple=True, metavar="NAME", help="Keep only that class; repeatable.")
@click.option("--one-bit", is_flag=True, help="Smaller masks of 1 bit, for servers known to take them.")
@click.option(
    "--form",
    type=click.Choice(("native", "coco")),
    default="native",
    show_default=True,
    help="Text files and masks, or COCO results for WildDash 2.",
)
@image_list
@path_option("--sample", metavar="ZIP", help="Instead, write a tiny sound archive to look at.")
@click.option("--workers", type=click.IntRange(1), help="Processes; all cores if not given.")
@allow_missing
@overwrite
def package(
    dataset: str,
    split: Split,
    data: Data,
    predictions: Path | None,
    out: Path | None,
    min_score: float,
    max_per_image: int | None,
    classes: tuple[str, ...],
    sample: Path | None,
    **choices: Any,
) -> None:
    """Write a benchmark's submission and verify it. Exit status 1 if verification finds an error."""
    from dataset_adapters.submission.selection import Selection
    from robsub.package import package as write_package
    from robsub.predictions import open_store
    from robsub.sample import write_sample

    adapter = data.adapter(dataset)
    if sample:
        refuse_all_but("--sample", "dataset", "data_root", "profile", "sample")
        report = write_sample(adapter, sample)
        click.echo(report.text())
        sys.exit(0 if report.ok else 1)
    refuse_options(f"--form {choices['form']}", "image_list" if choices["form"] == "native" else "one_bit")
    store = open_store(predictions or places.store_path(dataset, split), dataset)
    archive = out or places.archive_path(dataset, split)
    selection = Selection(min_score, max_per_image, frozenset(classes))
    written = write_package(adapter, split, store, archive, selection=selection, **choices)
    click.echo(written.text())
    if not written.report.ok:
        tell_next(f"predict --dataset {dataset} --split {split}")
    elif split == "test":
        tell_next(f"verify --benchmark {dataset} --strict {shlex.quote(str(archive))}", "image_list")
    else:
        tell_use(dataset, split, archive)
    sys.exit(0 if written.report.ok else 1)


@main.command(short_help="Find every fault of a submission.")
@dataset_option(BENCHMARKS, required=True, help="Benchmark whose rules hold.")
@click.argument("submission", type=SomePath(path_type=Path))
@split_option("test")
@place_options
@json_file
@image_list
@click.option("--strict", is_flag=True, help="Take warnings for errors.")
@click.option("--workers", type=click.IntRange(1), help="Processes; all cores if not given.")
@allow_missing
def verify(dataset: str, submission: Path, split: Split, data: Data, json_path: Path | None, **choices: Any) -> None:
    """Find everything that is wrong with a zip or directory, in one pass. Exit status 1 on an error."""
    from robsub.verify import verify as verify_archive

    report = verify_archive(data.adapter(dataset), submission, split, **choices)
    click.echo(report.text())
    if json_path:
        write_json(json_path, report.to_json())
    if not report.ok:
        tell_next(f"package --benchmark {dataset} --split {split} --overwrite")
    elif split == "test":
        tell_next(f"evaluate --dataset {dataset}")
    else:
        tell_use(dataset, split, submission)
    sys.exit(0 if report.ok else 1)


@main.command(short_help="Score predictions as the servers do.")
@dataset_option(tuple(ADAPTERS), help="Data set; every benchmark with predictions of the split if not given.")
@split_option("val")
@data_options
@distance_option
@path_option("--predictions", help="Store, native zip or folder, COCO results; predictions/DATASET-SPLIT if not given.")
@path_option("--annotations", metavar="FILE", help="Annotations that the ids of COCO results refer to.")
@click.option("--protocol", type=click.Choice(tuple(PROTOCOLS)), help="Other rules than the data set's own.")
@click.option(
    "--corrected", is_flag=True, help="The rules as their authors describe them, not as the server's code has them."
)
@click.option(
    "--neg-ap",
    type=click.Choice(("hazards", "negative")),
    default="hazards",
    show_default=True,
    help="NegAP over images with visual hazards (the paper's caption), or over WildDash's negative frames.",
)
@click.option(
    "--bootstrap", "resamples", type=click.IntRange(0, 10_000), default=0, help="Resamples for 95 % intervals."
)
@place_option("--matches", help="Keep every image's matches there; the same command goes on from it.")
@click.option("--part", metavar="K/N", callback=parse_part, help="Evaluate the K-th of N parts; merge with --merge.")
@path_option("--merge", multiple=True, metavar="FILE", help="Merge matches files into one result; repeatable.")
@click.option("--self-test", is_flag=True, help="Score the ground truth itself: every number must be 100.")
@output_options
@click.option("--workers", type=click.IntRange(1), help="Processes; all cores if not given.")
@allow_missing
def evaluate(
    dataset: str | None,
    split: Split,
    data: Data,
    predictions: Path | None,
    annotations: Path | None,
    resamples: int,
    neg_ap: NegAP,
    merge: tuple[Path, ...],
    self_test: bool,
    outputs: dict[str, str | None],
    **choices: Any,
) -> None:
    """Score predictions locally by the benchmark's own protocol.

    With several data sets the paths to write to, --matches too, are folders, such as results/.
    """
    from robsub.evaluate import evaluate_many
    from robsub.evaluate import merge as merge_results
    from robsub.results import next_step, require_folders, save_result
    from robsub.self_test import self_test as run_self_test

    choices |= {"resamples": resamples, "neg_ap": neg_ap}
    if choices["protocol"] and not PROTOCOLS[choices["protocol"]].negative_ap:
        refuse_options(f"--protocol {choices['protocol']}", "neg_ap")
    if self_test:
        if dataset is None:
            raise click.UsageError("--self-test needs --dataset")
        refuse_options("--self-test", "predictions", "annotations", "merge", "allow_missing")
        report = run_self_test(data.adapter(dataset), split, **choices)
        click.echo(report.text())
        save_result(report.result, outputs, many=False)
        tell_next(f"evaluate --dataset {dataset} --split {split}")
        sys.exit(0 if report.ok else 1)
    if merge:
        refuse_all_but("--merge", "merge", "resamples", "neg_ap", *OUTPUTS)
        names, results = [], iter([merge_results(merge, **choices)])
    else:
        names = [dataset] if dataset else places.predicted_datasets(split, BENCHMARKS)
        if len(names) > 1:
            require_folders(outputs)
        results = evaluate_many(names, split, data.root, predictions, annotations, data.options, **choices)
    for result in results:
        click.echo(result.text() + "\n")
        save_result(result, outputs, many=len(names) > 1)
    click.echo(f"Next: {next_step(outputs)}")


@main.command(short_help="Compare two results, with an interval.")
@click.argument("a", type=SomePath(path_type=Path))
@click.argument("b", type=SomePath(path_type=Path))
@click.option(
    "--bootstrap", "resamples", type=click.IntRange(1, 10_000), default=1000, show_default=True, help="Resamples."
)
@json_file
def compare(a: Path, b: Path, resamples: int, json_path: Path | None) -> None:
    """Compare two matches files of the same images (evaluate --matches): the differences and their 95 % intervals."""
    from robsub.compare import compare as compare_results

    comparison = compare_results(a, b, resamples)
    click.echo(comparison.text())
    if json_path:
        write_json(json_path, comparison.to_json())
    click.echo(f"Next: robsub evaluate --merge {shlex.quote(str(b))} --json results/")


@main.command(short_help="Print the paper's results table.")
@click.argument("results", nargs=-1, required=True, type=SomePath(path_type=Path))
@click.option(
    "--format", "style", type=click.Choice(("markdown", "latex", "csv")), default="markdown", show_default=True,
    help="How the table is written.",
)  # fmt: skip
def table(results: tuple[Path, ...], style: Format) -> None:
    """Print the paper's results table: the paper's own numbers beside the measured RESULTS."""
    from robsub.results import load_result
    from robsub.table import results_table

    click.echo(results_table([load_result(path) for path in results], style))
