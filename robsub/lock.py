"""One file, one writer."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from typing import BinaryIO

from dataset_adapters.problems import InputError


def lock(file: BinaryIO, held: Callable[[], InputError]) -> None:
    """Keep other processes from an open file; the lock ends with the process, however it ends.

    A POSIX lock: unlike ``flock``, the processes that load images do not inherit it and outlive a kill with it. It ends
    too when its own process closes any handle of the file, so that all is to be read and written through this one.

    Args:
        file: opened for writing.
        held: the refusal, asked for where another process has the lock.

    Raises:
        InputError: what ``held`` gives.
    """
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:  # POSIX leaves open which of the two it is
        raise held() from error
