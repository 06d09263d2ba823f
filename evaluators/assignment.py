"""Which prediction finds which object: Cityscapes' rule for many-to-one, and COCO's one-to-one.

Sources: ``assignGt2Preds`` and the inner loop of ``evaluateMatches`` in cityscapesScripts
``evaluation/evalInstanceLevelSemanticLabeling.py``; ``evaluateImg`` in ``pycocotools/cocoeval.py``; for overlaps below
0.5 ``evaluate_matches`` in ScanNet ``BenchmarkScripts/3d_evaluation/evaluate_semantic_instance.py``.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from evaluators.protocol import Protocol
from evaluators.scene import Scene


class Outcome(IntEnum):
    """What one prediction counts as, in one mode at one overlap."""

    IGNORED = 0
    TRUE_POSITIVE = 1
    FALSE_POSITIVE = 2


ALONE_FROM = 0.5
"""From this overlap on, a prediction can match no more than one of several disjoint regions."""

Outcomes = NDArray[np.int8]
"""(M, T, P) values of ``Outcome``."""
Found = NDArray[np.bool_]
"""(G,) regions that have a true positive in the first mode at the first overlap."""


def assign(protocol: Protocol, scene: Scene) -> tuple[Outcomes, Found]:
    """Judge every prediction of an image in every mode at every overlap."""
    if protocol.one_to_one:
        return _one_to_one(protocol, scene)
    return _many_to_one(protocol, scene)


def _many_to_one(protocol: Protocol, scene: Scene) -> tuple[Outcomes, Found]:
    """Cityscapes' rule.

    With overlaps of at least 0.5 and disjoint regions a prediction matches one region at most, so the regions need no
    bookkeeping; below they do. Of the predictions that match an object the best is a true positive and the others are
    false; one that matches a region which does not count is ignored.

    Of all pairs only the K are judged that any threshold could want, those of a region together and best first.
    """
    iou = scene.iou() * scene.same_class
    near = iou >= min(protocol.all_overlaps)
    region, prediction = np.nonzero(near.T)
    order = np.lexsort((-scene.scores[prediction], region))
    region, prediction = region[order], prediction[order]
    matched = protocol.overlaps_enough(iou[prediction, region])  # (T, K)
    hits = matched & scene.counted[:, None, region]  # (M, T, K)
    count = scene.scores.size
    best = _with_any(_first_of_each(hits, region), prediction, count)
    for overlap in np.flatnonzero(np.array(protocol.all_overlaps) < ALONE_FROM):
        best[:, overlap] = [_best_of_free(scene, region[hit], prediction[hit]) for hit in hits[:, overlap]]
    unmatched = ~_with_any(matched, prediction, count) & ~_forgiven(protocol, scene)
    outcomes = np.full(best.shape, Outcome.IGNORED, dtype=np.int8)
    outcomes[_with_any(hits, prediction, count) | unmatched] = Outcome.FALSE_POSITIVE
    outcomes[best] = Outcome.TRUE_POSITIVE
    return outcomes, _with_any(hits[0, 0], region, scene.groups.size)


def _first_of_each(pairs: NDArray[np.bool_], owners: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(..., K) the first of each owner's pairs (..., K) that is true; the owners (K,) ascend."""
    before = pairs.cumsum(axis=-1) - pairs
    first: NDArray[np.bool_] = pairs & (before == before[..., np.searchsorted(owners, owners)])
    return first


def _with_any(pairs: NDArray[np.bool_], owners: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """(..., N) which of ``count`` owners have a true one among the pairs (..., K); ``owners`` (K,) are the pairs'."""
    found = np.zeros((*pairs.shape[:-1], count), dtype=np.bool_)
    *place, pair = np.nonzero(pairs)
    found[(*place, owners[pair])] = True
    return found


def _best_of_free(scene: Scene, region: NDArray[np.int64], prediction: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(P,) the predictions taken when each object in turn takes the best free one of those paired with it.

    The 3D program takes the first in the order of the file. Here the order leaves no trace: of equal ones that is taken
    which is paired with the fewest objects.
    """
    taken = np.zeros(scene.scores.size, dtype=np.bool_)
    iou, pairs = scene.iou(), np.bincount(prediction, minlength=taken.size)
    for each in np.unique(region):
        free = prediction[(region == each) & ~taken[prediction]]
        if free.size:
            taken[free[np.lexsort((-pairs[free], iou[free, each], scene.scores[free]))[-1]]] = True
    return taken


def _forgiven(protocol: Protocol, scene: Scene) -> NDArray[np.bool_]:
    """(M, T, P) predictions of which more than the overlap's share lies on regions that forgive.

    So the greater the overlap, the less is forgiven; and a group that is also small or far counts twice. Both are the
    official code's.
    """
    unfit = ~scene.fits
    weights = scene.groups.astype(np.int64) + unfit if protocol.small_groups_twice else scene.groups | unfit
    of_class = scene.shared * scene.same_class
    share = (scene.void_pixels + weights.astype(np.int64) @ of_class.T) / scene.areas
    return share[:, None] > protocol.thresholds(1)


def _one_to_one(protocol: Protocol, scene: Scene) -> tuple[Outcomes, Found]:
    """COCO's rule. A prediction takes the free object of its class with the largest IoU, else a region that forgives.

    Crowds are measured by the prediction's share in them and are never taken. A prediction beyond the first
    ``max_detections`` of its class takes no part, one of another size than the mode's is ignored unless it matches.
    """
    limits = np.minimum(np.array(protocol.all_overlaps), 1 - 1e-10)
    iou = np.where(scene.groups, scene.shared / np.maximum(scene.areas[:, None], 1), scene.iou()) * scene.same_class
    counted = scene.counted
    taken = np.zeros((len(protocol.modes), len(limits), scene.groups.size), dtype=np.bool_)
    outcomes = _unmatched(protocol, scene)
    on_hit = np.where(counted, Outcome.TRUE_POSITIVE, Outcome.IGNORED)
    candidates = iou >= limits.min()
    for p in _by_score(protocol, scene):
        near = np.flatnonzero(candidates[p])
        if near.size == 0:
            continue
        free = (iou[p, near] >= limits[:, None]) & ~taken[:, :, near]  # (M, T, K)
        mode, overlap = np.nonzero(free.any(axis=2))
        if mode.size == 0:
            continue
        region = (
            near[0] if near.size == 1 else near[_largest(free, counted[:, None, near], iou[p, near])[mode, overlap]]
        )
        outcomes[mode, overlap, p] = on_hit[mode, region]
        taken[mode, overlap, region] = ~scene.groups[region]
    return outcomes, taken[0, 0] & counted[0]


def _largest(free: NDArray[np.bool_], counted: NDArray[np.bool_], iou: NDArray[np.float64]) -> NDArray[np.int64]:
    """(M, T) index of the region with the largest IoU (K,) among the ``free`` (M, T, K), objects that count first."""
    wanted = free & counted
    eligible = np.where(wanted.any(axis=2, keepdims=True), wanted, free)
    from_last = np.where(eligible, iou, -1.0)[:, :, ::-1].argmax(axis=2)  # of equal ones COCO takes the last
    return np.asarray(iou.size - 1 - from_last)


def _unmatched(protocol: Protocol, scene: Scene) -> Outcomes:
    """(M, T, P) what the predictions are if they match nothing."""
    outcomes = np.full(
        (len(protocol.modes), len(protocol.all_overlaps), scene.scores.size), Outcome.FALSE_POSITIVE, dtype=np.int8
    )
    for outcome, mode in zip(outcomes, protocol.modes, strict=True):
        outcome[:, (scene.areas < mode.min_pixels) | (scene.areas > mode.max_pixels)] = Outcome.IGNORED
    outcomes[:, :, rank_in_class(scene.classes, scene.scores) >= _most(protocol)] = Outcome.IGNORED
    return outcomes


def _by_score(protocol: Protocol, scene: Scene) -> list[int]:
    """The predictions that take part, best first, equal ones in the order given."""
    order = np.argsort(-scene.scores, kind="stable")
    kept: list[int] = order[rank_in_class(scene.classes, scene.scores)[order] < _most(protocol)].tolist()
    return kept


def _most(protocol: Protocol) -> float:
    return np.inf if protocol.max_detections is None else protocol.max_detections


def rank_in_class(groups: NDArray[np.integer], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) position of each score among those of its group, the highest 0, equal ones in the order given."""
    order = np.lexsort((-scores, groups))
    ranks = np.empty(len(order), dtype=np.int64)
    _, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    ranks[order] = np.arange(len(order)) - np.repeat(starts, sizes)
    return ranks
