"""``robsub.toml`` in the working directory: defaults for the commands typed there.

Settings of a command stand in its table (``[train]``), settings of all commands at the top (``data_root``). Flags win.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robsub.recipe import read_toml, unknown_setting

SETTINGS_FILE = Path("robsub.toml")


def read_settings(options: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    """Defaults for every command.

    Args:
        options: command -> names of its options.

    Returns:
        command -> option -> value, as click's ``default_map`` takes it; empty without a file.

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
