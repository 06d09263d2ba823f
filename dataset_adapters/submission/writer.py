"""Writing a native submission: predictions stream into a zip, frame by frame, without a temporary tree.

The same predictions give the same bytes: fixed time stamps and modes, the caller's order of frames, the masks of a
frame by descending score.
"""

from __future__ import annotations

import math
import stat
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dataset_adapters import rle
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import LabelTable
from dataset_adapters.problems import InputError
from dataset_adapters.submission.layout import SubmissionLayout
from dataset_adapters.submission.mask_png import write_mask
from dataset_adapters.submission.selection import EVERYTHING, Selection

TIMESTAMP = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""
UNIX = 3
FILE_MODE = (stat.S_IFREG | 0o644) << 16


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Which predictions do not go into a submission; the parts are those of ``SubmissionSummary``."""

    empty_masks: int = 0
    not_evaluated: Counter[str] = field(default_factory=Counter)
    not_selected: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: LeftOut) -> LeftOut:
        return LeftOut(
            self.empty_masks + other.empty_masks,
            self.not_evaluated + other.not_evaluated,
            self.not_selected + other.not_selected,
        )


@dataclass(frozen=True, slots=True)
class SubmissionSummary:
    """What went into an archive and what was left out.

    Attributes:
        frames: list files written, one a frame.
        predictions: lines and masks written.
        files: members of the archive.
        bytes: size of the archive.
        empty_masks: predictions left out because their mask has no pixel.
        not_evaluated: label name -> predictions left out because the benchmark does not score that class.
        not_selected: reason -> predictions left out because the user did not want them.
    """

    frames: int
    predictions: int
    files: int
    bytes: int
    empty_masks: int
    not_evaluated: Mapping[str, int]
    not_selected: Mapping[str, int]

    @classmethod
    def of(cls, path: Path, left_out: LeftOut, *, frames: int, predictions: int, files: int) -> SubmissionSummary:
        """The summary of a file that is written."""
        return cls(
            frames=frames,
            predictions=predictions,
            files=files,
            bytes=path.stat().st_size,
            empty_masks=left_out.empty_masks,
            not_evaluated=dict(sorted(left_out.not_evaluated.items())),
            not_selected=dict(sorted(left_out.not_selected.items())),
        )

    def to_json(self) -> dict[str, Any]:
        """The summary as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PackedFrame:
    """One frame as it goes into the archive.

    Attributes:
        frame: its name.
        files: (path below the root, bytes): its list file, then its masks by descending score.
        left_out: what of its predictions is not in them.
    """

    frame: str
    files: tuple[tuple[str, bytes], ...]
    left_out: LeftOut


@dataclass(frozen=True, slots=True)
class FramePacker:
    """Turns a frame's predictions into files; picklable, so that frames can be packed by many processes.

    Attributes:
        layout: the benchmark's layout.
        labels: the benchmark's table; predictions name its labels.
        selection: which predictions are wanted.
        one_bit: write masks of 1 bit a pixel instead of 8, for servers known to take them.
    """

    layout: SubmissionLayout
    labels: LabelTable
    selection: Selection = EVERYTHING
    one_bit: bool = False

    def pack(self, frame: str, given: Sequence[Prediction]) -> PackedFrame:
        """The files of one frame.

        Raises:
            InputError: a prediction has a score outside [0, 1], a broken mask, or a mask of another size than the
                frame's first.
        """
        taken, left_out = choose(frame, given, self.labels, self.selection)
        return PackedFrame(frame, tuple(self._files(frame, taken)), left_out)

    def write(self, path: Path, frames: Iterable[PackedFrame]) -> dict[str, Any]:
        """Write the frames as a zip; what went into it as plain JSON values."""
        return write_submission(path, frames).to_json()

    def _files(self, frame: str, ranked: Sequence[Prediction]) -> Iterator[tuple[str, bytes]]:
        layout = self.layout
        lines = (
            f"{layout.mask_link.format(frame=frame, index=index)} "
            f"{self.labels.by_name[p.label].id:0{layout.label_digits}d} {_decimal(p.score)}"
            for index, p in enumerate(ranked)
        )
        yield layout.list_name.format(frame=frame), "".join(f"{line}\n" for line in lines).encode()
        for index, prediction in enumerate(ranked):
            yield layout.mask_name.format(frame=frame, index=index), _mask_file(frame, prediction, self.one_bit)


def choose(
    frame: str, given: Sequence[Prediction], labels: LabelTable, selection: Selection
) -> tuple[list[Prediction], LeftOut]:
    """The predictions of a frame that go into a submission, by descending score, and what does not.

    Raises:
        InputError: a score is outside [0, 1], or a mask is of another size than the frame's first.
    """
    scored = [p for p in given if _is_scored(p, labels)]
    visible = [p for p in scored if rle.area(p.rle)]
    _require_sound(frame, visible)
    taken, not_selected = selection.apply(visible)
    not_evaluated = Counter(p.label for p in given if not _is_scored(p, labels))
    return taken, LeftOut(len(scored) - len(visible), not_evaluated, not_selected)


def write_submission(path: Path, frames: Iterable[PackedFrame]) -> SubmissionSummary:
    """Write a native submission as a zip.

    Args:
        path: the zip, overwritten; give a temporary name and rename it when all went well.
        frames: every frame, also those without predictions; read one by one.

    Raises:
        InputError: a frame comes twice.
    """
    written: set[str] = set()
    left_out, files = LeftOut(), 0
    with zipfile.ZipFile(path, "w") as archive:
        for packed in frames:
            if packed.frame in written:
                raise _refusal(packed.frame, "a second list of predictions", "every frame once")
            written.add(packed.frame)
            for name, data in packed.files:
                archive.writestr(plain_member(name), data)
            files += len(packed.files)
            left_out += packed.left_out
    return SubmissionSummary.of(path, left_out, frames=len(written), predictions=files - len(written), files=files)


def _is_scored(prediction: Prediction, labels: LabelTable) -> bool:
    label = labels.by_name.get(prediction.label)
    return label is not None and label.evaluated


def _require_sound(frame: str, predictions: Sequence[Prediction]) -> None:
    for p in predictions:
        if not (math.isfinite(p.score) and 0 <= p.score <= 1):
            raise _refusal(frame, f"a {p.label} of score {p.score}", "scores from 0 to 1")
    sizes = {(p.rle["size"][0], p.rle["size"][1]) for p in predictions}
    if len(sizes) > 1:
        shown = " and ".join(f"{width} x {height}" for height, width in sorted(sizes))
        raise _refusal(frame, f"masks of {shown} pixels", "masks of the frame's own size")


def _mask_file(frame: str, prediction: Prediction, one_bit: bool) -> bytes:
    try:
        return write_mask(prediction.rle, one_bit=one_bit)
    except ValueError as error:
        raise _refusal(frame, f"a {prediction.label} with a broken mask ({error})", "COCO's compressed RLE") from error


def _refusal(frame: str, found: str, expected: str) -> InputError:
    return InputError(
        f"predictions of {frame}", found=found, expected=expected, fix="Correct the predictions and package again."
    )


def _decimal(score: float) -> str:
    """The shortest decimal without exponent that reads back as the same number."""
    return np.format_float_positional(score, trim="-")


def plain_member(name: str) -> zipfile.ZipInfo:
    """A file of an archive with fixed time stamp and mode, stored."""
    member = zipfile.ZipInfo(name, TIMESTAMP)
    member.create_system, member.external_attr = UNIX, FILE_MODE
    return member
