"""``best.pt`` and what a run says of it: a kill between two files, or going back to an earlier one, parts them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataset_adapters.problems import InputError
from robsub.training.checkpoint import BEST, BEST_BEFORE, CHECKPOINT, former_name, link_checkpoint, load_checkpoint
from robsub.training.say import say


def agreeing_best(run: Path, state: Mapping[str, Any]) -> dict[str, float]:
    """Let ``best.pt`` be what a run goes on from calls its best, or forget the best where it is not kept any more.

    Args:
        run: the run's folder.
        state: of the checkpoint that the run goes on from.

    Returns:
        Iteration and AP of the best validation; empty without one.
    """
    best: dict[str, float] = state.get("best", {})
    file = run / BEST
    if best and _is_of(file, best):
        return best
    kept = [run / CHECKPOINT, run / former_name(int(best["iteration"]))] if best else []
    for path in kept:
        if _is_of(path, best):
            link_checkpoint(path, file)
            say(f"{file} is now the checkpoint of iteration {best['iteration']:.0f}, the best of the run as it goes on")
            return best
    if file.is_file():
        file.replace(run / BEST_BEFORE)
        say(f"{file} is {BEST_BEFORE} now, for it is not of the run as it goes on")
    if best:
        say(f"the best checkpoint, of iteration {best['iteration']:.0f}, is not kept any more; the next one counts")
    return {}


def _is_of(path: Path, best: Mapping[str, float]) -> bool:
    """Whether a file is the checkpoint of that validation."""
    try:
        state = load_checkpoint(path)
    except InputError:
        return False
    return state.get("iteration") == best["iteration"] and state.get("best") == best
