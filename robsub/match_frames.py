"""Match many frames, in as many processes as are worth starting; the result is the same for any number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tqdm import tqdm

from dataset_adapters.base import DatasetAdapter, Frame
from dataset_adapters.processes import in_order
from evaluators.class_names import ClassNames
from evaluators.matching import ImageMatches, match_image
from evaluators.protocol import Protocol
from robsub.matches_file import MatchesWriter
from robsub.predictions import PredictionSource


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
    new = in_order(job.match, rest, workers)
    initial = len(frames) - len(rest)
    bar = tqdm(new, f"evaluate {job.adapter.name}", len(frames), initial=initial, unit="image", disable=None)
    for image in bar:
        if writer:
            writer.add(image)
        yield image
