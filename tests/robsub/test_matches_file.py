"""The matches file: one writer at a time, every image once, and damage that is named."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataset_adapters.problems import InputError
from evaluators.protocol import KITTI
from robsub.compare import compare
from robsub.evaluate import merge
from robsub.matches_file import MatchesHead, MatchesWriter, read_matches
from tests.evaluators.scenes import matched, predicted, region

from .test_compare import CAR, head

HOLDER = "import sys, robsub.lock as l\nwith open(sys.argv[1], 'ab') as f: l.lock(f, None); input(print())"


def write(path: Path, *frames: str) -> Path:
    with MatchesWriter(path, head()) as writer:
        for frame in frames:
            writer.add(matched(KITTI, [region("car", CAR)], [predicted("car", CAR, 0.5)], frame))
    return path


def change(path: Path, line: int, damage: Callable[[Any], None]) -> None:
    """Change the JSON of one line."""
    lines = path.read_text().splitlines(keepends=True)
    data = json.loads(lines[line])
    damage(data)
    path.write_text("".join([*lines[:line], json.dumps(data) + "\n", *lines[line + 1 :]]))


def test_a_second_evaluation_into_the_file_is_refused_and_it_stays_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "m", "0")
    whole = path.read_bytes()
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(InputError, match="m: found another evaluation that writes to it"):
            write(path, "1")
        process.kill()
    assert path.read_bytes() == whole
    write(path, "1")
    assert [image.frame for image in read_matches(path)[1]] == ["0", "1"]


def test_the_file_is_locked_until_it_is_closed(tmp_path: Path) -> None:
    path = write(tmp_path / "m", "0")
    with MatchesWriter(path, head()):
        tried = subprocess.run([sys.executable, "-c", HOLDER, str(path)], capture_output=True, check=False)
    assert b"BlockingIOError" in tried.stderr or b"PermissionError" in tried.stderr


def test_an_image_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m", "0", "1", "0")
    for use in (lambda: merge([path]), lambda: compare(path, path), lambda: write(path, "2")):
        with pytest.raises(InputError, match=r"m:4: found no matches .*image 0 is there twice"):
            use()


@pytest.mark.parametrize(
    ("line", "damage"),
    [
        (0, lambda data: data.update(provenance=5)),
        (0, lambda data: data.update(provenance={"robsub": 5})),
        (0, lambda data: data.update(images_expected="many")),
        (0, lambda data: data.update(split=None)),
        (0, lambda data: data.update(classes="car")),
        (1, lambda data: data["census"].update(evaluated="x")),
        (1, lambda data: data["census"].update(others=5)),
        (1, lambda data: data["census"].update(others={"road": []})),
        (1, lambda data: data.update(census=[])),
        (1, lambda data: data.update(frame=["0"])),
    ],
)
def test_parts_of_another_kind_are_refused(tmp_path: Path, line: int, damage: Callable[[Any], None]) -> None:
    path = write(tmp_path / "m", "0")
    change(path, line, damage)
    with pytest.raises(InputError, match=f"m:{line + 1}: found no matches"):
        merge([path])


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("short", "other", "short and other"),
        ("a" * 64 + " measure=depth", "a" * 64 + " measure=ray", "...measure=depth and ...measure=ray"),
        ("b" * 64, "c" * 64, f"{'b' * 37}... and {'c' * 37}..."),
        ("d" * 64, "d" * 64 + " more", f"...{'d' * 20} and ...{'d' * 20} more"),
    ],
)
def test_a_difference_is_shown_where_it_is(one: str, other: str, told: str) -> None:
    heads = [replace(head(), ground_truth=text) for text in (one, other)]
    assert heads[0].difference(heads[1], MatchesHead.COMMON) == f"ground_truth {told}"
