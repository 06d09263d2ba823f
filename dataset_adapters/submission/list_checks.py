"""Which files an archive holds, and which list file belongs to which frame."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from dataset_adapters.submission.archive import Archive
from dataset_adapters.submission.faults import Check, Finding
from dataset_adapters.submission.layout import SubmissionLayout
from dataset_adapters.submission.report import FaultLog

MOST_ZIP_FILES = 65_535
"""Files beyond which a zip needs the format's later extension zip64."""
SYSTEM_FILES = ("Thumbs.db", "desktop.ini")


@dataclass
class ListFiles:
    """The list files of an archive.

    Attributes:
        by_frame: frame -> the list file that is read for it.
        surplus: list files of unknown frames and second ones: their masks are not strays, but their lines do not count.
        doubled: frames with a second list file.
        flat: all list files lie at the root instead of in their folder; what that is worth, their links show.
        complete: every frame has its list, so that a mask without a line has none anywhere.
    """

    by_frame: dict[str, str] = field(default_factory=dict)
    surplus: list[str] = field(default_factory=list)
    doubled: set[str] = field(default_factory=set)
    flat: bool = False
    complete: bool = True


def check_members(archive: Archive, zip_limit_mb: int | None, log: FaultLog) -> None:
    """Tell the members that are not read, what operating systems leave behind, and too large an archive."""
    for refusal in archive.refusals:
        log.add(refusal.name, Finding(refusal.code, refusal.found))
    for name in archive.names():
        if is_system_file(name):
            log.add(name, Finding("member-stray", "a file of the operating system"))
    if archive.path.is_file() and len(archive.names()) > MOST_ZIP_FILES:
        log.add(archive.path, Finding("archive-zip64", f"{len(archive.names()):,} files"))
    if zip_limit_mb is not None and archive.path.is_file():
        megabytes = archive.path.stat().st_size / 1e6
        if megabytes > zip_limit_mb:
            log.add(archive.path, Finding("archive-size", f"{megabytes:.0f} MB", expected=f"{zip_limit_mb} MB"))


def is_system_file(name: str) -> bool:
    """Whether a file is one that macOS or Windows puts into archives."""
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1].startswith(".") or parts[-1] in SYSTEM_FILES


def check_lists(
    archive: Archive, layout: SubmissionLayout, frames: Collection[str], expected: int, log: FaultLog
) -> ListFiles:
    """Find every frame's list file as the official code does, and tell what is missing, doubled or misplaced.

    Args:
        archive: the submission.
        layout: the benchmark's layout.
        frames: the frames known.
        expected: how many frames there are; if fewer are known, every other list file is taken for a frame's.
        log: takes the findings.
    """
    lists = ListFiles()
    all_known = 0 < expected <= len(frames)
    folded = {frame.casefold(): frame for frame in frames}
    for name in sorted(archive.names(), key=lambda name: (not _in_its_place(name, layout), name)):
        if name.lower().endswith(".txt") and not is_system_file(name):
            frame = layout.frame_of(name)
            if frames and frame not in frames:
                frame = _frame_in_other_case(name, layout, folded, log) or (None if all_known else frame)
            _file_list(lists, frame, name, log)
    _check_missing(archive, layout, frames, lists, log)
    if not expected:
        log.skip("the frames expected are not known", Check.LISTS)
    elif not all_known:
        _check_count(archive, layout, expected, lists, log)
    _check_places(archive, layout, lists, log)
    return lists


def _in_its_place(name: str, layout: SubmissionLayout) -> bool:
    frame = layout.frame_of(name)
    return frame is not None and name == layout.list_name.format(frame=frame)


def _frame_in_other_case(name: str, layout: SubmissionLayout, folded: Mapping[str, str], log: FaultLog) -> str | None:
    frame = folded.get((layout.frame_of(name, any_case=True) or "").casefold())
    if frame is not None:
        log.add(name, Finding("list-case", posixpath.basename(name), expected=f"a list file of {frame}"))
    return frame


def _file_list(lists: ListFiles, frame: str | None, name: str, log: FaultLog) -> None:
    if frame is None:
        log.add(name, Finding("list-unknown", "a text file of no frame expected"))
        lists.surplus.append(name)
    elif frame in lists.by_frame:
        lists.doubled.add(frame)
        log.add(name, Finding("list-double", f"a second list file of {frame} besides {lists.by_frame[frame]}"))
        lists.surplus.append(name)
    else:
        lists.by_frame[frame] = name


def _check_missing(
    archive: Archive, layout: SubmissionLayout, frames: Collection[str], lists: ListFiles, log: FaultLog
) -> None:
    refused = {layout.frame_of(refusal.name.replace("\\", "/")) for refusal in archive.refusals}
    for frame in frames:
        if frame not in lists.by_frame:
            lists.complete = False
            proper = layout.list_name.format(frame=frame)
            if frame not in refused and not archive.refuses(proper):
                log.add(proper, Finding("list-missing", "no list file of this frame"))


def _check_count(archive: Archive, layout: SubmissionLayout, expected: int, lists: ListFiles, log: FaultLog) -> None:
    """Hold the number of list files against the split's; too few are no news where members were refused."""
    count = len(lists.by_frame)
    counts = layout.other_counts if expected in layout.other_counts else (expected,)
    too_few = count < min(counts)
    lists.complete &= not too_few
    if count not in counts and not (too_few and archive.refusals):
        wanted = " or ".join(f"{number:,}" for number in counts)
        log.add(archive.path, Finding("list-count", f"{count:,} list files", expected=wanted))


def _check_places(archive: Archive, layout: SubmissionLayout, lists: ListFiles, log: FaultLog) -> None:
    home = posixpath.dirname(layout.list_name)
    folders = {posixpath.dirname(name) for name in lists.by_frame.values()}
    root = _root_folder(archive, folders, home)
    if root is not None:
        log.add(root, Finding("root-folder", f"everything inside the folder {root!r}"))
        return
    if home and folders == {""}:
        lists.flat = True
    else:
        tell_places(layout, lists, log)


def tell_places(layout: SubmissionLayout, lists: ListFiles, log: FaultLog) -> None:
    """Tell the list files that are in another folder than the benchmark's; the official code finds them there too."""
    home = posixpath.dirname(layout.list_name)
    for frame, name in lists.by_frame.items():
        if posixpath.dirname(name) != home and frame not in lists.doubled:
            log.add(name, Finding("list-place", _place(posixpath.dirname(name)), expected=_place(home)))


def _place(folder: str) -> str:
    return f"the folder {folder!r}" if folder else "the root of the archive"


def _root_folder(archive: Archive, folders: Collection[str], home: str) -> str | None:
    """The folder around the list files and their masks, None if they are packed from inside as they should be.

    What lies beside it, a README or a preview, does not count.
    """
    if len(folders) != 1:
        return None
    folder = next(iter(folders))
    root = folder.removesuffix(home).rstrip("/")
    if not root or posixpath.join(root, home).rstrip("/") != folder:
        return None
    masks = [name for name in archive.names() if name.lower().endswith(".png") and not is_system_file(name)]
    return root if not masks or any(name.startswith(f"{root}/") for name in masks) else None
