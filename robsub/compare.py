"""Compare two detectors on the same images: the difference of every metric, and whether it is more than chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dataset_adapters.problems import InputError
from evaluators.bootstrap import Resampling
from evaluators.comparison import Comparison, compare_pools
from evaluators.pooling import Pool
from evaluators.summary import computable_metrics
from robsub.matches_file import MatchesHead, read_matches

SHARED = ("benchmark", "split", "protocol", "rules", "classes", "ground_truth")


def compare(a: Path, b: Path, resamples: int = 1000) -> Comparison:
    """Compare two files that ``robsub evaluate --matches`` wrote.

    Args:
        a, b: the files.
        resamples: resamples of the images for the intervals.

    Raises:
        InputError: a file cannot be read, or the two are not of the same images by the same protocol.
    """
    (head, pool_a), (other, pool_b) = (_pool(path) for path in (a, b))
    difference = head.difference(other, SHARED) or _difference(pool_a, pool_b)
    if difference:
        raise InputError(
            b, found=difference, expected=f"the same images, ground truth and protocol as in {a}",
            fix="Evaluate both with the same data, --split, --protocol and --matches.",
        )  # fmt: skip
    metrics, _ = computable_metrics(pool_a)
    return Comparison(
        benchmark=head.benchmark,
        split=head.split,
        protocol=head.protocol,
        images=len(pool_a.images),
        resamples=resamples,
        metrics=compare_pools(pool_a, pool_b, metrics, Resampling(resamples)),
        provenance={name: {"file": str(path), **h.provenance} for name, path, h in (("A", a, head), ("B", b, other))},
    )


def _pool(path: Path) -> tuple[MatchesHead, Pool]:
    head, images = read_matches(path)
    try:
        return head, Pool.of(head.rule_book(), head.labels(), images)
    except ValueError as error:
        raise InputError(
            path, found=str(error), expected="every image once", fix="Delete the file and evaluate again."
        ) from error


def _difference(a: Pool, b: Pool) -> str | None:
    """How the images of two pools differ, in words; None if they are the same."""
    frames_a, frames_b = ({image.frame for image in pool.images} for pool in (a, b))
    if frames_a != frames_b:
        only = frames_a ^ frames_b
        return f"{len(frames_b)} images where A has {len(frames_a)}, first that only one has {min(only)}"
    if not frames_a:
        return "no image"
    if not np.array_equal(a.image_ground_truths, b.image_ground_truths):
        return "other objects in the ground truth of the same images"
    return None
