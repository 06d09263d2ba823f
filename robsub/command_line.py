"""What the commands of ``cli.py`` share: their errors, their settings, and the options that several of them have."""

from __future__ import annotations

import functools
import math
import os
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO, TypeVar, get_args, get_type_hints

import click
from click.core import ParameterSource
from click.exceptions import Exit

from dataset_adapters.annotations.cache import default_cache_folder
from dataset_adapters.annotations.distances import DistanceFormula
from dataset_adapters.base import SPLITS, DatasetAdapter
from dataset_adapters.options import Options
from dataset_adapters.problems import InputError
from dataset_adapters.registry import ADAPTERS, BENCHMARKS, get_adapter
from robsub.files import explain
from robsub.places import store_path
from robsub.settings import default_map

F = TypeVar("F", bound=Callable[..., Any])

STDOUT = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
"""Paths of the standard output."""
READER_GONE = 128 + 13
"""Exit status of a program that a broken pipe (signal 13) ends."""
HEAD_START_S = 10.0
"""How long the other processes of torchrun let the main one tell why it cannot work."""


class Refusal(click.ClickException):
    """One paragraph on standard error, exit status 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print it.

        Under torchrun most refusals are those of every process, and torchrun ends them all when one has ended: so the
        main one tells first.
        """
        if os.environ.get("RANK", "0") != "0":
            time.sleep(HEAD_START_S)
        click.echo(f"robsub: {self.message}", err=True)


class Commands(click.Group):
    """Commands in the order of use; a user's mistake is one paragraph and exit status 2, a bug keeps its traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of their definition."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command with robsub.toml's defaults and translate its errors."""
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is None:  # a shell that closed it
                setattr(sys, name, _nowhere())
            if isinstance(stream, TextIOWrapper):  # a terminal without a tick still gets every line
                stream.reconfigure(errors="backslashreplace")
        try:
            ctx.default_map = default_map(self.commands)
            return super().invoke(ctx)
        except InputError as error:
            raise Refusal(str(error)) from error
        except BrokenPipeError:  # whoever reads has had enough, as head has
            sys.stdout = _nowhere()  # for what is left to say
            raise Exit(READER_GONE) from None
        except OSError as error:
            raise Refusal(str(explain(error))) from error
        except KeyboardInterrupt as error:
            raise Refusal("stopped. What was finished is kept; the same command goes on from there.") from error


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w")


def tell(text: str) -> None:
    """Print the outcome of a command, once for all processes of torchrun."""
    if os.environ.get("RANK", "0") == "0":
        click.echo(text)


def tell_next(command: str, *also: str) -> None:
    """Print which command comes next, with the places and editions of data that were typed for this one."""
    given = click.get_current_context().params
    words = [
        f" {option.opts[0]} {shlex.quote(str(value))}"
        for option in _typed()
        if option.name in ("data_root", "profile", *also)
        for value in (given[option.name] if option.multiple else [given[option.name]])
    ]
    tell(f"Next: robsub {command}{''.join(words)}")


def tell_use(dataset: str, split: str, path: Path | None) -> None:
    """Tell what comes next for predictions: their score where there is ground truth, else their submission.

    Args:
        dataset, split: what they are of.
        path: where they are; None where every command looks by itself.
    """
    place = f" --predictions {shlex.quote(str(path))}" if path else ""
    if split != "test":
        tell_next(f"evaluate --dataset {dataset} --split {split}{place}")
    elif dataset in BENCHMARKS:
        tell_next(f"package --benchmark {dataset}{place}")
    else:
        tell_next(f"convert --to coco {shlex.quote(str(path or store_path(dataset, split)))}")


class SomePath(click.Path):
    """A path that is not the empty text, which an unset variable of a script is.

    If it is the standard output, data goes there, and what is said goes to standard error.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A Path."""
        if not str(value):
            self.fail("the path is empty", param, ctx)
        if str(value) in STDOUT:
            sys.stdout = sys.stderr
        return super().convert(value, param, ctx)


class Share(click.FloatRange):
    """A number from 0 to 1, and no NaN."""

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """A float."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is no number from 0 to 1", param, ctx)
        return number


def path_option(*names: str, **kwargs: Any) -> Callable[[F], F]:
    """An option that takes a path."""
    return click.option(*names, type=SomePath(path_type=Path), **kwargs)


def place_option(*names: str, **kwargs: Any) -> Callable[[F], F]:
    """An option that takes a file or folder to write to. It stays text: a path would lose the slash at its end that
    makes it a folder."""
    return click.option(*names, type=SomePath(path_type=str), metavar="FILE", **kwargs)


def dataset_option(names: tuple[str, ...], **kwargs: Any) -> Callable[[F], F]:
    """``--dataset`` and ``--benchmark``, two spellings of one option."""
    return click.option("--dataset", "--benchmark", "dataset", type=click.Choice(names), **kwargs)


def split_option(default: str) -> Callable[[F], F]:
    """``--split`` with its default."""
    return click.option(
        "--split", type=click.Choice(SPLITS), default=default, show_default=True, help="Split of the data set."
    )


@dataclass(frozen=True)
class Data:
    """Where the data sets are and how they are read: what the data options of a command say."""

    root: Path
    options: Options

    def adapter(self, name: str) -> DatasetAdapter:
        """The adapter of one data set."""
        return get_adapter(name, self.root, self.options)


def place_options(command: F) -> F:
    """Where the data sets are and which editions; the command gets the options as one ``data``."""

    @functools.wraps(command)
    def with_data(*args: Any, data_root: Path, profile: tuple[str, ...], **kwargs: Any) -> Any:
        profiles = dict(choice.split("=", 1) for choice in profile)
        return command(*args, data=Data(data_root, Options(default_cache_folder(), profiles)), **kwargs)

    for option in (
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


def data_options(command: F) -> F:
    """``place_options`` and how annotations are read, for every command that reads them."""

    @functools.wraps(command)
    def with_annotations(*args: Any, data: Data, frame_sets: Path | None, no_cache: bool, **kwargs: Any) -> Any:
        if kwargs.get("dataset") not in (None, "wilddash"):
            refuse_options(f"--dataset {kwargs['dataset']}", "frame_sets", "neg_ap")
        cache = None if no_cache else data.options.cache
        options = replace(data.options, cache=cache, frame_sets=frame_sets)
        return command(*args, data=Data(data.root, options), **kwargs)

    for option in (
        click.option("--no-cache", is_flag=True, help="Read every annotation anew."),
        click.option(
            "--frame-sets", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="CSV",
            help="WildDash's table of negatives and hazards.",
        ),
    ):  # fmt: skip
        with_annotations = option(with_annotations)
    return place_options(with_annotations)  # type: ignore[return-value]


OUTPUTS = {"json_path": "json", "csv_path": "csv", "markdown_path": "md", "latex_path": "tex"}
"""Parameter of ``output_options`` -> kind of the file."""


def output_options(command: F) -> F:
    """Where a result is written; the command gets kind -> place as ``outputs``."""

    @functools.wraps(command)
    def with_outputs(*args: Any, **kwargs: Any) -> Any:
        return command(*args, outputs={kind: kwargs.pop(name) for name, kind in OUTPUTS.items()}, **kwargs)

    for option in (
        place_option("--latex", "latex_path", help="Write it there as LaTeX."),
        place_option("--markdown", "markdown_path", help="Write it there as Markdown."),
        place_option("--csv", "csv_path", help="Write the per-class table there as CSV."),
        place_option("--json", "json_path", help="Write the result there as JSON."),
    ):
        with_outputs = option(with_outputs)
    return with_outputs  # type: ignore[return-value]


def distance_option(command: F) -> F:
    """``--distance``, which goes into the command's ``data``."""

    @functools.wraps(command)
    def with_distance(*args: Any, data: Data, distance: DistanceFormula, **kwargs: Any) -> Any:
        if kwargs.get("dataset") not in (None, "cityscapes"):
            refuse_options(f"--dataset {kwargs['dataset']}", "distance")
        return command(*args, data=Data(data.root, replace(data.options, distance=distance)), **kwargs)

    add = click.option(
        "--distance", multiple=True, metavar="NAME=VALUE", callback=parse_distance,
        help="Another reading of Cityscapes' distances, e.g. measure=ray; docs/evaluation.md has all.",
    )  # fmt: skip
    return add(with_distance)  # type: ignore[return-value]


def parse_distance(ctx: click.Context, option: click.Parameter, value: tuple[str, ...]) -> DistanceFormula:
    """NAME=VALUE choices as a formula."""
    known = [f"{name}={choice}" for name, hint in get_type_hints(DistanceFormula).items() for choice in get_args(hint)]
    for choice in value:
        if choice not in known:
            raise click.BadParameter(f"{choice!r} is none of {', '.join(known)}")
    return DistanceFormula(**dict(choice.split("=") for choice in value))  # type: ignore[arg-type]


def refuse_options(beside: str, *names: str) -> None:
    """Refuse options of the command line that mean nothing beside another one; settings in robsub.toml may stand.

    Raises:
        UsageError: one of the named parameters was typed.
    """
    for option in _typed():
        if option.name in names:
            raise click.UsageError(f"{option.opts[0]} means nothing beside {beside}: leave it out")


def refuse_all_but(beside: str, *names: str) -> None:
    """``refuse_options`` for all that are not named."""
    refuse_options(beside, *(option.name or "" for option in _typed() if option.name not in names))


def _typed() -> list[click.Option]:
    """The options that were typed."""
    context = click.get_current_context()
    options = (p for p in context.command.params if isinstance(p, click.Option))
    return [p for p in options if context.get_parameter_source(p.name or "") is ParameterSource.COMMANDLINE]


def parse_part(ctx: click.Context, option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """K/N as two numbers."""
    from robsub.evaluate import read_part

    return None if value is None else read_part(value)


def parse_sizes(ctx: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...]:
    """640,800 as numbers above 0."""
    try:
        sizes = tuple(int(number) for number in (value or "").split(",") if number)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not like 640,800") from error
    if any(size < 1 for size in sizes):
        raise click.BadParameter(f"{value!r} has a side without a pixel")
    return sizes


def check_profiles(ctx: click.Context, option: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Require DATASET=PROFILE, both of them known."""
    for choice in value:
        name, _, profile = choice.partition("=")
        if name not in ADAPTERS or "=" not in choice:
            raise click.BadParameter(f"{choice!r} is not like scannet=rob2018")
        known = [adapter.profile for adapter in ADAPTERS[name].all_profiles()]
        if profile not in known or not profile:
            has = f"the profiles {', '.join(known)}" if any(known) else "only one edition, and no profiles"
            raise click.BadParameter(f"{choice!r}: {name} has {has}")
    return value


json_file = path_option("--json", "json_path", metavar="FILE", help="Write the result there as JSON.")
image_list = path_option(
    "--image-list", metavar="FILE", help="COCO list of images and categories whose ids COCO results have."
)
overwrite = click.option("--overwrite", is_flag=True, help="Start over instead of reusing what is finished.")
allow_missing = click.option("--allow-missing", is_flag=True, help="Accept missing images; their number is told.")
