"""The faults of a native submission as data: what each is worth, what is expected instead and how it is mended.

An error is what the server rejects, or scores 0 without a word; a warning only looks wrong. What the official code says
to each was tried with cityscapesScripts 2.3.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from dataset_adapters.problems import InputError, Problem, Severity


class Check(IntEnum):
    """The checks in the order in which they are reported."""

    ARCHIVE = 1
    MEMBERS = 2
    LISTS = 3
    LINES = 4
    LABELS = 5
    SCORES = 6
    LINKS = 7
    MASKS = 8
    CONTENT = 9

    @property
    def title(self) -> str:
        """What holds where the check is passed."""
        return CHECK_TITLES[self]


CHECK_TITLES = {
    Check.ARCHIVE: "The archive opens",
    Check.MEMBERS: "Its members are plain files inside the root",
    Check.LISTS: "Every frame has one list file, in its place",
    Check.LINES: "Every line reads: mask, label id, score",
    Check.LABELS: "The label ids are the benchmark's own, of evaluated classes",
    Check.SCORES: "The scores are confidences from 0 to 1",
    Check.LINKS: "Every line has its mask, every mask its line",
    Check.MASKS: "The masks are whole and of their frame's size, PNGs 8-bit gray",
    Check.CONTENT: "The masks show objects",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault: its check, its severity, and the two halves of the advice."""

    check: Check
    severity: Severity
    expected: str
    fix: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault as it is met.

    Attributes:
        code: its kind, a key of ``FAULTS``.
        found: what is there.
        line: 1-based line of a list file, or None.
        expected: what should be there, where the catalogue's words are too general.
    """

    code: str
    found: str
    line: int | None = None
    expected: str | None = None

    @property
    def fault(self) -> Fault:
        """The catalogue's entry."""
        return FAULTS[self.code]

    def problem(self, file: str | Path) -> Problem:
        """The finding as a report lists it."""
        fault = self.fault
        expected = self.expected or fault.expected
        return Problem(fault.severity, self.code, plain(str(file)), plain(self.found), expected, fault.fix, self.line)

    def error(self, file: str | Path) -> InputError:
        """The finding as the reason to stop."""
        problem = self.problem(file)
        return InputError(
            problem.file, found=problem.found, expected=problem.expected, fix=problem.fix, line=problem.line
        )


def first_error(findings: Iterable[Finding]) -> Finding | None:
    """The first finding that the official code would not accept."""
    return next((f for f in findings if f.fault.severity is Severity.ERROR), None)


def plain(text: str, limit: int = 200) -> str:
    """Untrusted text, safe to print on a terminal and of bounded length."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:limit])
    return shown + "..." * (len(text) > limit)


def _errors(check: Check, *rows: tuple[str, str, str]) -> dict[str, Fault]:
    return {code: Fault(check, Severity.ERROR, expected, fix) for code, expected, fix in rows}


def _warnings(check: Check, *rows: tuple[str, str, str]) -> dict[str, Fault]:
    return {code: Fault(check, Severity.WARNING, expected, fix) for code, expected, fix in rows}


FAULTS: dict[str, Fault] = {
    **_errors(
        Check.ARCHIVE,
        ("archive-format", "a zip file or a folder", "Pack the list files and masks as a zip."),
        ("archive-nested", "list files and masks", "Pack what is in the inner zip: servers do not unpack twice."),
    ),
    **_warnings(
        Check.ARCHIVE,
        ("archive-size", "what the server is said to take", "Drop predictions of low score, or pack 1-bit masks."),
        (
            "archive-zip64",
            "at most 65,535 files, as the plain zip format has",
            "Old unpackers lose the rest: drop some.",
        ),
    ),
    **_errors(
        Check.MEMBERS,
        ("member-escape", "paths below the root", "Pack from inside the folder, with relative paths."),
        ("member-backslash", "paths with /", "Pack with a tool that writes / on Windows too."),
        ("member-link", "plain files", "Pack the file itself instead of a link to it."),
        ("member-special", "plain files", "Remove it."),
        ("member-encrypted", "no password", "Pack without encryption."),
        ("member-compression", "stored or deflated data", "Pack with the ordinary zip method."),
        ("member-double", "every name once", "Make a new archive instead of adding to an old one."),
        (
            "member-huge",
            "a list of at most 1 MiB, and a mask no larger than its frame needs",
            "Remove it, or write it again.",
        ),
        ("member-broken", "a file that reads to its end", "Write the archive again."),
    ),
    **_warnings(
        Check.MEMBERS,
        ("member-stray", "only list files and masks", "Remove it: some servers reject what they do not know."),
    ),
    **_errors(
        Check.LISTS,
        ("root-missing", "the benchmark's folders", "Pack the folders, not what is in them."),
        ("root-folder", "list files and masks at the root of the archive", "Pack from inside that folder."),
        ("list-missing", "a list file for every frame, empty where nothing was found", "Add it, empty if need be."),
        (
            "list-count",
            "a list file for every frame of the split",
            "Predict what is missing, remove what is of another split.",
        ),
        ("list-double", "one list file a frame", "Keep one of them: the official code stops at two."),
        ("list-unknown", "list files of this split's frames only", "Remove it, or check the split and the name."),
        ("list-case", "the frame's name in its own upper and lower case", "Rename it."),
        ("list-encoding", "plain UTF-8 text", "Write it as UTF-8 without a byte order mark."),
    ),
    **_warnings(
        Check.LISTS,
        ("list-place", "all list files in the benchmark's folder", "Move it there, and keep its links right."),
    ),
    **_errors(
        Check.LINES,
        ("line-bom", "text without a byte order mark", "Save as UTF-8 without BOM: it becomes part of the path."),
        ("line-blank", "no blank lines, not at the end either", "Remove it: the official code stops there."),
        ("line-tab", "single spaces", "Write spaces instead of tabs."),
        ("line-spaces", "single spaces between the fields and none around", "Remove the superfluous spaces."),
        ("line-fields", "three fields: mask label score", "Write three; a mask's path must not contain spaces."),
        ("line-number", "a number", "Write the label as its id and the score as a decimal."),
        ("line-garbage", "lines of a mask's path, a label id and a score", "Write the file again."),
        ("path-absolute", "a path relative to the list file", "Write it relative to the list file's folder."),
        ("path-escape", "a path inside the submission", "Count the ../ again: one leads to the root from a folder."),
        ("path-backslash", "a path with /", "Write / instead of \\."),
        ("list-long", "as many predictions as the benchmark takes", "Keep those of highest score."),
    ),
    **_warnings(
        Check.LINES,
        ("line-crlf", "lines that end in \\n", "Write Unix line ends."),
        ("label-fraction", "an integer", "Write the id itself: parsers truncate it or stop."),
    ),
    **_errors(
        Check.LINES,
        ("results-format", "image_id, category_id, bbox, score and segmentation", "Write COCO results with json.dump."),
        ("image-unknown", "the id of an image of this split", "Check the split, and the list that the ids are of."),
    ),
    **_errors(
        Check.LABELS,
        ("label-unknown", "an id of the benchmark's table", "Map the classes to the benchmark's native ids."),
        ("label-train-ids", "native label ids", "These look like training ids or class indices: map them back."),
        ("label-rob-ids", "today's ids", "These look like ROB 2018's joint ids: subtract 33."),
        ("label-nyu-ids", "ROB 2018's joint ids", "These look like NYU40 ids: add 33."),
    ),
    **_warnings(
        Check.LABELS,
        ("label-no-instances", "a class with instances", "Leave it out: the official code passes over it."),
        ("label-not-evaluated", "an evaluated class", "Leave it out: the official code passes over it."),
    ),
    **_errors(
        Check.SCORES,
        ("score-nan", "a number", "Look for divisions by zero where the score is made: the ranking is undefined."),
        ("score-infinite", "a finite number", "Look for overflows where the score is made."),
    ),
    **_warnings(
        Check.SCORES,
        ("score-range", "a score from 0 to 1", "Only the order counts, but check where the score comes from."),
        ("score-percent", "scores from 0 to 1", "These look like percent: divide by 100."),
        ("score-equal", "scores that rank the objects", "Write the detector's confidence: AP needs a ranking."),
    ),
    **_errors(
        Check.LINKS,
        ("mask-missing", "a mask for every line", "Add the mask, or remove the line."),
        ("mask-twice", "a mask of its own for every line", "Copy the mask: of two lines only the last one counts."),
    ),
    **_warnings(
        Check.LINKS,
        ("mask-unlisted", "a line for every mask", "Remove the mask, or look for the line that got lost."),
    ),
    **_errors(
        Check.MASKS,
        ("mask-format", "a PNG file", "Write PNG; renaming another format does not make one."),
        ("mask-huge", "at most 64 megapixels", "Write the mask in its frame's size."),
        ("mask-size", "the frame's own size", "Paste or resize the mask to its frame before writing it."),
        ("mask-broken", "a whole PNG", "The file is cut off or damaged: write it again."),
        ("mask-colour", "one gray channel", "Write 8-bit gray: servers hang on colour or alpha."),
        ("mask-black", "a gray mask", "Its object is drawn black, so the official code reads nothing: write gray."),
    ),
    **_warnings(
        Check.MASKS,
        ("mask-palette", "a gray mask", "Write 8-bit gray: it depends on the palette what counts as object."),
        ("mask-depth", "8 bits a pixel", "Write 8-bit gray: not every server takes another depth."),
        ("box-differs", "the box of the mask", "Write x, y, width and height of the mask in pixels."),
    ),
    **_errors(
        Check.CONTENT,
        ("mask-inverted", "masks that are 0 outside their object", "Write 255 on the object and 0 elsewhere."),
        ("mask-overlap", "every pixel in one mask of its image only", "Give a shared pixel to the higher score."),
    ),
    **_warnings(
        Check.CONTENT,
        ("mask-empty", "a mask with an object", "Leave it out: the official code passes over it."),
        ("mask-values", "0 and one other value", "Threshold it: every value but 0 counts as object."),
    ),
}
"""code -> fault. Every code that ``verify`` can report."""
