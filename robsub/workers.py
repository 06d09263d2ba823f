"""Reading many frames in many processes: results in order, and only a few frames under way at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import get_context
from typing import TypeVar

from dataset_adapters.base import DatasetAdapter, Frame

R = TypeVar("R")

CHUNK = 8
UNDER_WAY = 64
"""Chunks that are handed out before the first result is taken: enough for every core, few enough to bound memory."""
WORTH_A_POOL = 16
"""Frames below which starting processes takes longer than reading them here."""


def worker_pool(workers: int | None) -> AbstractContextManager[Executor | None]:
    """A pool of fresh processes, None where there would be only one; it starts them when they are needed."""
    count = workers or os.cpu_count() or 1
    return ProcessPoolExecutor(count, get_context("spawn")) if count > 1 else nullcontext()


def in_order(
    pool: Executor | None, read: Callable[[DatasetAdapter, Frame], R], adapter: DatasetAdapter, frames: Sequence[Frame]
) -> Iterator[R]:
    """``read(adapter, frame)`` of every frame, in their order.

    Args:
        pool: where to read; None, or few frames, reads here.
        read: a function of a module, so that another process finds it.
        adapter: the frames' data set.
        frames: the frames.
    """
    if pool is None or len(frames) < WORTH_A_POOL:
        yield from (read(adapter, frame) for frame in frames)
        return
    chunks = (frames[i : i + CHUNK] for i in range(0, len(frames), CHUNK))
    under_way: deque[Future[list[R]]] = deque()
    for chunk in chunks:
        under_way.append(pool.submit(_read_chunk, read, adapter, chunk))
        if len(under_way) == UNDER_WAY:
            yield from under_way.popleft().result()
    for future in under_way:
        yield from future.result()


def _read_chunk(
    read: Callable[[DatasetAdapter, Frame], R], adapter: DatasetAdapter, frames: Sequence[Frame]
) -> list[R]:
    return [read(adapter, frame) for frame in frames]
