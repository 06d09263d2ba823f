"""Reading a native submission: what the official evaluators take, from a zip or a directory in place.

The rules are those of cityscapesScripts ``evalInstanceLevelSemanticLabeling.py``, which the KITTI devkit and ScanNet
copied: the list file of a frame is found by its name anywhere below the root, a mask listed twice counts with its last
line, every pixel but 0 is the object, and empty masks are passed over.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from dataset_adapters import rle
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import Label, LabelTable
from dataset_adapters.submission.archive import Archive, open_archive
from dataset_adapters.submission.faults import Finding, first_error
from dataset_adapters.submission.layout import SubmissionLayout
from dataset_adapters.submission.lines import ListLine, read_list, resolve_link
from dataset_adapters.submission.mask_reader import MaskError, read_mask


class NativeSubmission:
    """Predictions by frame from a native submission. Picklable: worker processes open the archive for themselves.

    Args:
        path: a zip file or a directory.
        layout: the benchmark's layout.
        labels: the benchmark's table.

    Raises:
        InputError: no archive, or one with members that are not read (links, encryption, paths out of the root).
    """

    def __init__(self, path: Path, layout: SubmissionLayout, labels: LabelTable) -> None:
        self.path = path
        self.layout = layout
        self.labels = labels
        self._archive: Archive = open_archive(path)
        for refusal in self._archive.refusals:
            raise Finding(refusal.code, refusal.found).error(f"{path}/{refusal.name}")
        self._lists: dict[str, list[str]] = {}
        for name in self._archive.names():
            frame = layout.frame_of(name)
            if frame is not None:
                self._lists.setdefault(frame, []).append(name)

    def frames(self) -> Collection[str]:
        """The frames that have a list file."""
        return self._lists.keys()

    def predictions(self, frame: str, size: tuple[int, int]) -> list[Prediction] | None:
        """One frame's predictions in the order of their lines, None if the frame has no list file.

        Labels without instances are kept under their name; the protocols pass over them.

        Args:
            frame: the frame's name.
            size: its (height, width), which every mask must have.

        Raises:
            InputError: the official evaluator would stop at this frame's list file or at one of its masks, or a score
                is not finite. Names the file, the line, what was found, what was expected and the fix.
        """
        lists = self._lists.get(frame)
        if lists is None:
            return None
        if len(lists) > 1:
            raise Finding("list-double", " and ".join(lists)).error(f"{self.path}/{lists[1]}")
        predictions = (
            self._prediction(lists[0], line, mask, size) for mask, line in self._lines_by_mask(lists[0]).items()
        )
        return [p for p in predictions if p is not None]

    def close(self) -> None:
        """Give the file handle back."""
        self._archive.close()

    def _lines_by_mask(self, name: str) -> dict[str, ListLine]:
        """mask path below the root -> its last line."""
        lines, findings = read_list(self._archive.read(name))
        self._refuse(name, findings)
        by_mask = {}
        for line in lines:
            self._refuse(name, line.findings)
            assert line.link is not None  # a line without a link has a finding
            target = resolve_link(name, line.link, line.number)
            if isinstance(target, Finding):
                raise target.error(f"{self.path}/{name}")
            if target in self._archive:
                by_mask[target] = line
            elif self._counts(name, line):
                raise Finding("mask-missing", f"no file {target!r}", line.number).error(f"{self.path}/{name}")
        return by_mask

    def _refuse(self, name: str, findings: Collection[Finding]) -> None:
        fault = first_error(findings)
        if fault is not None:
            raise fault.error(f"{self.path}/{name}")

    def _prediction(self, name: str, line: ListLine, mask: str, size: tuple[int, int]) -> Prediction | None:
        """The prediction of a line, None where the official code passes over it."""
        label = self._label(name, line)
        if label is None:
            return None
        assert line.score is not None
        try:
            _, pixels = read_mask(self._archive.read(mask), size)
        except MaskError as error:
            if not label.evaluated:
                return None
            raise error.finding.error(f"{self.path}/{mask}") from error
        encoded = pixels.rle()
        return Prediction(label.name, line.score, rle.box(encoded), encoded) if rle.area(encoded) else None

    def _counts(self, name: str, line: ListLine) -> bool:
        """Whether the official code looks at a line's mask at all."""
        label = self._label(name, line)
        return label is not None and label.evaluated

    def _label(self, name: str, line: ListLine) -> Label | None:
        assert line.label_id is not None
        label = self.labels.by_id.get(line.label_id)
        if label is None and not self.layout.skip_unknown_labels:
            raise Finding("label-unknown", f"label id {line.label_id}", line.number).error(f"{self.path}/{name}")
        return label
