"""The lines of a list file: ``<mask path> <label id> <score>``, separated by single spaces.

The grammar is the official one (``readPredInfo`` of cityscapesScripts ``evalInstanceLevelSemanticLabeling.py``), which
splits at every space, takes ``int(float(label))`` and ``float(score)``, and stops at the first line it cannot read.
Here a faulty line is told and read as far as it goes, so that one fault is not followed by others that it causes.
"""

from __future__ import annotations

import codecs
import io
import math
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from dataset_adapters.submission.faults import Finding

SEPARATORS = re.compile(r"[ \t]+")
LINE_BYTES = 256
"""So much of a file is looked at for zero bytes: every other one in ordinary text in UTF-16, none in UTF-8."""
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class ListLine:
    """One line, as far as it could be read.

    Attributes:
        number: 1-based.
        link: path of the mask relative to the list file's folder, None where there are not three fields.
        label_id: native id, None where it is no number.
        score: confidence, None where it is no finite number.
        findings: what is wrong with the line.
    """

    number: int
    link: str | None
    label_id: int | None
    score: float | None
    findings: tuple[Finding, ...]


def read_list(data: bytes) -> tuple[Iterator[ListLine], list[Finding]]:
    """Read a list file.

    Args:
        data: its bytes.

    Returns:
        its lines, read one by one, and what is wrong with the file as a whole.
    """
    text, findings = _decode(data)
    if "\r" in text:
        findings.append(Finding("line-crlf", "a carriage return", 1 + text.count("\n", 0, text.index("\r"))))
    # Universal line ends, as the official code's open(..., "r") has them.
    lines = io.StringIO(text, newline=None)
    return (parse_line(number, line.rstrip("\n")) for number, line in enumerate(lines, start=1)), findings


def parse_line(number: int, text: str) -> ListLine:
    """Read one line without its end."""
    fields = SEPARATORS.split(text.strip(" \t"))
    if fields == [""]:
        return ListLine(number, None, None, None, (Finding("line-blank", "a blank line", number),))
    if len(fields) != 3:
        fault = Finding("line-fields", f"{len(fields)} field{'s' * (len(fields) != 1)}: {_shown(text)}", number)
        return ListLine(number, None, None, None, (fault,))
    findings = [*_separator_faults(number, text)]
    label_id, label_faults = _label(number, fields[1])
    score, score_faults = _score(number, fields[2])
    return ListLine(number, fields[0], label_id, score, (*findings, *label_faults, *score_faults))


def resolve_link(list_name: str, link: str, number: int) -> str | Finding:
    """The path below the root that a link leads to, or why it leads nowhere.

    Args:
        list_name: path of the list file below the root.
        link: the first field of a line.
        number: the line's number.
    """
    if "\\" in link:
        return Finding("path-backslash", _shown(link), number)
    if posixpath.isabs(link) or re.match(r"[A-Za-z]:", link):
        return Finding("path-absolute", _shown(link), number)
    target = posixpath.normpath(posixpath.join(posixpath.dirname(list_name), link))
    if target.split("/")[0] == "..":
        return Finding("path-escape", _shown(link), number)
    return target


def _decode(data: bytes) -> tuple[str, list[Finding]]:
    head = data[:LINE_BYTES]
    if data.startswith(UTF16_MARKS) or 3 * head.count(0) > len(head):
        unmarked = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
        text = data.decode("utf-16" if data.startswith(UTF16_MARKS) else unmarked, "replace")
        return text, [Finding("list-encoding", "UTF-16 text")]
    findings = []
    if data.startswith(codecs.BOM_UTF8):
        data = data.removeprefix(codecs.BOM_UTF8)
        findings.append(Finding("line-bom", "a byte order mark", 1))
    try:
        return data.decode("utf-8"), findings
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        return data.decode("utf-8", "replace"), [*findings, Finding("list-encoding", "bytes that are no UTF-8", line)]


def _separator_faults(number: int, text: str) -> Iterator[Finding]:
    if "\t" in text:
        yield Finding("line-tab", _shown(text), number)
    elif len(text.split(" ")) != 3:
        yield Finding("line-spaces", _shown(text), number)


def _label(number: int, text: str) -> tuple[int | None, list[Finding]]:
    try:
        label_id = int(float(text))
    except (ValueError, OverflowError):
        return None, [Finding("line-number", f"the label {_shown(text)}", number)]
    exact = re.fullmatch(r"[+-]?\d+", text) is not None
    return label_id, [] if exact else [Finding("label-fraction", f"the label {_shown(text)}", number)]


def _score(number: int, text: str) -> tuple[float | None, list[Finding]]:
    try:
        score = float(text)
    except ValueError:
        return None, [Finding("line-number", f"the score {_shown(text)}", number)]
    if math.isnan(score):
        return None, [Finding("score-nan", f"the score {_shown(text)}", number)]
    if math.isinf(score):
        return None, [Finding("score-infinite", f"the score {_shown(text)}", number)]
    return score, []


def _shown(text: str) -> str:
    """Text of any length for a message."""
    return repr(text[:100])
