"""Making the world: the same bytes from the same seed, kept when whole, gone on with when interrupted."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset_adapters.problems import InputError
from robsub.demo import world as world_module
from robsub.demo.deck import TRAFFIC_CARDS, Deck
from robsub.demo.world import WRITERS, WorldScale, make_world

FEW = WorldScale(cityscapes=(2, 1, 1), kitti=(5, 1), wilddash=(6, 1), scannet=(2, 1, 1), ade20k=(2, 1))
MAKE_FEW = f"""
from pathlib import Path
from robsub.demo.world import WorldScale, make_world
import sys
make_world(Path(sys.argv[1]), seed=3, scale={FEW!r}, progress=False)
"""


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_seed_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    make_world(tmp_path / "here", seed=3, scale=FEW, progress=False)
    subprocess.run([sys.executable, "-c", MAKE_FEW, str(tmp_path / "there")], check=True)
    here = digests(tmp_path / "here")
    assert len(here) > 100
    assert here == digests(tmp_path / "there")


def test_another_seed_gives_other_pictures_and_replaces_the_world(tmp_path: Path) -> None:
    make_world(tmp_path, seed=0, scale=FEW, progress=False)
    photo = tmp_path / "kitti/training/image_2/000000_10.png"
    first = photo.read_bytes()
    make_world(tmp_path, seed=1, scale=FEW, progress=False)
    assert photo.read_bytes() != first


def test_an_interrupted_make_keeps_whole_data_sets_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(root: Path, seed: int, counts: tuple[int, ...], tick: Callable[[], object]) -> dict[str, int]:
        (root / "scannet_frames_25k").mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setitem(WRITERS, "scannet", dies)
        with pytest.raises(KeyboardInterrupt):
            make_world(tmp_path, scale=FEW, progress=False)
    assert {path.name for path in tmp_path.iterdir()} == {"cityscapes", "kitti", "wilddash", ".scannet.partial"}
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cityscapes").rglob("*")}
    make_world(tmp_path, scale=FEW, progress=False)
    assert {path.name for path in tmp_path.iterdir()} == set(WRITERS)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cityscapes").rglob("*")} == kept


def test_a_whole_world_is_not_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_world(tmp_path, scale=FEW, progress=False)
    monkeypatch.setattr(world_module, "_make", None)
    make_world(tmp_path, scale=FEW, progress=False)


def test_a_real_data_set_of_that_name_is_never_replaced(tmp_path: Path) -> None:
    photo = tmp_path / "scannet" / "scannet_frames_25k" / "mine.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"precious")
    with pytest.raises(InputError, match="not made by the demo"):
        make_world(tmp_path, scale=FEW, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["scannet"]
    assert photo.read_bytes() == b"precious"


def test_expected_counts_are_those_on_disk(world: Path) -> None:
    counts = {name: json.loads((world / name / "frames_expected.json").read_text()) for name in WRITERS}
    assert counts["cityscapes"] == {"train": 14, "val": 6, "trainval": 20, "test": 2}
    assert counts["kitti"] == {"train": 16, "val": 4, "trainval": 20, "test": 2}
    assert counts["wilddash"] == {"train": 32, "val": 8, "trainval": 40, "test": 3}
    assert counts["ade20k"] == {"train": 6, "val": 2, "trainval": 8}
    for split in ("train", "val", "test"):
        photos = list((world / "cityscapes/leftImg8bit" / split).rglob("*.png"))
        assert len(photos) == counts["cityscapes"][split]
    scenes = {s: (world / f"scannet/scannetv2_{s}.txt").read_text().split() for s in ("train", "val")}
    for split, names in scenes.items():
        folder = world / "scannet/scannet_frames_25k"
        assert sum(len(list((folder / n / "color").iterdir())) for n in names) == counts["scannet"][split]
    assert len(list((world / "scannet/scannet_frames_test").rglob("*.jpg"))) == 2


def test_a_deck_deals_every_card_equally_often() -> None:
    deck = Deck(TRAFFIC_CARDS, seed=5, name="test", largest_hand=7)
    hands = [deck.deal(frame, 7) for frame in range(40)]
    cards, times = np.unique(np.concatenate(hands), return_counts=True)
    expected = {card: TRAFFIC_CARDS.count(card) * 20 for card in TRAFFIC_CARDS}
    assert dict(zip(cards.tolist(), times.tolist(), strict=True)) == expected
    assert hands[17] == Deck(TRAFFIC_CARDS, seed=5, name="test", largest_hand=7).deal(17, 7)
