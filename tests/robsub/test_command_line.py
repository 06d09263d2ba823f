"""What the commands share: values that no option takes, options that would do nothing, terminals without ticks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import refusal, run
from tests.stores import write_ground_truth_store


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("package", "--benchmark", "kitti", "--min-score", "nan"), "no number from 0 to 1"),
        (("package", "--benchmark", "kitti", "--out", ""), "the path is empty"),
        (("evaluate", "--matches", ""), "the path is empty"),
        (("evaluate", "--part", ""), "expected K/N"),
        (("evaluate", "--bootstrap", "10000000000"), "not in the range"),
        (("evaluate", "--part", f"1/{'1' * 5000}"), "expected K/N, such as 2/4"),
    ],
)
def test_values_that_no_option_can_take_are_refused(command: tuple[str, ...], words: str) -> None:
    assert words in refusal(*command)


def test_a_terminal_without_ticks_gets_every_line(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    command = [sys.executable, "-m", "robsub", "package", "--benchmark", "kitti", "--sample", tmp_path / "sample.zip"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u2713" in done.stdout


@pytest.mark.parametrize("command", [("datasets",), ("evaluate", "--dataset", "kitti", "--self-test")])
def test_data_on_standard_output_stands_there_alone(world: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    call = [sys.executable, "-m", "robsub", *command, "--data-root", world, "--json", "/dev/stdout"]
    piped = subprocess.run(call, capture_output=True, check=True, text=True)
    with (tmp_path / "out.json").open("w") as file:
        subprocess.run(call, stdout=file, stderr=subprocess.DEVNULL, check=True)
    assert json.loads(piped.stdout) == json.loads((tmp_path / "out.json").read_text())
    assert "kitti" in piped.stderr


def test_a_reader_that_has_had_enough_is_no_verdict(tmp_path: Path) -> None:
    run("package", "--benchmark", "kitti", "--sample", tmp_path / "sample.zip")
    verify = [sys.executable, "-m", "robsub", "verify", "--benchmark", "kitti", "--data-root", tmp_path]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run([*verify, tmp_path / "sample.zip"], stdout=gone, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (141, b"")


def test_closed_outputs_change_no_outcome(world: Path) -> None:
    command = f"{sys.executable} -m robsub datasets --data-root {world} 2>&-"
    assert b"Next: robsub train" in subprocess.run(command, shell=True, stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(f"{command} >&-", shell=True, check=True)


def test_a_sample_replaces_nothing_but_itself(tmp_path: Path) -> None:
    sample = ("package", "--benchmark", "kitti", "--sample", tmp_path / "sample.zip")
    assert run(*sample) == run(*sample)
    (tmp_path / "sample.zip").write_text("precious")
    assert "found another file" in refusal(*sample)
    assert (tmp_path / "sample.zip").read_text() == "precious"


def test_a_folder_is_no_place_for_a_file(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = write_ground_truth_store(world, "kitti", "val", tmp_path / "store")
    monkeypatch.chdir(tmp_path)
    assert "found is a directory" in refusal("convert", store, "--to", "coco", "--data-root", world, "--out", ".")
    package = ("package", "--benchmark", "kitti", "--split", "val", "--data-root", world, "--predictions", store)
    assert "a free name" in refusal(*package, "--out", ".")


def test_convert_names_its_own_argument(world: Path, tmp_path: Path) -> None:
    assert "name others as SOURCE" in refusal("convert", "none", "--dataset", "kitti", "--data-root", world)
    (tmp_path / "manifest.json").write_text("[]")
    assert "Name another store as SOURCE" in refusal("convert", tmp_path, "--data-root", world)


def test_options_that_would_do_nothing_are_refused(world: Path, tmp_path: Path) -> None:
    store = write_ground_truth_store(world, "kitti", "val", tmp_path / "store")
    own = ("evaluate", "--dataset", "kitti", "--data-root", world, "--predictions", store, "--workers", "1")
    run(*own, "--matches", tmp_path / "m")
    merged = ("evaluate", "--merge", tmp_path / "m")
    assert "Merged from 1 files" in run(*merged)
    for option in (
        ("--protocol", "coco"), ("--corrected",), ("--predictions", store), ("--dataset", "kitti"),
        ("--distance", "measure=ray"), ("--no-cache",),
    ):  # fmt: skip
        assert f"{option[0]} means nothing beside --merge" in refusal(*merged, *option)
    assert "--frame-sets means nothing beside --dataset kitti" in refusal(*own, "--frame-sets", __file__)
    assert "--distance means nothing beside --dataset kitti" in refusal(*own, "--distance", "measure=ray")
    assert "--neg-ap means nothing beside --dataset kitti" in refusal(*own, "--neg-ap", "negative")
    wilddash = ("evaluate", "--dataset", "wilddash", "--protocol", "coco", "--data-root", world)
    assert "--neg-ap means nothing beside --protocol coco" in refusal(*wilddash, "--neg-ap", "negative")
    assert "Leave out --annotations" in refusal(*own, "--annotations", tmp_path / "m")
    assert "Next: robsub evaluate --merge" in run("compare", tmp_path / "m", tmp_path / "m", "--bootstrap", "10")
    result = refusal("compare", tmp_path / "m", store / "manifest.json")
    assert "no matches" in result and "Delete" not in result
