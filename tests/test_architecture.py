"""Imports point down the house, and the quick commands never wait for torch, pandas or matplotlib."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stores import write_ground_truth_store

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("dataset_adapters", "evaluators", "robsub", "cli")
HEAVY = ("torch", "torchvision", "pandas", "matplotlib")


def imported(path: Path) -> set[str]:
    """Top-level packages that a module imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("floor", FLOORS[:-1])
def test_imports_point_down(floor: str) -> None:
    above = set(FLOORS[FLOORS.index(floor) + 1 :])
    for path in (ROOT / floor).rglob("*.py"):
        if path.name != "__main__.py":  # python -m robsub is the command line by another door
            assert not imported(path) & above, path


@pytest.mark.parametrize("floor", ["dataset_adapters", "evaluators"])
def test_the_lower_floors_do_without_torch(floor: str) -> None:
    for path in (ROOT / floor).rglob("*.py"):
        assert not imported(path) & {"torch", "torchvision", "matplotlib"}, path


def modules_loaded(*arguments: str, folder: Path) -> set[str]:
    """Top-level packages that a command has loaded, by Python's own report."""
    command = [sys.executable, "-X", "importtime", "-m", "robsub", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "import time:" in done.stderr, done.stderr
    return {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in ("train", "predict", "table"))])
def test_help_is_quick(arguments: list[str], tmp_path: Path) -> None:
    assert not modules_loaded(*arguments, folder=tmp_path) & set(HEAVY)


def test_package_verify_and_evaluate_never_wait_for_torch(world: Path, tmp_path: Path) -> None:
    store = write_ground_truth_store(world, "kitti", "val", tmp_path / "store")
    data = ("--benchmark", "kitti", "--split", "val", "--data-root", str(world))
    archive = str(tmp_path / "a.zip")
    for arguments in (
        ("package", *data, "--predictions", str(store), "--out", archive),
        ("verify", *data, archive),
        ("evaluate", *data, "--predictions", str(store), "--workers", "1", "--json", str(tmp_path / "r.json")),
    ):
        loaded = modules_loaded(*arguments, folder=tmp_path)
        assert {"click", "pycocotools"} <= loaded
        assert not loaded & set(HEAVY), arguments
    assert (tmp_path / "r.json").is_file()
