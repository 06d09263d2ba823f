"""The processes of a run: one without torchrun, WORLD_SIZE of them under it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

T = TypeVar("T")

PATIENCE = timedelta(hours=2)
"""How long processes wait for each other: one may read all ground truth or score a validation meanwhile."""


@dataclass(frozen=True)
class Process:
    """This process's place in the run."""

    rank: int
    world_size: int
    device: torch.device
    restarted: bool = False
    """Whether torchrun has started it again after a failure: then it is to go on, whatever the command says."""

    @property
    def is_main(self) -> bool:
        """Whether this process writes the run's files."""
        return self.rank == 0

    def random_state(self) -> list[torch.Tensor]:
        """The generators' states of this process: the CPU's, and that of its GPU if it has one."""
        cuda = [torch.cuda.get_rng_state(self.device)] if self.device.type == "cuda" else []
        return [torch.get_rng_state(), *cuda]

    def set_random_state(self, states: Sequence[torch.Tensor]) -> None:
        """Go on from what ``random_state`` gave, here or on another kind of device."""
        torch.set_rng_state(states[0])
        if self.device.type == "cuda" and len(states) > 1:
            torch.cuda.set_rng_state(states[1], self.device)

    def wait(self) -> None:
        """Return when every process of the run has come here."""
        if self.world_size > 1:
            dist.barrier()

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """What stands in it is done by the main process, then by all others."""
        if not self.is_main:
            self.wait()
        yield
        if self.is_main:
            self.wait()

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
    starts_before = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", local_rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if world_size == 1:
        yield Process(0, 1, device, starts_before > 0)
        return
    rank = int(os.environ["RANK"])
    store = _meeting_place(world_size, starts_before)
    dist.init_process_group("nccl" if cuda else "gloo", store=store, rank=rank, world_size=world_size, timeout=PATIENCE)
    try:
        yield Process(rank, world_size, device, starts_before > 0)
    finally:
        dist.destroy_process_group()


def _meeting_place(world_size: int, starts_before: int) -> Store:
    """The store in which processes find each other's addresses.

    torchrun keeps one store for all starts, and a restarted process that finds a dead one's address there cannot join.
    So every start has its own names, where the number of starts is the same for all: on one node. On several, see
    docs/scaling.md.
    """
    store: Store = next(rendezvous("env://"))[0]
    if os.environ.get("LOCAL_WORLD_SIZE") == str(world_size):
        return PrefixStore(f"start-{starts_before}", store)
    return store
