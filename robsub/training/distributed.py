"""The processes of a run: one without torchrun, WORLD_SIZE of them under it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

import torch
import torch.distributed as dist

T = TypeVar("T")


@dataclass(frozen=True)
class Process:
    """This process's place in the run."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes the run's files."""
        return self.rank == 0

    def wait(self) -> None:
        """Return when every process of the run has come here."""
        if self.world_size > 1:
            dist.barrier()

    def share(self, value: T) -> T:
        """The main process's value, in every process."""
        if self.world_size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def gather(self, value: T) -> list[T]:
        """Every process's value, by rank, in every process."""
        if self.world_size == 1:
            return [value]
        box: list[T | None] = [None] * self.world_size
        dist.all_gather_object(box, value)
        return cast("list[T]", box)


def leave_cores(loaders: int) -> None:
    """On the CPU, give the network the cores that the processes which load images do not take, at least one.

    Two busy processes on two cores with two threads each are several times slower than with one: the threads of a
    parallel region wait for each other, spinning. OMP_NUM_THREADS, which torchrun sets, is left alone.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) - max(1, loaders)))


@contextmanager
def join_run() -> Iterator[Process]:
    """Join the run that torchrun's environment describes; without torchrun, be the only process."""
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", local_rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if world_size == 1:
        yield Process(0, 1, device)
        return
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Process(dist.get_rank(), world_size, device)
    finally:
        dist.destroy_process_group()
