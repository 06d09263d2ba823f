"""``robsub.toml``: the defaults of the commands that are typed in its folder, named as their options are.

Unknown names are refused with the nearest known one; nothing is ever ignored in silence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click

from dataset_adapters.problems import InputError
from robsub.config import read_toml, unknown_setting

SETTINGS_FILE = Path("robsub.toml")


def default_map(commands: Mapping[str, click.Command]) -> dict[str, dict[str, Any]]:
    """robsub.toml, whose settings have the names of the options, as click's ``default_map``."""
    options = {name: _options(command) for name, command in commands.items()}
    return {
        name: {
            str(options[name][key].name): _typed_setting(options[name][key], key, value) for key, value in own.items()
        }
        for name, own in _read(options).items()
    }


def _options(command: click.Command) -> dict[str, click.Option]:
    """Name in robsub.toml -> option: ``min_score`` for ``--min-score``."""
    options = (p for p in command.params if isinstance(p, click.Option))
    return {name.lstrip("-").replace("-", "_"): option for option in options for name in option.opts}


def _typed_setting(option: click.Option, name: str, value: Any) -> Any:
    """A setting as the command line would have it.

    Raises:
        InputError: it is of another type than the option, or out of its range.
    """
    values = value if isinstance(value, list) and option.multiple else [value]
    kinds = (bool,) if option.is_flag else (str, int, float)
    sound = all(isinstance(v, kinds) and isinstance(v, bool) == option.is_flag for v in values)
    try:
        if not sound:
            raise click.BadParameter(f"{'true or false' if option.is_flag else 'text or a number'} is wanted")
        typed = value if option.is_flag else [str(v) for v in values] if option.multiple else str(value)
        option.type_cast_value(click.Context(click.Command(name)), typed)
    except click.BadParameter as error:
        raise InputError(
            SETTINGS_FILE, found=f"{name} = {value!r}", expected=f"what {option.opts[0]} takes ({error.message})",
            fix="Mend that setting.",
        ) from error  # fmt: skip
    return typed


def _read(options: Mapping[str, Collection[str]]) -> dict[str, dict[str, Any]]:
    """Defaults for every command.

    Args:
        options: command -> names of its options.

    Returns:
        command -> option -> value as the file has it; empty without a file.

    Raises:
        InputError: the file is no TOML, or names an unknown command or option; with the nearest known one.
    """
    if not SETTINGS_FILE.is_file():
        return {}
    settings = read_toml(SETTINGS_FILE)
    shared = {name: value for name, value in settings.items() if not isinstance(value, dict)}
    known = {name: None for names in options.values() for name in names}
    for name in shared:
        if name not in known:
            raise unknown_setting(SETTINGS_FILE, name, known)
    for command in settings.keys() - shared.keys():
        if command not in options:
            raise unknown_setting(SETTINGS_FILE, command, options)
        for name in settings[command]:
            if name not in options[command]:
                raise unknown_setting(
                    SETTINGS_FILE, f"{command}.{name}", {f"{command}.{n}": 0 for n in options[command]}
                )
    return {
        command: {**{n: v for n, v in shared.items() if n in names}, **settings.get(command, {})}
        for command, names in options.items()
    }
