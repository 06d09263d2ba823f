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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataset_adapters import rle
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import LabelTable
from dataset_adapters.problems import InputError
from dataset_adapters.submission.layout import SubmissionLayout
from dataset_adapters.submission.mask_png import write_mask

TIMESTAMP = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""
UNIX = 3
FILE_MODE = (stat.S_IFREG | 0o644) << 16


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
    """

    frames: int
    predictions: int
    files: int
    bytes: int
    empty_masks: int
    not_evaluated: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """The summary as plain JSON values."""
        return asdict(self)


def write_submission(
    path: Path,
    layout: SubmissionLayout,
    labels: LabelTable,
    frames: Iterable[tuple[str, Sequence[Prediction]]],
) -> SubmissionSummary:
    """Write a native submission as a zip.

    Args:
        path: the zip, overwritten; give a temporary name and rename it when all went well.
        layout: the benchmark's layout.
        labels: the benchmark's table; predictions name its labels.
        frames: (frame name, its predictions) for every frame, also those without predictions; read one by one.

    Raises:
        InputError: a frame comes twice, or a prediction has a score outside [0, 1], a broken mask, or a mask of another
            size than the frame's first.
    """
    written: set[str] = set()
    left_out = Counter[str]()
    empty = predictions = 0
    with zipfile.ZipFile(path, "w") as archive:
        for frame, given in frames:
            if frame in written:
                raise _refusal(frame, "a second list of predictions", "every frame once")
            written.add(frame)
            scored = [p for p in given if _is_scored(p, labels)]
            visible = [p for p in scored if rle.area(p.rle)]
            left_out.update(p.label for p in given if not _is_scored(p, labels))
            empty += len(scored) - len(visible)
            predictions += len(visible)
            for name, data in frame_files(layout, labels, frame, visible):
                archive.writestr(_member(name), data)
    files = len(written) + predictions
    not_evaluated = dict(sorted(left_out.items()))
    return SubmissionSummary(len(written), predictions, files, path.stat().st_size, empty, not_evaluated)


def frame_files(
    layout: SubmissionLayout, labels: LabelTable, frame: str, predictions: Sequence[Prediction]
) -> Iterator[tuple[str, bytes]]:
    """The files of one frame as (path below the root, bytes): its list file, then its masks by descending score."""
    _require_sound(frame, predictions)
    ranked = sorted(predictions, key=lambda p: -p.score)
    lines = (
        f"{layout.mask_link.format(frame=frame, index=index)} "
        f"{labels.by_name[p.label].id:0{layout.label_digits}d} {_decimal(p.score)}"
        for index, p in enumerate(ranked)
    )
    yield layout.list_name.format(frame=frame), "".join(f"{line}\n" for line in lines).encode()
    for index, prediction in enumerate(ranked):
        yield layout.mask_name.format(frame=frame, index=index), _mask_file(frame, prediction)


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


def _mask_file(frame: str, prediction: Prediction) -> bytes:
    try:
        return write_mask(prediction.rle)
    except ValueError as error:
        raise _refusal(frame, f"a {prediction.label} with a broken mask ({error})", "COCO's compressed RLE") from error


def _refusal(frame: str, found: str, expected: str) -> InputError:
    return InputError(
        f"predictions of {frame}", found=found, expected=expected, fix="Correct the predictions and package again."
    )


def _decimal(score: float) -> str:
    """The shortest decimal without exponent that reads back as the same number."""
    return np.format_float_positional(score, trim="-")


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, TIMESTAMP)
    member.create_system, member.external_attr = UNIX, FILE_MODE
    return member
