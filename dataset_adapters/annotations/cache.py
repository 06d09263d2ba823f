"""The ground-truth cache: a frame's segments as they were read, until one of its files changes.

Decoding a 16-bit PNG of 1024 x 2048 and encoding its regions takes tens of milliseconds, reading them back under one.
Every frame has one small file in a cache folder, far from the user's data; it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_adapters.ground_truth import GroundTruth, Segment
from dataset_adapters.json_files import parse_json
from dataset_adapters.labels import LabelTable
from dataset_adapters.rle import Rle

FORMAT_VERSION = 4
"""To be raised whenever the same files give other segments, or the entries another form."""

SETTLED_NS = 2_000_000_000
"""Files younger than this are not cached: a second change within one tick of their clock would not be seen. 2 s is the
coarsest clock of a file system in use (FAT)."""


def default_cache_folder() -> Path | None:
    """``$XDG_CACHE_HOME/robsub``, else ``~/.cache/robsub``; None for a user who has no home."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return (Path(home) if Path(home).is_absolute() else Path.home() / ".cache") / "robsub"
    except RuntimeError:
        return None


def sources_stamp(reader: str, files: Iterable[Path]) -> tuple[str, int]:
    """Fingerprint of the files that a ground truth is made from, absent ones too.

    Args:
        reader: the adapter and its settings; another one reads the same files in another way.
        files: the files.

    Returns:
        A digest of path, size, times of modification and of change of every file, and the latest modification in
        nanoseconds. The time of change tells files apart whose modification time was set back, as by ``cp -p``.
    """
    facts: list[object] = [FORMAT_VERSION, reader]
    latest = 0
    for path in files:
        try:
            stat = path.stat()
        except OSError:
            facts.append((str(path.absolute()), None))
        else:
            facts.append((str(path.absolute()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
            latest = max(latest, stat.st_mtime_ns)
    return hashlib.blake2b(repr(facts).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest(), latest


@dataclass(frozen=True)
class CacheEntry:
    """One frame's place in the cache.

    Attributes:
        path: its file. One frame always has the same, so that a changed frame replaces its former self.
        labels: the benchmark's table, of which the entry holds only ids.
    """

    path: Path
    labels: LabelTable

    @classmethod
    def of(cls, folder: Path, reader: str, frame: str, annotation: Path, labels: LabelTable) -> CacheEntry:
        """The entry of a frame below a cache folder."""
        name = f"{reader}\0{frame}\0{annotation.absolute()}".encode("utf-8", "surrogateescape")
        digest = hashlib.blake2b(name, digest_size=16).hexdigest()
        return cls(folder / "ground_truth" / digest[:2] / digest[2:], labels)

    def load(self, stamp: str) -> GroundTruth | None:
        """What was stored under this stamp; None if there is nothing, something older or something damaged."""
        try:
            head, _, body = self.path.read_bytes().partition(b"\n")
            if head.decode("ascii") != _head(stamp, body):
                return None
            return _unpack(parse_json(body), self.labels)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def store(self, stamp: str, truth: GroundTruth) -> None:
        """Keep it, or do without where the folder cannot be written. A reader sees all of an entry or none."""
        body = json.dumps(_pack(truth), separators=(",", ":")).encode("ascii")
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self.path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_head(stamp, body).encode("ascii") + b"\n" + body)
                Path(temporary).replace(self.path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise


def is_settled(latest_ns: int) -> bool:
    """Whether files that were last modified then can be told from any later change of them."""
    return time.time_ns() - latest_ns > SETTLED_NS


def _head(stamp: str, body: bytes) -> str:
    return f"{stamp} {zlib.crc32(body):08x}"


def _pack(truth: GroundTruth) -> list[object]:
    segments = [
        [s.native_id, s.label.id, s.pixels, s.rle["counts"].decode("ascii"), s.is_group, s.distance_m, s.stereo_density,
         s.stated_area]
        for s in truth.segments
    ]  # fmt: skip
    return [truth.frame, truth.size, segments, truth.number]


def _unpack(data: Any, labels: LabelTable) -> GroundTruth:
    frame, (height, width), regions, number = data
    segments = (
        Segment(native_id, labels.by_id[label], pixels, Rle(size=[height, width], counts=counts.encode()), *rest)
        for native_id, label, pixels, counts, *rest in regions
    )
    return GroundTruth(frame, (height, width), tuple(segments), number)
