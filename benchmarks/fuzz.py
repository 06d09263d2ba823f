"""Thousands of small scenes against cityscapesScripts, bit for bit: ``python -m benchmarks.fuzz [--cases 5000]``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

from tests.evaluators.official import load_official, official_aps
from tests.evaluators.small_scenes import SmallScene, small_scenes
from tests.evaluators.test_oracle import our_aps


def main() -> None:
    """Parse, compare, print; a difference is an AssertionError with the smallest scene that shows it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    cases = parser.parse_args().cases
    official = load_official()
    counts = {"equal": 0, "numbers": 0, "stopped": 0}

    @settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck),
              phases=(Phase.generate, Phase.shrink))  # fmt: skip
    @given(small_scenes())
    def compare(scene: SmallScene) -> None:
        with tempfile.TemporaryDirectory() as folder:
            try:
                theirs = official_aps(official, [scene], Path(folder))
            except IndexError:  # all predictions of a class are ignored (docs/quirks.md)
                counts["stopped"] += 1
                return
        np.testing.assert_array_equal(our_aps([scene]), theirs)
        counts["equal"] += 1
        counts["numbers"] += int((~np.isnan(theirs)).sum())

    compare()
    print(
        "{equal} scenes with {numbers} AP equal to the last bit; the official code stopped on {stopped}".format(
            **counts
        )
    )


if __name__ == "__main__":
    main()
