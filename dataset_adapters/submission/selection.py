"""Which of a frame's predictions go into a submission, and why the others do not."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import LabelTable
from dataset_adapters.problems import InputError


@dataclass(frozen=True, slots=True)
class Selection:
    """What a user wants to submit of the predictions; all if nothing is said.

    Attributes:
        min_score: lowest score that is taken, 0 to 1.
        max_per_image: most predictions of an image, those of highest score; None takes all.
        classes: label names that are taken; empty takes every class that the benchmark scores.
    """

    min_score: float = 0.0
    max_per_image: int | None = None
    classes: frozenset[str] = frozenset()

    def check(self, labels: LabelTable) -> None:
        """Require that the benchmark scores the classes.

        Raises:
            InputError: it does not score one; names the nearest that it does.
        """
        scored = [label.name for label in labels.evaluated]
        for name in sorted(self.classes.difference(scored)):
            near = difflib.get_close_matches(name, scored, n=1)
            raise InputError(
                name, found="a class that the benchmark does not score", expected=f"one of {', '.join(scored)}",
                fix=f"Did you mean {near[0]!r}?" if near else "Choose one of these.",
            )  # fmt: skip

    def apply(self, predictions: Sequence[Prediction]) -> tuple[list[Prediction], Counter[str]]:
        """The predictions that are taken, by descending score, ties in their order; and reason -> how many are not."""
        of_class = [p for p in predictions if not self.classes or p.label in self.classes]
        high = [p for p in of_class if p.score >= self.min_score]
        taken = sorted(high, key=lambda p: -p.score)[: self.max_per_image]
        left_out = {
            "of other classes": len(predictions) - len(of_class),
            f"of a score below {self.min_score:g}": len(of_class) - len(high),
            f"beyond the best {self.max_per_image} of their image": len(high) - len(taken),
        }
        return taken, +Counter(left_out)

    def to_json(self) -> dict[str, Any]:
        """The selection as plain JSON values."""
        return {
            "min_score": self.min_score,
            "max_per_image": self.max_per_image,
            "classes": sorted(self.classes) or None,
        }


EVERYTHING = Selection()
