"""robsub.toml: names and types of the options, and that the settings take effect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import refusal, run
from tests.stores import write_ground_truth_store


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('data_rot = "x"', "Did you mean 'data_root'?"),
        ("[tarin]", "Did you mean 'train'?"),
        ('[train]\nrecpie = "demo"', "Did you mean 'train.recipe'?"),
        ("[evaluate]\nresamples = 5", "the unknown setting 'evaluate.resamples'"),
        ("[train", "no TOML"),
        ("data_root = true", "robsub.toml: found data_root = True, expected what --data-root takes (text or a number"),
        ("data_root = ['a']", "found data_root = ['a']"),
        ("[evaluate]\nno_cache = 7", "expected what --no-cache takes (true or false is wanted)"),
        ("[evaluate]\nbootstrap = 1979-05-27", "found bootstrap = datetime.date(1979, 5, 27)"),
        ("[evaluate]\nbootstrap = -1", "found bootstrap = -1"),
        ("[package]\nmin_score = nan", "found min_score = nan"),
        ('data_root = "elsewhere"', "elsewhere: found no such folder"),
        ('profile = "scannet=rob2018"\n[datasets]\njson = "found.json"\ndata_root = 5', "5: found no such folder"),
    ],
)
def test_settings_have_the_names_and_the_types_of_the_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "robsub.toml").write_text(text)
    assert words in refusal("datasets")


def test_settings_take_effect(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = write_ground_truth_store(world, "kitti", "val", tmp_path / "store")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "robsub.toml").write_text(
        f"data_root = '{world}'\n[evaluate]\nbootstrap = 20\njson = 'r.json'\npredictions = '{store}'\nworkers = 1"
    )
    run("evaluate", "--dataset", "kitti")
    assert json.loads((tmp_path / "r.json").read_text())["intervals"]["resamples"] == 20
