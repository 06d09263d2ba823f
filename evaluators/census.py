"""What an image's predictions look like, counted, so that a silent zero can be explained.

The official programs give AP 0 without a word for train ids and for inverted masks, and pass over other labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import INDOOR_THINGS, LabelTable
from evaluators.protocol import ROB18_OFFSET

TRAIN_IDS = range(19)
"""Cityscapes' train ids. Its evaluated classes are 11 to 18 of them, as label ids building to polegroup."""

LONGEST_NAME = 60
"""Characters of a foreign label that are shown."""

CODINGS = {
    "today's ScanNet (3 cabinet ... 39 otherfurniture)": {label.id for label in INDOOR_THINGS},
    "ScanNet in ROB 2018 (36 cabinet ... 72 otherfurniture)": {label.id + ROB18_OFFSET for label in INDOOR_THINGS},
}


@dataclass(frozen=True, slots=True)
class Census:
    """Counts over predictions; they add up.

    Attributes:
        evaluated: predictions of evaluated classes.
        empty: those of them without a pixel.
        large: those that cover more than half of their image.
        above_one: those with a score above 1.
        others: label -> predictions of it, for labels that are not evaluated.
    """

    evaluated: int = 0
    empty: int = 0
    large: int = 0
    above_one: int = 0
    others: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls, predictions: Sequence[Prediction], classes: Collection[str], areas: NDArray[np.int64], pixels: int
    ) -> Census:
        """Count one image's predictions.

        Args:
            predictions: all of them.
            classes: the evaluated classes.
            areas: pixels of those of evaluated classes; those without any may be left out.
            pixels: those of the image.
        """
        evaluated = sum(p.label in classes for p in predictions)
        return cls(
            evaluated=evaluated,
            empty=evaluated - int(np.count_nonzero(areas)),
            large=int(np.count_nonzero(2 * areas > pixels)),
            above_one=sum(p.score > 1 and p.label in classes for p in predictions),
            others=dict(Counter(p.label for p in predictions if p.label not in classes)),
        )

    @classmethod
    def total(cls, parts: Iterable[Census]) -> Census:
        """The counts of several images."""
        parts = list(parts)
        return cls(
            evaluated=sum(part.evaluated for part in parts),
            empty=sum(part.empty for part in parts),
            large=sum(part.large for part in parts),
            above_one=sum(part.above_one for part in parts),
            others=dict(sum((Counter(part.others) for part in parts), Counter())),
        )

    def notes(self, labels: LabelTable, *, empty_count: bool = False) -> list[str]:
        """What a reader has to know, each with its count; empty when nothing is strange.

        Args:
            labels: the label table.
            empty_count: whether the protocol counts empty masks.
        """
        notes = []
        if self.others:
            names = ", ".join(f"{_printable(name)} {count}" for name, count in sorted(self.others.items()))
            total = sum(self.others.values())
            notes.append(f"{total} predictions of labels that are not evaluated count nothing: {names}.")
        if self._looks_like_train_ids(labels):
            notes.append(
                "The labels look like train ids (11 person ... 18 bicycle); the benchmark wants label ids "
                "(24 person ... 33 bicycle)."
            )
        if coding := self._other_coding(labels):
            notes.append(f"The labels look like the ids of {coding}; this data set wants its own.")
        if self.empty:
            what = "are false positives" if empty_count else "count nothing"
            notes.append(f"{self.empty} of {self.evaluated} masks are empty and {what}.")
        if 2 * self.large > self.evaluated:
            notes.append(
                f"{self.large} of {self.evaluated} masks cover more than half of their image: are they inverted? "
                "The object's pixels must not be 0."
            )
        if self.above_one:
            notes.append(
                f"{self.above_one} of {self.evaluated} scores are above 1, like per cent. "
                "AP looks at their order alone, so this changes no AP."
            )
        return notes

    def _looks_like_train_ids(self, labels: LabelTable) -> bool:
        road = any(label.name == "polegroup" for label in labels)
        ids = set(self._other_ids(labels))
        return road and not self.evaluated and bool(ids & set(range(11, 19))) and ids <= set(TRAIN_IDS)

    def _other_coding(self, labels: LabelTable) -> str | None:
        """ScanNet has two codings, today's and that of 2018. The one that most predictions seem to be in, if some of
        their ids are unknown to this one."""
        own = {label.id for label in labels.evaluated}
        ids = self._other_ids(labels)
        if any(id not in labels.by_id for id in ids):
            for name, coding in CODINGS.items():
                count = sum(n for id, n in ids.items() if id in coding)
                if own in CODINGS.values() and own != coding and 2 * count > self.evaluated + sum(ids.values()):
                    return name
        return None

    def _other_ids(self, labels: LabelTable) -> Counter[int]:
        """Native id -> predictions of it, for labels that are not evaluated; unknown ones are called ``id 77``."""
        ids: Counter[int] = Counter()
        for name, count in self.others.items():
            if name in labels.by_name:
                ids[labels.by_name[name].id] += count
            elif name.removeprefix("id ").isdecimal():
                ids[int(name.removeprefix("id "))] += count
        return ids


def _printable(name: str) -> str:
    """A foreign label as it may stand in a line: short, and without line breaks."""
    short = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in short)
