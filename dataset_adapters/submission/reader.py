"""Reading a native submission: what the official evaluators take, from a zip or a directory in place.

The rules are those of cityscapesScripts ``evalInstanceLevelSemanticLabeling.py``, which the KITTI devkit and ScanNet
copied: the list file of a frame is found by its name anywhere below the root, a mask listed twice counts with its last
line, and every pixel but 0 is the object. What it passes over without a word (empty masks, labels that it does not
know, lines that a later one overrides) is handed on or counted, so that somebody can say so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from dataset_adapters import rle
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import LabelTable
from dataset_adapters.problems import InputError, first_of
from dataset_adapters.submission.archive import Archive, open_archive
from dataset_adapters.submission.faults import Finding, first_error
from dataset_adapters.submission.layout import SubmissionLayout
from dataset_adapters.submission.lines import ListLine, read_list, resolve_link
from dataset_adapters.submission.mask_reader import MaskError, mask_bytes, read_mask


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
        self._archive.require_readable()
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

        Every line that counts is there: labels that are not evaluated under their name, unknown ones as ``id 77``, and
        masks without a pixel. The protocols count and pass over them.

        Args:
            frame: the frame's name.
            size: its (height, width), which every mask must have.

        Raises:
            InputError: the official evaluator would stop at this frame's list file or at one of its masks, or a score
                is not finite. Names the file, the line, what was found and how often, what was expected and the fix.
        """
        if frame not in self._lists:
            return None
        name, *others = self._lists[frame]
        if others:
            raise Finding("list-double", f"{name} and {others[0]}").error(f"{self.path}/{others[0]}")
        predictions, faults = [], []
        for mask, line in self._lines_by_mask(name).items():
            try:
                predictions.append(self._prediction(line, mask, size))
            except MaskError as error:
                faults.append((mask, error.finding))
        if faults:
            raise self._refusal(faults)
        return predictions

    def count(self, frame: str) -> int:
        """How many lines the list files of a frame have."""
        return sum(1 for name in self._lists[frame] for _ in self._lines(name))

    def notes(self) -> list[str]:
        """What the official code does without a word: of two lines of one mask it forgets the first."""
        lost = [f"{name}:{number}" for names in self._lists.values() for name in names for number in self._lost(name)]
        if not lost:
            return []
        return [f"{len(lost)} lines count nothing, for a later line names the same mask; first {lost[0]}."]

    def close(self) -> None:
        """Give the file handle back."""
        self._archive.close()

    def _lines(self, name: str) -> Iterator[ListLine]:
        return read_list(self._archive.read(name))[0]

    def _lost(self, name: str) -> Iterator[int]:
        """Numbers of the lines whose mask a later line names."""
        last: dict[str, int] = {}
        for line in self._lines(name):
            target = resolve_link(name, line.link, line.number) if line.link else None
            if isinstance(target, str):
                if target in last:
                    yield last[target]
                last[target] = line.number

    def _lines_by_mask(self, name: str) -> dict[str, ListLine]:
        """mask path below the root -> its last line."""
        lines, faults = read_list(self._archive.read(name))
        by_mask = {}
        for line in lines:
            faults += line.findings
            if line.link is not None:
                target = resolve_link(name, line.link, line.number)
                if isinstance(target, Finding):
                    faults.append(target)
                else:
                    by_mask[target] = line
        faults += [fault for target, line in by_mask.items() for fault in self._line_faults(target, line)]
        errors = [(name, fault) for fault in faults if first_error([fault])]
        if errors:
            raise self._refusal(errors)
        return by_mask

    def _line_faults(self, mask: str, line: ListLine) -> Iterator[Finding]:
        """What the official code stops at when it looks for a line's label and mask."""
        label = None if line.label_id is None else self.labels.by_id.get(line.label_id)
        if label is None and line.label_id is not None and not self.layout.skip_unknown_labels:
            yield Finding("label-unknown", f"label id {line.label_id}", line.number)
        if label is not None and label.evaluated and mask not in self._archive:
            yield Finding("mask-missing", f"no file {mask!r}", line.number)

    def _prediction(self, line: ListLine, mask: str, size: tuple[int, int]) -> Prediction:
        """The prediction of a line; the mask of a label that is not evaluated may be anything, and is then empty."""
        assert line.label_id is not None and line.score is not None  # a line without them has a finding
        label = self.labels.by_id.get(line.label_id)
        encoded = rle.empty(size)
        if label is not None and mask in self._archive:
            try:
                encoded = read_mask(mask_bytes(self._archive, mask, size), size)[1].rle()
            except MaskError:
                if label.evaluated:
                    raise
        return Prediction(label.name if label else f"id {line.label_id}", line.score, rle.box(encoded), encoded)

    def _refusal(self, faults: Sequence[tuple[str, Finding]]) -> InputError:
        """The first of one frame's faults (file, finding), with how many of its kind there are."""
        name, first = faults[0]
        alike = sum(finding.code == first.code for _, finding in faults)
        return replace(first, found=first_of(first.found, alike)).error(f"{self.path}/{name}")
