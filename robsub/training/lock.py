"""One run, one writer."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dataset_adapters.problems import InputError
from robsub.files import naming
from robsub.lock import lock

LOCK = ".lock"


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Keep other processes out of a run's folder; the lock ends with the process, however it ends.

    Raises:
        InputError: another process trains there; says which.
    """
    path = run / LOCK
    with naming(path):
        run.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b", buffering=0)
    with file:
        with naming(path):
            lock(file, lambda: _held(file, run))
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield


def _held(file: BinaryIO, run: Path) -> InputError:
    file.seek(0)
    return InputError(
        run, found=f"a training under way there ({file.read().decode().strip() or 'just begun'})",
        expected="a folder of this run alone",
        fix="Wait for it, stop it, or choose another folder with --out.",
    )  # fmt: skip
