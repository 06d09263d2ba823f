"""Time and memory of contenders, for the benchmarks that need torch.

Times are CPU seconds of this process over all its threads (on a GPU: seconds between synchronisations), the best of a
few rounds in which the contenders take turns, so that ratios hold on a shared machine too. Memory is what a contender
needs at the most beyond what was there before it: of the GPU's allocator, or of the process as Linux counts it.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

CPU, CUDA = torch.device("cpu"), torch.device("cuda")

Work = Callable[[], Any]


def seconds(contenders: Mapping[str, Work], rounds: int, device: torch.device = CPU) -> dict[str, float]:
    """The best time of each contender; they take turns, after one turn that does not count."""
    best = dict.fromkeys(contenders, float("inf"))
    for turn in range(rounds + 1):
        for name, work in contenders.items():
            start = clock(device)
            work()
            if turn:
                best[name] = min(best[name], clock(device) - start)
    return best


def clock(device: torch.device) -> float:
    """CPU seconds of this process, or seconds when the GPU has done everything."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def autocast(device: torch.device, amp: bool) -> AbstractContextManager[Any]:
    """Autocast to bfloat16, or nothing."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if amp else nullcontext()


def peak(work: Work, device: torch.device = CPU) -> float:
    """MiB that the work needs at the most, beyond what is taken when it begins."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    ctypes.CDLL(None).malloc_trim(0)  # what the C library holds back would hide what is asked for anew
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    work()
    return (_resident("VmHWM") - before) / 2**10


def _resident(line: str) -> int:
    """A line of Linux's account of the process, KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(text.split()[1] for text in lines if text.startswith(line)))


def memory(device: torch.device) -> str:
    """The peak so far, of the process or of the GPU."""
    if device.type == "cuda":
        return f"peak {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB"
    return f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB"


def head() -> None:
    """Print the head of a table of rows."""
    print("| what | first | second | second / first | MiB | |\n|---|---|---|---|---|---|")


def row(name: str, contenders: Mapping[str, Work], rounds: int, device: torch.device = CPU, note: str = "") -> None:
    """Measure two contenders and print their times, the second's over the first's, and the memory of each."""
    times = seconds(contenders, rounds, device)
    (first, a), (second, b) = times.items()
    taken = " and ".join(f"{peak(work, device):.0f}" for work in contenders.values())
    cells = (name, f"{first} {1e3 * a:.1f} ms", f"{second} {1e3 * b:.1f} ms", f"{b / a:.2f}", taken, note)
    print(f"| {' | '.join(cells)} |", flush=True)
