"""Match many frames, in as many processes as are worth starting; the result is the same for any number."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from tqdm import tqdm

from dataset_adapters.base import DatasetAdapter, Frame
from evaluators.class_names import ClassNames
from evaluators.matching import ImageMatches, match_image
from evaluators.protocol import Protocol
from robsub.matches_file import MatchesWriter
from robsub.predictions import PredictionSource

TRIAL_S, START_S = 0.5, 3.0
"""For so long one process works alone to see how fast it is; others are started for more work than takes so long."""


@dataclass(frozen=True)
class MatchJob:
    """All that a worker process needs to match a frame; picklable."""

    adapter: DatasetAdapter
    names: ClassNames
    protocol: Protocol
    source: PredictionSource

    def match(self, frame: Frame) -> ImageMatches:
        """Match one frame."""
        truth = self.names.truth(self.adapter.ground_truth(frame))
        predictions = self.source.predictions(frame.name, truth.size)
        found = None if predictions is None else self.names.predictions(predictions)
        return match_image(self.protocol, self.names.labels, truth, found)


def match_all(
    job: MatchJob, frames: Sequence[Frame], workers: int | None, writer: MatchesWriter | None
) -> Iterator[ImageMatches]:
    """Match the frames that the writer does not hold yet, and hand it the new ones as they come."""
    done = writer.done if writer else {}
    yield from (done[frame.name] for frame in frames if frame.name in done)
    rest = [frame for frame in frames if frame.name not in done]
    new = _match_new(job, rest, workers)
    initial = len(frames) - len(rest)
    bar = tqdm(new, f"evaluate {job.adapter.name}", len(frames), initial=initial, unit="image", disable=None)
    for image in bar:
        if writer:
            writer.add(image)
        yield image


def _match_new(job: MatchJob, frames: Sequence[Frame], workers: int | None) -> Iterator[ImageMatches]:
    """Alone for a while, and by processes if what is left is worth starting them."""
    count, begin, left = workers or os.cpu_count() or 1, time.monotonic(), list(frames)
    while left and not (count > 1 and _is_long(time.monotonic() - begin, len(frames) - len(left), len(left))):
        yield job.match(left.pop(0))
    if left:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(count, len(left)), context, _start_worker, (job,)) as pool:
            yield from pool.map(_match_one, left, chunksize=4)


def _is_long(spent: float, done: int, left: int) -> bool:
    """Whether the work that is left would take longer than starting processes does, both in seconds."""
    return done > 0 and spent > TRIAL_S and spent / done * left > START_S


_job: MatchJob


def _start_worker(job: MatchJob) -> None:
    global _job
    _job = job


def _match_one(frame: Frame) -> ImageMatches:
    return _job.match(frame)
