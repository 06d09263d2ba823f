"""TIDE's six kinds of errors, told from the mask IoU of the matches themselves.

Source: Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors" (ECCV 2020), section 2.2, and
``tidecv/quantify.py``. An error's weight is what AP50 gains when an oracle mends all errors of its kind and nothing
else; false positives are those of the protocol at hand, and so is the curve.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluators.assignment import Found, Outcome, Outcomes
from evaluators.protocol import Protocol
from evaluators.scene import Scene

FOREGROUND: Final = 0.5
"""Least IoU with an object for a prediction to be of it."""
BACKGROUND: Final = 0.1
"""Greatest IoU with any object for a prediction to be of none."""
NO_TARGET: Final = -1


class ErrorKind(IntEnum):
    """Why a prediction is false, or an object missed."""

    NONE = 0
    CLASS = 1
    LOCATION = 2
    BOTH = 3
    DUPLICATE = 4
    BACKGROUND = 5
    MISSED = 6


DESCRIPTIONS: Final = {
    ErrorKind.CLASS: ("Cls", "at the place of an object of another class"),
    ErrorKind.LOCATION: ("Loc", "of the right class, badly placed"),
    ErrorKind.BOTH: ("Both", "of another class and badly placed"),
    ErrorKind.DUPLICATE: ("Dupe", "one more of an object that was found"),
    ErrorKind.BACKGROUND: ("Bkg", "where there is no object"),
    ErrorKind.MISSED: ("Miss", "objects that nothing comes near"),
}
"""Kind -> TIDE's short name, what it means."""


def classify_errors(
    protocol: Protocol, scene: Scene, outcomes: Outcomes, found: Found
) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
    """The kind of every false positive in the first mode at overlap 0.5, and the object it could have found.

    Returns:
        kinds: (P,) values of ``ErrorKind``, ``NONE`` for what is no false positive.
        targets: (P,) index among the counted regions of an object that was not found and that a prediction of kind
            CLASS or LOCATION would find if mended; ``NO_TARGET`` elsewhere.
    """
    objects = np.flatnonzero(scene.counted[0])
    false = outcomes[0, 0] == Outcome.FALSE_POSITIVE
    kinds = np.where(false, ErrorKind.BACKGROUND, ErrorKind.NONE).astype(np.int8)
    targets = np.full(kinds.shape, NO_TARGET, dtype=np.int16)
    if objects.size == 0 or not false.any():
        return kinds, targets
    iou, same = scene.iou()[:, objects], scene.same_class[:, objects]
    own, other = np.where(same, iou, 0.0), np.where(same, 0.0, iou)
    own_best, other_best = own.max(axis=1), other.max(axis=1)
    matches = own_best > FOREGROUND if protocol.strict else own_best >= FOREGROUND
    located = (own_best >= BACKGROUND) & ~matches
    kinds[false & (iou.max(axis=1) > BACKGROUND)] = ErrorKind.BOTH
    kinds[false & matches] = ErrorKind.DUPLICATE
    kinds[false & (other_best >= FOREGROUND)] = ErrorKind.CLASS
    kinds[false & located] = ErrorKind.LOCATION
    for kind, overlap in ((ErrorKind.CLASS, other), (ErrorKind.LOCATION, own)):
        of_kind = kinds == kind
        nearest = overlap[of_kind].argmax(axis=1)
        targets[of_kind] = np.where(found[objects][nearest], NO_TARGET, nearest)
    return kinds, targets
