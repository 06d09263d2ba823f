"""Verify COCO results: the same faults as in a native archive where they can be in a list, and the list's own."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_adapters import rle
from dataset_adapters.labels import LabelTable
from dataset_adapters.problems import InputError
from dataset_adapters.run_lengths import broken_masks
from dataset_adapters.submission.archive import Archive
from dataset_adapters.submission.checks import FEWEST_MASKS, LabelChecks, ScoreChecks, VerifyReport
from dataset_adapters.submission.coco_layout import CocoSubmission
from dataset_adapters.submission.faults import Check, Finding
from dataset_adapters.submission.list_checks import check_members, is_system_file
from dataset_adapters.submission.report import FaultLog, make_report
from robsub.coco_results import OtherSizeError, read_mask
from robsub.coco_writer import CocoIds
from robsub.files import naming
from robsub.json_elements import as_text, only_list

SLACK = 1.0
"""Pixels that a box may differ from its mask's: some count the last pixel in, some do not."""

FARTHEST = 1e9
"""Pixels beyond which no image reaches; also keeps out NaN."""


def verify_results(
    path: Path,
    layout: CocoSubmission,
    labels: LabelTable,
    sizes: Mapping[str, tuple[int, int]],
    ids: CocoIds,
    *,
    strict: bool = False,
) -> VerifyReport:
    """Check COCO results, packed or bare; the line of a problem is the number of the detection.

    Args:
        path: the zip or JSON file.
        layout: where the results are in the zip.
        labels: the benchmark's table.
        sizes: frame -> (height, width), of the frames that are known.
        ids: the ids that images and classes must have.
        strict: take warnings for errors.

    Raises:
        InputError: there is nothing at the path.
    """
    log = FaultLog(strict=strict)
    log.skip("COCO results are one file", Check.LISTS, Check.LINKS)
    try:
        with naming(path):
            results = _read(path, layout, log)
    except InputError as error:
        if not path.exists():
            raise
        log.add(path, Finding("archive-format", error.problem.found, expected=error.problem.expected))
        results = _Results(str(path), None)
    checks = _Detections(results.name, labels, sizes, ids, log)
    if results.data is None:
        log.skip("the results do not read", *(check for check in Check if check > Check.MEMBERS))
    else:
        checks.all(results.data)
    return make_report(path, log, frames=len(sizes), predictions=checks.count, files=results.files)


@dataclass(frozen=True)
class _Results:
    """What problems call the results, their bytes if they read, and how many files there are with them."""

    name: str
    data: bytes | None
    files: int = 1


def _read(path: Path, layout: CocoSubmission, log: FaultLog) -> _Results:
    """The results, and what is wrong with the zip around them."""
    if not zipfile.is_zipfile(path):
        log.skip("the results are not packed", Check.MEMBERS)
        return _Results(str(path), path.read_bytes())
    with layout.open(path) as archive:
        place = layout.place_in(archive)
        _check_members(archive, layout, place, log)
        files = len(archive.names())
        if place is None:
            return _Results(layout.member, None, files)
        try:
            return _Results(place, archive.read(place), files)
        except InputError as error:
            log.add(place, Finding("member-broken", error.problem.found))
            return _Results(place, None, files)


def _check_members(archive: Archive, layout: CocoSubmission, place: str | None, log: FaultLog) -> None:
    """Tell what is not read, what is no results, and where the results are if not at the root."""
    check_members(archive, None, log)
    for name in archive.names():
        if name != place and not is_system_file(name):
            log.add(name, Finding("member-stray", "a file beside the results", expected=f"only {layout.member}"))
    if place is None and not any(layout.is_results(refusal.name) for refusal in archive.refusals):
        log.add(archive.path, Finding("archive-format", f"no {layout.member}", expected="a zip of COCO results"))
    if place is not None and place != layout.member:
        log.add(place, layout.misplaced(place))


class _Detections:
    """The checks of one detection after the other, and what they need to know of all."""

    def __init__(
        self,
        file: str,
        labels: LabelTable,
        sizes: Mapping[str, tuple[int, int]],
        ids: CocoIds,
        log: FaultLog,
    ) -> None:
        self.file, self.log, self.sizes = file, log, sizes
        self.frames = {number: frame for frame, number in ids.images.items()}
        self.native = {
            number: labels.by_name[name].id for name, number in ids.categories.items() if name in labels.by_name
        }
        self.listed = ids.path is not None
        self.labels, self.scores = LabelChecks(labels, log), ScoreChecks(log)
        self.count = self._masks = self._large = 0

    def all(self, data: bytes) -> None:
        """Check the whole list."""
        try:
            for self.count, (item, _, _) in enumerate(only_list(as_text(data)), start=1):
                self._check(item)
        except (ValueError, IndexError, RecursionError) as error:
            found = f"no JSON list of detections ({error}) after {self.count:,} of them"
            self.log.add(self.file, Finding("results-format", found, expected="[{...}, ...]"))
        self.labels.finish()
        self.scores.finish(Path(self.file))
        if self._masks >= FEWEST_MASKS and 2 * self._large > self._masks:
            found = f"{self._large:,} of {self._masks:,} masks that cover most of their frame"
            self.log.add(self.file, Finding("mask-inverted", found))

    def _add(self, code: str, found: str, expected: str | None = None) -> None:
        self.log.add(self.file, Finding(code, found, self.count or None, expected))

    def _check(self, item: Any) -> None:
        """One detection; what does not have the parts of one is told as that alone."""
        if faults := _format_faults(item):
            self._add("results-format", faults)
            return
        self._check_label(item["category_id"])
        self._check_score(item["score"])
        frame = self.frames.get(item["image_id"])
        if self.sizes and frame is None:
            self._add("image-unknown", f"image_id {item['image_id']!r}")
        self._check_mask(item, self.sizes.get(frame or ""))

    def _check_label(self, category: int) -> None:
        if self.listed and category not in self.native:
            self._add("label-unknown", f"category_id {category}", "a category of the list")
        else:
            self.labels.check(self.file, self.count, self.native.get(category, category))

    def _check_score(self, score: float) -> None:
        if isinstance(score, int) or math.isfinite(score):
            self.scores.check(self.file, self.count, score)
        else:
            self._add("score-nan" if math.isnan(score) else "score-infinite", f"the score {score}")

    def _check_mask(self, item: Mapping[str, Any], size: tuple[int, int] | None) -> None:
        try:
            mask = read_mask(item["segmentation"], size or _own_size(item["segmentation"]))
        except OtherSizeError as error:
            self._add("mask-size", str(error), f"{size[1]} x {size[0]} pixels" if size else None)
        except (TypeError, KeyError, ValueError, IndexError, OverflowError) as error:
            self._add("mask-broken", f"a segmentation that is none ({error})", "polygons or RLE")
        else:
            self._check_pixels(mask, item["bbox"])

    def _check_pixels(self, mask: rle.Rle, given: list[float]) -> None:
        height, width = mask["size"]
        if broken_masks([mask["counts"]], height * width):
            self._add("mask-broken", "runs that do not add up to its pixels", f"{height * width:,} pixels")
            return
        area = rle.area(mask)
        self._masks += 1
        self._large += 2 * area > height * width
        x1, y1, x2, y2 = rle.box(mask)
        own = (x1, y1, x2 - x1, y2 - y1)
        if not area:
            self._add("mask-empty", "no pixel")
        elif any(abs(a - b) > SLACK for a, b in zip(own, given, strict=True)):
            self._add("box-differs", f"the box {given}", f"{list(own)}, the box of its mask")


def _own_size(segmentation: Any) -> tuple[int, int]:
    """The size that a mask gives itself, where its frame is not known."""
    height, width = map(int, segmentation["size"])
    if min(height, width) < 1:
        raise ValueError(f"a size of {width} x {height} pixels")
    return height, width


def _format_faults(item: Any) -> str | None:
    """What a detection lacks of image_id, category_id, bbox, score and segmentation."""
    if not isinstance(item, dict):
        return "a detection that is no object"
    sound = {
        "image_id": isinstance(item.get("image_id"), int | str),
        "category_id": isinstance(item.get("category_id"), int),
        "bbox": _is_box(item.get("bbox")),
        "score": type(item.get("score")) in (int, float),
        "segmentation": isinstance(item.get("segmentation"), dict | list),
    }
    wrong = ", ".join(key for key, is_sound in sound.items() if not is_sound)
    return f"no {wrong} that reads" if wrong else None


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(number, int | float) and -FARTHEST < number < FARTHEST for number in box)
    )
