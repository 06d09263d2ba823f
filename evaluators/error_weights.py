"""What each of TIDE's six kinds of errors costs: the AP50 that mending it alone would gain.

Source: ``fix_errors`` and the ``fix`` methods of ``tidecv``; paper section 2.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluators.assignment import Outcome
from evaluators.curves import precision_recall
from evaluators.errors import DESCRIPTIONS, NO_TARGET, ErrorKind
from evaluators.pooling import Pool


@dataclass(frozen=True, slots=True)
class ErrorWeight:
    """One kind of error.

    Attributes:
        count: how many false predictions, or missed objects, are of it.
        gain: AP50, a fraction, that mending it alone would gain; None without any object.
    """

    count: int
    gain: float | None


def weigh_errors(pool: Pool) -> dict[str, ErrorWeight]:
    """TIDE's short name -> count and weight, in TIDE's order."""
    judged = _Judged.of(pool)
    base = judged.ap50(pool)
    weights = {}
    for kind, (name, _) in DESCRIPTIONS.items():
        mended = judged.mended(kind).ap50(pool)
        weights[name] = ErrorWeight(judged.count(kind), None if base is None or mended is None else mended - base)
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """The predictions that count at overlap 0.5 in the first mode, N of them, and the objects, G in all images.

    Attributes:
        scores, classes, hits, errors: (N,) score, class, whether it is true, and kind of error of each prediction.
        targets: (N,) the object that it would find if mended, an index among all G, or ``NO_TARGET``.
        objects: (G,) class of each object that is asked for.
        lost: (G,) no prediction found it, and none would if mended.
    """

    scores: NDArray[np.float64]
    classes: NDArray[np.int16]
    hits: NDArray[np.bool_]
    errors: NDArray[np.int8]
    targets: NDArray[np.int64]
    objects: NDArray[np.int16]
    lost: NDArray[np.bool_]

    @classmethod
    def of(cls, pool: Pool) -> _Judged:
        images = pool.images
        starts = np.cumsum([0, *(image.objects.size for image in images)])[:-1]
        targets = np.concatenate([np.empty(0, np.int64), *(image.targets for image in images)])
        targets[targets != NO_TARGET] += np.repeat(starts, [image.targets.size for image in images])[
            targets != NO_TARGET
        ]
        objects = np.concatenate([np.empty(0, np.int16), *(image.objects for image in images)])
        found = np.concatenate([np.empty(0, np.bool_), *(image.found for image in images)])
        counts = pool.outcomes[0, 0] != Outcome.IGNORED
        found[targets[targets != NO_TARGET]] = True  # within reach of a mended prediction
        return cls(
            scores=pool.scores[counts],
            classes=pool.classes[counts],
            hits=pool.outcomes[0, 0, counts] == Outcome.TRUE_POSITIVE,
            errors=np.concatenate([np.empty(0, np.int8), *(image.errors for image in images)])[counts],
            targets=targets[counts],
            objects=objects,
            lost=~found,
        )

    def count(self, kind: ErrorKind) -> int:
        return int(np.count_nonzero(self.lost if kind == ErrorKind.MISSED else self.errors == kind))

    def mended(self, kind: ErrorKind) -> _Judged:
        """As if an oracle had put right all errors of one kind: the best of those that would find an object finds it,
        all others of the kind are gone, and missed objects are not asked for."""
        if kind == ErrorKind.MISSED:
            return _Judged(self.scores, self.classes, self.hits, self.errors, self.targets,
                           self.objects[~self.lost], self.lost[~self.lost])  # fmt: skip
        of_kind = self.errors == kind
        finders = self._best_for_targets(of_kind)
        hits, classes = self.hits.copy(), self.classes.copy()
        hits[finders] = True
        classes[finders] = self.objects[self.targets[finders]]
        kept = ~of_kind
        kept[finders] = True
        return _Judged(self.scores[kept], classes[kept], hits[kept], self.errors[kept], self.targets[kept],
                       self.objects, self.lost)  # fmt: skip

    def _best_for_targets(self, of_kind: NDArray[np.bool_]) -> NDArray[np.int64]:
        """For every object within reach, the prediction of the kind with the highest score.

        Of equal ones that of the first kind and class, so that the order of the predictions leaves no trace.

        An object may be within reach of both kinds; TIDE then gives it to the best of both, and so do we.
        """
        aiming = np.flatnonzero(self.targets != NO_TARGET)
        keys = (self.classes, self.errors, -self.scores, self.targets)  # the last weighs most
        order = aiming[np.lexsort([key[aiming] for key in keys])]
        _, first = np.unique(self.targets[order], return_index=True)
        best = order[first]
        return best[of_kind[best]]

    def ap50(self, pool: Pool) -> float | None:
        aps = list(self._class_aps(pool))
        return float(np.mean(aps)) if aps else None

    def _class_aps(self, pool: Pool) -> Iterator[float]:
        for class_index in np.flatnonzero(pool.ground_truths[0]):
            own = self.classes == class_index
            asked = int(np.count_nonzero(self.objects == class_index))
            if asked == 0:  # all of its objects were missed and are not asked for
                yield from [0.0] * bool(own.any())
                continue
            yield precision_recall(self.scores[own], self.hits[own], asked, pool.protocol.area).average_precision
