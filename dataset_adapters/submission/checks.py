"""Verification of a native submission: everything that is wrong with it, in one pass and in place.

Each kind of fault is a row of ``faults.FAULTS``; a check finds it and hands a ``Finding`` to the log. A
fault is told once: what only follows from it is not.
"""

from __future__ import annotations

import math
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from dataset_adapters.labels import LabelTable
from dataset_adapters.problems import InputError
from dataset_adapters.submission.archive import Archive, open_archive
from dataset_adapters.submission.faults import Check, Finding
from dataset_adapters.submission.layout import SubmissionLayout
from dataset_adapters.submission.lines import ListLine, read_list, resolve_link
from dataset_adapters.submission.list_checks import (
    ListFiles,
    check_lists,
    check_members,
    is_system_file,
    tell_places,
)
from dataset_adapters.submission.mask_checks import MaskInspection
from dataset_adapters.submission.report import FaultLog, VerifyReport, make_report
from dataset_adapters.submission.survey import FrameMasks, survey

__all__ = ["FEWEST_MASKS", "LabelChecks", "ScoreChecks", "VerifyReport", "verify_submission"]

Surveyed = Iterator[list[MaskInspection]]
Progress = Callable[[Surveyed, int], Surveyed]

ROB_OFFSET = 33
"""ROB 2018 numbered ScanNet's classes after Cityscapes' 33: joint id = NYU40 id + 33."""
TRAIN_ID_STARTS = (0, 1, 2, 11)
"""First id of class indices, of those after a background, after ScanNet's wall and floor, and of things among
Cityscapes' training ids."""
FEWEST_SCORES = 10
"""Predictions from which it is no accident that all scores are equal."""
FEWEST_MASKS = 5
"""Masks from which it is no accident that most of them cover most of their frame."""
MOST_FAULTY_LINES = 1_000
"""Faulty lines of one list file after which it is not read further."""
MOST_PERCENT = 1.5
"""Highest score from which scores are taken for percent, and not for a rounding above 1."""


def verify_submission(
    path: Path,
    layout: SubmissionLayout,
    labels: LabelTable,
    frames: Mapping[str, tuple[int, int] | None],
    expected: int | None = None,
    *,
    strict: bool = False,
    workers: int | None = 1,
    progress: Progress = lambda masks, total: masks,
) -> VerifyReport:
    """Check a submission, without unpacking it and whatever it contains.

    Args:
        path: a zip file or a directory.
        layout: the benchmark's layout.
        labels: the benchmark's table.
        frames: frame name -> (height, width), None where the size is unknown; those that are known.
        expected: how many frames there are; None if all are known, or nothing is.
        strict: take warnings for errors.
        workers: processes that look at the masks; all cores if None. The report is the same for any number.
        progress: gets the frames as their masks are looked at, and how many there are, and hands them on.

    Raises:
        InputError: there is nothing at the path.
    """
    log = FaultLog(strict=strict)
    try:
        archive = open_archive(path)
    except InputError as error:
        if not path.exists():
            raise
        log.add(path, Finding("archive-format", error.problem.found, expected=error.problem.expected))
        log.skip("the archive does not open", *(check for check in Check if check is not Check.ARCHIVE))
        return make_report(path, log, frames=len(frames), predictions=0, files=0)
    with archive:
        check_members(archive, layout.zip_limit_mb, log)
        if inner := _nested(archive):
            log.drop("member-huge", "member-stray")
            log.add(path, Finding("archive-nested", f"an archive in the archive, {inner}, and no list file"))
            log.skip("the list files are in another archive", *(check for check in Check if check > Check.MEMBERS))
            return make_report(path, log, frames=len(frames), predictions=0, files=len(archive.names()))
        count = len(frames) if expected is None else expected
        lists = check_lists(archive, layout, frames, count, log)
        _skip_unknown(frames, count, lists, log)
        contents = _Contents(archive, layout, labels, log)
        contents.check_lists(lists, frames)
        contents.check_masks(lambda jobs: progress(survey(archive, jobs, workers), len(jobs)))
        contents.finish(lists)
    told = len(frames) or count or len(lists.by_frame)
    return make_report(path, log, frames=told, predictions=contents.predictions, files=len(archive.names()))


def _skip_unknown(frames: Mapping[str, tuple[int, int] | None], expected: int, lists: ListFiles, log: FaultLog) -> None:
    """Say which names and sizes were not compared, for their images are not here."""
    here = f"{len(frames):,} of {expected:,} images are here" if frames else "the images are not here"
    if not 0 < expected <= len(frames):
        log.skip(f"{here}, so not all names were compared", Check.LISTS)
    if any(frames.get(frame) is None for frame in lists.by_frame):
        log.skip(f"{here}, so not all sizes were compared", Check.MASKS)


def _nested(archive: Archive) -> str | None:
    """A zip inside, where it takes the place of the list files; it may be too large to be read."""
    names = (*archive.names(), *(refusal.name for refusal in archive.refusals))
    if any(name.lower().endswith(".txt") for name in names):
        return None
    return next((name for name in names if name.lower().endswith(".zip")), None)


class _Contents:
    """The checks of lines and masks, and what they need to know of the archive as a whole."""

    def __init__(self, archive: Archive, layout: SubmissionLayout, labels: LabelTable, log: FaultLog) -> None:
        self.archive = archive
        self.layout = layout
        self.log = log
        self.labels = LabelChecks(labels, log)
        self.scores = ScoreChecks(log)
        self.predictions = 0
        self._listed: dict[str, tuple[str, int]] = {}
        self._to_inspect: list[FrameMasks] = []
        self._all_links_known = True
        self._masks = self._large_masks = 0
        self._flat = False
        self._lost_folder = False
        self._links_found = 0
        self._apart: list[tuple[str, int, str]] = []
        """Links (list file, line, mask) that lead past a mask of the same name in another folder."""

    def check_lists(self, lists: ListFiles, frames: Mapping[str, tuple[int, int] | None]) -> None:
        """Check every list file, and gather the masks that they name."""
        self._flat = lists.flat
        for frame, name in lists.by_frame.items():
            masks = self._check_list(name)
            self._to_inspect.append(FrameMasks(tuple(masks), frames.get(frame), self.layout.overlaps))
        for name in lists.surplus:
            self._mark(name)

    def check_masks(self, inspect: Callable[[Sequence[FrameMasks]], Surveyed]) -> None:
        """Check the masks that the list files name."""
        for frame, inspections in zip(self._to_inspect, inspect(self._to_inspect), strict=True):
            for mask, inspection in zip(frame.masks, inspections, strict=True):
                self.log.extend(mask, inspection.findings)
                self._masks += inspection.cover is not None
                self._large_masks += inspection.cover is not None and inspection.cover > 0.5

    def finish(self, lists: ListFiles) -> None:
        """Check what only the whole archive shows."""
        self.labels.finish()
        self.scores.finish(self.archive.path)
        self._check_inverted()
        self._check_folder(lists)
        self._check_apart()
        self._check_unlisted(lists)

    def _check_list(self, name: str) -> list[str]:
        """Check one list file; the masks that it is the first to name."""
        lines, findings = self._lines(name)
        self.log.extend(name, findings)
        before = self.predictions
        masks = [mask for line in self._until_garbage(name, lines) if (mask := self._check_line(name, line))]
        count, most = self.predictions - before, self.layout.max_per_image
        if most is not None and count > most:
            self.log.add(name, Finding("list-long", f"{count:,} predictions", expected=f"at most {most:,}"))
        return masks

    def _until_garbage(self, name: str, lines: Iterator[ListLine]) -> Iterator[ListLine]:
        """The lines of a list file, up to so many faulty ones that the rest can be no better."""
        faulty = 0
        for line in lines:
            yield line
            faulty += bool(line.findings)
            if faulty == MOST_FAULTY_LINES:
                self._all_links_known = False
                found = f"{faulty:,} faulty lines; the rest of the file was not read"
                self.log.add(name, Finding("line-garbage", found, line.number))
                return

    def _lines(self, name: str) -> tuple[Iterator[ListLine], list[Finding]]:
        data = self._read(name)
        self._all_links_known &= data is not None
        return read_list(data or b"")

    def _read(self, name: str) -> bytes | None:
        try:
            return self.archive.read(name)
        except InputError as error:
            self.log.add(name, Finding("member-broken", error.problem.found))
            return None

    def _check_line(self, name: str, line: ListLine) -> str | None:
        self.log.extend(name, line.findings)
        self.predictions += line.link is not None
        if line.label_id is not None:
            self.labels.check(name, line.number, line.label_id)
        if line.score is not None:
            self.scores.check(name, line.number, line.score)
        if line.link is None:
            self._all_links_known &= any(finding.code == "line-blank" for finding in line.findings)
            return None
        return self._check_link(name, line.number, line.link)

    def _check_link(self, name: str, number: int, link: str) -> str | None:
        """The mask that a line is the first to name."""
        mask = self._resolve(name, link, number)
        if isinstance(mask, Finding):
            self._all_links_known = False
            self.log.add(name, mask)
        elif mask in self._listed:
            first, at = self._listed[mask]
            self.log.add(name, Finding("mask-twice", f"{mask!r} again, after {first}:{at}", number))
        elif mask in self.archive:
            self._listed[mask] = name, number
            self._links_found += 1
            return mask
        elif not self.archive.refuses(mask):
            self._check_missing(name, number, mask)
        return None

    def _resolve(self, name: str, link: str, number: int) -> str | Finding:
        """Where a link leads; from list files that lost their folder also from there, or to a mask beside them."""
        mask = resolve_link(name, link, number)
        if not self._flat:
            return mask
        others = resolve_link(self.layout.list_name, link, number), posixpath.basename(link)
        found = next((m for m in (mask, *others) if isinstance(m, str) and m in self.archive), mask)
        self._lost_folder |= found != mask
        return found

    def _check_missing(self, name: str, number: int, mask: str) -> None:
        similar = self._names_in_any_case.get(mask.casefold())
        if similar is None and (similar := self._base_names.get(posixpath.basename(mask))) is not None:
            self._apart.append((name, number, similar))
        found = f"no file {mask!r}"
        if similar is not None:
            self._listed.setdefault(similar, (name, number))
            found += f", only {similar!r}"
        self.log.add(name, Finding("mask-missing", found, number))

    @cached_property
    def _names_in_any_case(self) -> dict[str, str]:
        return {name.casefold(): name for name in self.archive.names()}

    @cached_property
    def _base_names(self) -> dict[str, str]:
        return {posixpath.basename(name): name for name in self.archive.names()}

    def _mark(self, name: str) -> None:
        """Take the masks of a list file for listed without judging its lines."""
        for line in self._lines(name)[0]:
            mask = resolve_link(name, line.link or "", line.number)
            if isinstance(mask, str) and mask in self.archive:
                self._listed.setdefault(mask, (name, line.number))

    def _check_folder(self, lists: ListFiles) -> None:
        """List files at the root are read there, unless their links lead out of the folder that they lost."""
        home = posixpath.dirname(self.layout.list_name)
        if lists.flat and self._lost_folder:
            found = Finding("root-missing", "all list files at the root", expected=f"a folder {home!r}")
            self.log.add(self.archive.path, found)
        elif lists.flat:
            tell_places(self.layout, lists, self.log)

    def _check_apart(self) -> None:
        """No link leads to its mask, though all masks are there: told once instead of for every line."""
        if self._apart and not self._links_found and len(self._apart) == self.log.counts["mask-missing"]:
            self.log.drop("mask-missing", "list-place", "root-folder")
            name, number, mask = self._apart[0]
            expected = f"{self.layout.list_name} and {self.layout.mask_name}"
            found = Finding("root-missing", f"no link that leads to its mask, {mask!r}", number, expected)
            self.log.add(name, found)

    def _check_inverted(self) -> None:
        if self._masks >= FEWEST_MASKS and 2 * self._large_masks > self._masks:
            found = f"{self._large_masks:,} of {self._masks:,} masks that cover most of their frame"
            self.log.add(self.archive.path, Finding("mask-inverted", found))

    def _check_unlisted(self, lists: ListFiles) -> None:
        for name in self.archive.names():
            if name in self._listed or name.lower().endswith(".txt") or is_system_file(name):
                continue
            if not name.lower().endswith(".png"):
                self.log.add(name, Finding("member-stray", "neither a list file nor a mask of one"))
            elif lists.complete and self._all_links_known:
                self.log.add(name, Finding("mask-unlisted", "a mask that no list file names"))


class LabelChecks:
    """Whether label ids are the benchmark's own, and where not, whose they look like."""

    WRONG = ("label-unknown", "label-no-instances", "label-not-evaluated")

    def __init__(self, labels: LabelTable, log: FaultLog) -> None:
        self.table = labels
        self.log = log
        self._evaluated = {label.id for label in labels.evaluated}
        self._used: set[int] = set()

    def check(self, name: str, number: int, label_id: int) -> None:
        """Check one line's label."""
        self._used.add(label_id if 0 <= label_id < 1000 else -1)
        label = self.table.by_id.get(label_id)
        if label is None:
            self.log.add(name, Finding("label-unknown", f"label id {label_id}", number))
        elif not label.evaluated:
            code = "label-not-evaluated" if label.has_instances else "label-no-instances"
            self.log.add(name, Finding(code, f"label id {label_id} ({label.name})", number))

    def finish(self) -> None:
        """Tell a whole archive in another numbering as that."""
        code = self._other_numbering()
        if code is not None:
            for wrong in self.WRONG:
                self.log.rename(wrong, code)

    def _other_numbering(self) -> str | None:
        wrong, right = self._used - self._evaluated, self._used & self._evaluated
        # A wrong id or two among right ones is a mistake of its own; but the numberings share some ids.
        if not wrong or len(wrong) <= min(len(right), 2):
            return None
        count = len(self._evaluated)
        if any(self._used <= set(range(first, first + count)) for first in TRAIN_ID_STARTS):
            return "label-train-ids"
        if self._used <= {i + ROB_OFFSET for i in self._evaluated}:
            return "label-rob-ids"
        if self._used <= {i - ROB_OFFSET for i in self._evaluated if i > ROB_OFFSET}:
            return "label-nyu-ids"
        return None


class ScoreChecks:
    """Whether scores are confidences, line by line and over all."""

    def __init__(self, log: FaultLog) -> None:
        self.log = log
        self._count = self._above = 0
        self._lowest, self._highest = math.inf, -math.inf

    def check(self, name: str, number: int, score: float) -> None:
        """Check one line's score, a finite number."""
        self._count += 1
        self._lowest, self._highest = min(self._lowest, score), max(self._highest, score)
        self._above += score > 1
        if not 0 <= score <= 1:
            self.log.add(name, Finding("score-range", f"the score {score}", number))

    def finish(self, archive: Path) -> None:
        """Tell percent and constant scores as that."""
        if self._lowest >= 0 and MOST_PERCENT < self._highest <= 100 and 2 * self._above > self._count:
            self.log.rename("score-range", "score-percent")
        if self._count >= FEWEST_SCORES and self._lowest == self._highest:
            self.log.add(archive, Finding("score-equal", f"{self._lowest} for all {self._count:,} predictions"))
