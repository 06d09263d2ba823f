"""From matches to a result: which metrics the ground truth allows, the frame sets, the notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from dataset_adapters.labels import LabelTable
from evaluators.bootstrap import Resampling, can_be_drawn, intervals
from evaluators.error_weights import weigh_errors
from evaluators.matching import ImageMatches
from evaluators.pooling import MEAN, Pool
from evaluators.protocol import ALL, AP, AP50, Metric, Protocol
from evaluators.result import NOT_DEFAULT, EvaluationResult
from evaluators.tables import IMAGES, IMAGES_MISSING, marked

NEGATIVE = "negative"
NEGATIVE_SCORES = (0.5, 0.9)
"""Scores at which false positives on negative frames are counted: where there is no object, AP is undefined."""

NegativeAp = Literal["hazards", "negative"]
NEG_AP = replace(AP, name="NegAP")
NEG_AP_NOTES: dict[NegativeAp, str] = {
    "hazards": "NegAP is the AP on frames with a visual hazard (low or high) and on negative frames, "
    "as the caption of Table 1 of arXiv:1807.05361 has it.",
    "negative": f"NegAP is the AP on WildDash's own negative frames alone, which {NOT_DEFAULT}.",
}


def summarise(
    protocol: Protocol,
    labels: LabelTable,
    matches: Iterable[ImageMatches],
    *,
    benchmark: str,
    split: str,
    images_expected: int,
    frame_sets: Mapping[str, frozenset[str]] = MappingProxyType({}),
    provenance: Mapping[str, str] = MappingProxyType({}),
    notes: Sequence[str] = (),
    neg_ap: NegativeAp = "hazards",
    resamples: int = 0,
) -> EvaluationResult:
    """Reduce the matches of any number of images, in any order, to the benchmark's numbers.

    Args:
        protocol, labels: those that the images were matched with.
        matches: one for each image.
        benchmark, split: names of the data set and its part.
        images_expected: images that the split should have.
        frame_sets: frame name -> the named sets it belongs to; ``negative`` and ``<hazard>/<none|low|high>`` have a
            meaning for NegAP.
        provenance, notes: passed on; own notes follow.
        neg_ap: which frames NegAP looks at. ``hazards``: those with a hazard, low or high, and the negative ones
            ("images with visual hazards", arXiv:1807.05361 Table 1). ``negative``: WildDash's negative frames alone.
        resamples: how many resamples of the images the intervals come from; 0 for no intervals.

    Raises:
        ValueError: an image is there twice.
    """
    pool = Pool.of(protocol, labels, list(matches))
    parts, own_notes = measured_parts(pool, frame_sets, neg_ap)
    own_notes += [note for wanted, part in parts for note in _part_notes(wanted, part, pool, resamples)]
    tables = [part.table(wanted) for wanted, part in parts]
    rows = {name: {k: v for table in tables for k, v in table[name].items()} for name in tables[0]}
    return EvaluationResult(
        benchmark=benchmark,
        split=split,
        protocol=protocol.name,
        images=len(pool.images),
        images_expected=images_expected,
        images_missing=pool.missing,
        metrics=rows.pop(MEAN),
        classes=rows,
        frame_sets=_frame_set_values(pool, frame_sets),
        intervals={k: v for wanted, part in parts for k, v in intervals(part, wanted, Resampling(resamples)).items()},
        resamples=resamples,
        errors=weigh_errors(pool),
        provenance=dict(provenance),
        notes=(*notes, *census_notes(pool), *own_notes, *protocol_notes(protocol)),
        pool=pool,
    )


def measured_parts(
    pool: Pool, frame_sets: Mapping[str, frozenset[str]], neg_ap: NegativeAp = "hazards"
) -> tuple[list[tuple[list[Metric], Pool]], list[str]]:
    """Metrics and the images that they are measured on; and notes on how, or on why a metric is absent."""
    metrics, notes = _computable_metrics(pool)
    parts = [(metrics, pool)]
    if not pool.protocol.negative_ap:
        return parts, notes if neg_ap == "hazards" else [*notes, f"Protocol {pool.protocol.name} has no NegAP."]
    if not frame_sets:
        return parts, [*notes, "NegAP is absent: the frame sets are not known."]
    return [*parts, ([NEG_AP], pool.subset(_negative_frames(frame_sets, neg_ap)))], [*notes, NEG_AP_NOTES[neg_ap]]


def _part_notes(metrics: Sequence[Metric], part: Pool, whole: Pool, resamples: int) -> list[str]:
    """On how many images metrics are measured, if not on all, and why there is no interval."""
    names, count = ", ".join(metric.name for metric in metrics), len(part.images)
    missing = f", {part.missing} of them without predictions" if part.missing else ""
    notes = [f"Images that {names} is measured on: {count}{missing}."] if part is not whole else []
    if resamples and not can_be_drawn(part):
        notes.append(f"No interval of {names}: {count} images are too few to be drawn again.")
    return notes


def _computable_metrics(pool: Pool) -> tuple[list[Metric], list[str]]:
    """The metrics that the ground truth allows, and a note on those that it does not."""
    with_objects = [image for image in pool.images if image.has_distances is not None]
    lacking = [image.frame for image in with_objects if not image.has_distances]
    wanted = list(pool.protocol.metrics)
    if with_objects and not lacking:
        return wanted, []
    by_distance = {mode.name for mode in pool.protocol.modes if mode.max_distance_m < ALL.max_distance_m}
    absent = [metric.name for metric in wanted if metric.mode in by_distance]
    if not absent:
        return wanted, []
    if not with_objects:
        return _without(wanted, absent), [f"{', '.join(absent)} are absent: no image has an object."]
    which = f"{len(lacking)} of {len(with_objects)} images with objects have no distances"
    return _without(wanted, absent), [f"{', '.join(absent)} are absent: {which}, for example {lacking[0]}."]


def _without(metrics: Sequence[Metric], absent: Sequence[str]) -> list[Metric]:
    return [metric for metric in metrics if metric.name not in absent]


def census_notes(pool: Pool) -> list[str]:
    """What is strange about the predictions."""
    return pool.census.notes(pool.labels, empty_count=pool.protocol.one_to_one)


def protocol_notes(protocol: Protocol) -> list[str]:
    """What sets a protocol's numbers apart from those of the benchmark's own program."""
    notes = [
        f"{marked(metric.name)} is no number of the benchmark's own 2D program; "
        "a prediction finds one object at most, as in 3D."
        for metric in protocol.metrics
        if metric.unofficial
    ]
    if protocol.corrected:
        notes.append(f"Corrected protocol, not the server's: {protocol.corrected}.")
    return notes


def _frame_set_values(pool: Pool, frame_sets: Mapping[str, frozenset[str]]) -> dict[str, dict[str, float | None]]:
    """The same numbers on each named set that has an image, in name order."""
    values = {}
    known = [frame_sets[image.frame] for image in pool.images if image.frame in frame_sets]
    for name in sorted(set().union(*known)):
        subset = pool.subset({frame for frame, sets in frame_sets.items() if name in sets})
        row = subset.table((AP, AP50))[MEAN] | {IMAGES: len(subset.images)}
        if pool.missing:
            row[IMAGES_MISSING] = subset.missing
        if name == NEGATIVE:
            row |= {f"FP@{score}": subset.false_positives_per_image(score) for score in NEGATIVE_SCORES}
        values[name] = row
    return values


def _negative_frames(frame_sets: Mapping[str, frozenset[str]], reading: NegativeAp) -> set[str]:
    hazards = ("/low", "/high") if reading == "hazards" else ()
    return {frame for frame, sets in frame_sets.items() if any(s == NEGATIVE or s.endswith(hazards) for s in sets)}
