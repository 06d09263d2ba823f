"""What a training tells its user."""

from __future__ import annotations

import sys

from tqdm import tqdm


def say(text: str) -> None:
    """A line for the user, on standard error, above the progress bar."""
    tqdm.write(f"train: {text}", file=sys.stderr)
