"""A submission as COCO results, for the server that takes them: one list, in a zip of its own or bare."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dataset_adapters import rle
from dataset_adapters.base import DatasetAdapter, Frame
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import LabelTable
from dataset_adapters.problems import InputError
from dataset_adapters.submission.coco_layout import CocoSubmission
from dataset_adapters.submission.selection import Selection
from dataset_adapters.submission.writer import LeftOut, SubmissionSummary, choose, plain_member
from robsub.coco_writer import CocoIds, write_detections


@dataclass(frozen=True, slots=True)
class CocoFrame:
    """One frame's detections as JSON, by descending score, and what is not among them."""

    detections: tuple[str, ...]
    left_out: LeftOut


@dataclass(frozen=True, slots=True)
class CocoPacker:
    """Turns a frame's predictions into detections; picklable, as ``FramePacker`` is.

    Attributes:
        ids: the ids of images and classes.
        labels: the benchmark's table.
        selection: which predictions are wanted.
        member: name of the results in a zip; None writes the bare list.
    """

    ids: CocoIds
    labels: LabelTable
    selection: Selection
    member: str | None

    def pack(self, frame: str, given: Sequence[Prediction]) -> CocoFrame:
        """The detections of one frame, each with the box of its mask.

        Raises:
            InputError: as of ``choose``; or a list of ids lacks the frame or a class.
        """
        taken, left_out = choose(frame, given, self.labels, self.selection)
        tight = (replace(p, box=rle.box(p.rle)) for p in taken)
        return CocoFrame(tuple(self.ids.detection(frame, p) for p in tight), left_out)

    def write(self, path: Path, frames: Iterable[CocoFrame]) -> dict[str, Any]:
        """Write the frames' detections as a zip or a bare list; what went into it as plain JSON values."""
        tally = _Tally()
        if self.member is None:
            with path.open("w", encoding="utf-8") as file:
                write_detections(file, tally.all(frames))
        else:
            member = plain_member(self.member)
            member.compress_type = zipfile.ZIP_DEFLATED
            with (
                zipfile.ZipFile(path, "w") as archive,
                archive.open(member, "w") as raw,
                io.TextIOWrapper(raw, encoding="utf-8") as file,
            ):
                write_detections(file, tally.all(frames))
        summary = SubmissionSummary.of(
            path, tally.left_out, frames=tally.frames, predictions=tally.predictions, files=1
        )
        return {**summary.to_json(), "frames_without_objects": tally.empty}


class _Tally:
    """Counts frames as their detections are written."""

    def __init__(self) -> None:
        self.frames = self.predictions = self.empty = 0
        self.left_out = LeftOut()

    def all(self, frames: Iterable[CocoFrame]) -> Iterator[str]:
        for frame in frames:
            self.frames += 1
            self.predictions += len(frame.detections)
            self.empty += not frame.detections
            self.left_out += frame.left_out
            yield from frame.detections


def require_coco(adapter: DatasetAdapter) -> CocoSubmission:
    """The layout of the benchmark's COCO results.

    Raises:
        InputError: its server takes none.
    """
    if adapter.coco_submission is None:
        raise InputError(
            adapter.title, found="a benchmark that takes no COCO results", expected="WildDash 2",
            fix="Leave out --form; 'robsub convert --to coco' writes results for other uses.",
        )  # fmt: skip
    return adapter.coco_submission


def coco_ids(adapter: DatasetAdapter, frames: Sequence[Frame], image_list: Path | None) -> CocoIds:
    """The ids of a list, or else the names of the files and the native label ids.

    Raises:
        InputError: the list does not read.
    """
    return CocoIds.listed(image_list, frames) if image_list else CocoIds.named(adapter, frames)
