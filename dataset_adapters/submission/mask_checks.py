"""What is wrong with one mask file, seen by itself: pure functions of its bytes, each file decoded once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dataset_adapters.png import GRAY, PngHeader
from dataset_adapters.submission.faults import Finding
from dataset_adapters.submission.mask_reader import MaskError, MaskPixels, decode, read_mask

PALETTE = 3
COLOURS = {2: "RGB", 4: "gray with alpha", 6: "RGBA"}
"""PNG colour types with more than one channel."""


@dataclass(frozen=True, slots=True)
class MaskInspection:
    """The faults of a mask file, and the share of its pixels that the object covers (None where it was not decoded)."""

    findings: tuple[Finding, ...]
    cover: float | None = None


def inspect_mask(data: bytes, size: tuple[int, int] | None) -> tuple[MaskInspection, MaskPixels | None]:
    """Check one mask; its pixels come with the answer where it was decoded.

    Args:
        data: the file.
        size: (height, width) of its frame, None where it is unknown.
    """
    try:
        header, pixels = read_mask(data, size)
        if header.colour in COLOURS:
            return MaskInspection((Finding("mask-colour", COLOURS[header.colour]),)), None
        counts = pixels.histogram().tolist()
        cover = 1 - counts[0] / sum(counts)
        kind = tuple(_palette_faults(data, counts) if header.colour == PALETTE else _depth_faults(header))
        hides_object = any(finding.code == "mask-black" for finding in kind)
        content = () if hides_object else tuple(_content_faults(header, counts))
        if any(finding.code == "mask-empty" for finding in content):
            kind = ()  # what depth or palette it has matters no more
        return MaskInspection((*kind, *content), cover), pixels
    except MaskError as error:
        return MaskInspection((error.finding,)), None


def _depth_faults(header: PngHeader) -> Iterator[Finding]:
    if header.depth != 8:
        yield Finding("mask-depth", f"{header.depth} bit{'s' * (header.depth != 1)} a pixel")


def _palette_faults(data: bytes, counts: Sequence[int]) -> Iterator[Finding]:
    """The official code looks at the colours, not at the indices: a black index is background."""
    drawn_black = counts[0] - decode(data).histogram()[0]
    if drawn_black > 0:
        yield Finding("mask-black", f"a palette that draws {drawn_black:,} object pixels black")
    else:
        yield Finding("mask-palette", "a palette image")


def _content_faults(header: PngHeader, counts: Sequence[int]) -> Iterator[Finding]:
    values = sum(1 for count in counts[1:] if count)
    if not values:
        yield Finding("mask-empty", "no pixel but 0")
    elif values > 1 and header.colour == GRAY and header.depth == 8:
        yield Finding("mask-values", f"{values} values besides 0")
