"""Compare two detectors on the same images: the difference of every metric, and whether it is more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dataset_adapters.problems import InputError
from evaluators.bootstrap import Resampling, can_be_drawn
from evaluators.comparison import Comparison, Difference, compare_pools
from evaluators.pooling import Pool
from evaluators.protocol import Metric
from evaluators.summary import census_notes, measured_parts, protocol_notes
from robsub.matches_file import MatchesHead, read_matches


def compare(a: Path, b: Path, resamples: int = 1000) -> Comparison:
    """Compare two files that ``robsub evaluate --matches`` wrote.

    Args:
        a, b: the files.
        resamples: resamples of the images for the intervals.

    Raises:
        InputError: a file cannot be read, or the two are not of the same images by the same protocol.
    """
    (head, images_a), (other, images_b) = (read_matches(path) for path in (a, b))
    pool_a, pool_b = (Pool.of(head.rule_book(), head.labels(), images) for images in (images_a, images_b))
    difference = head.difference(other, MatchesHead.COMMON) or _difference(pool_a, pool_b)
    if difference:
        raise InputError(
            b, found=difference, expected=f"the same images, ground truth and protocol as in {a}",
            fix="Evaluate both with the same data, --split, --protocol and --matches.",
        )  # fmt: skip
    if not can_be_drawn(pool_a):
        raise InputError(
            a, found=f"{len(images_a)} images", expected="two or more: the interval comes from drawing them again",
            fix="Compare on a whole split.",
        )  # fmt: skip
    frame_sets = {name: frozenset(sets) for name, sets in head.frame_sets.items()}
    parts, notes = measured_parts(pool_a, frame_sets)
    notes += [f"{metric.name} is left out: its {len(part.images)} images are too few to be drawn again."
              for metrics, part in parts if not can_be_drawn(part) for metric in metrics]  # fmt: skip
    notes += protocol_notes(pool_a.protocol)
    return Comparison(
        benchmark=head.benchmark,
        split=head.split,
        protocol=head.protocol,
        images=len(pool_a.images),
        images_expected=head.images_expected,
        images_missing={"A": pool_a.missing, "B": pool_b.missing},
        resamples=resamples,
        metrics=_differences(parts, pool_b, Resampling(resamples)),
        provenance={name: {"file": str(path), **h.provenance} for name, path, h in (("A", a, head), ("B", b, other))},
        notes={"A": _notes(head, pool_a), "B": _notes(other, pool_b), "both": notes},
    )


def _differences(
    parts: Sequence[tuple[Sequence[Metric], Pool]], b: Pool, resampling: Resampling
) -> dict[str, Difference]:
    """Metric -> difference, each on the images of its own part of A."""
    differences: dict[str, Difference] = {}
    for metrics, a in parts:
        if can_be_drawn(a):
            differences |= compare_pools(a, b.subset({image.frame for image in a.images}), metrics, resampling)
    return differences


def _notes(head: MatchesHead, pool: Pool) -> list[str]:
    return [*head.notes, *census_notes(pool)]


def _difference(a: Pool, b: Pool) -> str | None:
    """How the images of two pools differ, in words; None if they are the same."""
    frames_a, frames_b = ({image.frame for image in pool.images} for pool in (a, b))
    if frames_a != frames_b:
        only = frames_a ^ frames_b
        return f"{len(frames_b)} images where A has {len(frames_a)}, first that only one has {min(only)}"
    if not np.array_equal(a.image_ground_truths, b.image_ground_truths):
        return "other objects in the ground truth of the same images"
    return None
