"""One job for many items, in as many processes as are worth starting: results in order, few under way at a time."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

TRIAL_S, START_S = 0.5, 3.0
"""For so long one process works alone to see how fast it is; others are started for more work than takes so long."""
CHUNK = 8
UNDER_WAY = 8
"""Chunks for each process that are handed out before the first result is taken: they bound the memory."""


def in_order(job: Callable[[T], R], items: Sequence[T], workers: int | None) -> Iterator[R]:
    """``job(item)`` of every item, in their order; the same for any number of workers.

    Args:
        job: picklable; every process gets it once.
        items: picklable.
        workers: processes; all cores if None.
    """
    count, begin, done = workers or os.cpu_count() or 1, time.monotonic(), 0
    while done < len(items) and not (count > 1 and _is_long(time.monotonic() - begin, done, len(items) - done)):
        yield job(items[done])
        done += 1
    if done < len(items):
        yield from _by_processes(job, items[done:], count)


def _by_processes(job: Callable[[T], R], items: Sequence[T], count: int) -> Iterator[R]:
    under_way: deque[Future[list[R]]] = deque()
    pool = ProcessPoolExecutor(count, _Context(), _start_worker, (job,))
    try:
        for start in range(0, len(items), CHUNK):
            under_way.append(pool.submit(_work, items[start : start + CHUNK]))
            if len(under_way) == count * UNDER_WAY:
                yield from under_way.popleft().result()
        for future in under_way:
            yield from future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _is_long(spent: float, done: int, left: int) -> bool:
    """Whether the work that is left would take longer than starting processes does, both in seconds."""
    return done > 0 and spent >= TRIAL_S and spent / done * left >= START_S


class _Process(SpawnProcess):
    """A process that Ctrl-C does not reach: who started it hears of that, and tells it once for all."""

    def start(self) -> None:
        """Start it deaf, for it could be interrupted before it runs a line of ours."""
        if threading.current_thread() is not threading.main_thread():
            super().start()
            return
        former = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            super().start()
        finally:
            signal.signal(signal.SIGINT, former)


class _Context(SpawnContext):
    Process = _Process


_job: Callable[[Any], Any]


def _start_worker(job: Callable[[Any], Any]) -> None:
    global _job
    _job = job


def _work(items: Sequence[Any]) -> list[Any]:
    return [_job(item) for item in items]
