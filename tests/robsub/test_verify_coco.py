"""Verifying COCO results: each fault alone, with its code and the number of its detection."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dataset_adapters import rle
from dataset_adapters.problems import InputError
from dataset_adapters.wilddash import WildDash2
from robsub.evaluate import open_predictions
from robsub.verify import verify

SIZE = (30, 40)


@pytest.fixture
def adapter(tmp_path: Path) -> WildDash2:
    """One test photo of WildDash 2."""
    folder = tmp_path / "wilddash" / "wd_both_02" / "images"
    folder.mkdir(parents=True)
    Image.new("RGB", (SIZE[1], SIZE[0])).save(folder / "aa0000_100000.jpg")
    return WildDash2(tmp_path / "wilddash")


def segmentation(*runs: int, size: tuple[int, int] = SIZE) -> dict[str, Any]:
    return {"size": list(size), "counts": rle.from_runs(list(runs), size)["counts"].decode()}


def detection(**changed: Any) -> dict[str, Any]:
    sound = {"image_id": "aa0000_100000", "category_id": 26, "bbox": [0, 5, 1, 10], "score": 0.5}
    return sound | {"segmentation": segmentation(5, 10, 1185)} | changed


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"bbox": None}, "results-format"),
        ({"bbox": [0, 5, float("nan"), 10]}, "results-format"),
        ({"bbox": [0, 5, 10**400, 10]}, "results-format"),
        ({"score": "high"}, "results-format"),
        ({"score": 10**400}, "score-range"),
        ({"image_id": float("inf")}, "results-format"),
        ({"image_id": 7}, "image-unknown"),
        ({"category_id": 99}, "label-unknown"),
        ({"category_id": 7}, "label-no-instances"),
        ({"score": float("nan")}, "score-nan"),
        ({"score": float("inf")}, "score-infinite"),
        ({"score": -0.5}, "score-range"),
        ({"segmentation": segmentation(5, 10, 1185, size=(40, 30))}, "mask-size"),
        ({"segmentation": {"size": list(SIZE), "counts": "61"}}, "mask-broken"),
        ({"segmentation": []}, "mask-broken"),
        ({"segmentation": [[0, 0, 3e8, 0, 3e8, 3e8]]}, "mask-broken"),
        ({"segmentation": segmentation(1200)}, "mask-empty"),
        ({"bbox": [0, 5, 3, 10]}, "box-differs"),
    ],
)
def test_every_fault_is_found_alone_with_its_number(
    adapter: WildDash2, tmp_path: Path, changed: dict[str, Any], code: str
) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps([detection(), detection()]))
    assert not verify(adapter, path, "test").counts
    path.write_text(json.dumps([detection(), detection(**changed)]))
    report = verify(adapter, path, "test")
    assert report.counts == {code: 1}, report.text()
    assert report.problems[0].line == 2


@pytest.mark.parametrize(
    "text",
    ["", "{}", '[{"image_id": "a", ', "[" * 100_000, "[][]", "[,]", "\ufeff[]"],
    ids=["empty", "object", "cut", "deep", "two", "comma", "mark"],
)
def test_what_is_no_list_is_told_as_that(adapter: WildDash2, tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    assert verify(adapter, tmp_path / "r.json", "test").counts == {"results-format": 1}


@pytest.mark.parametrize("size", [(0, 0), (-3, -4)])
def test_a_size_that_is_none_is_told_where_the_frame_is_not_known(tmp_path: Path, size: tuple[int, int]) -> None:
    mask = {"size": list(size), "counts": "00"}
    (tmp_path / "r.json").write_text(json.dumps([detection(segmentation=mask)]))
    assert verify(WildDash2(tmp_path / "none"), tmp_path / "r.json", "test").counts == {"mask-broken": 1}


def test_masks_that_are_mostly_frame_are_inverted(adapter: WildDash2, tmp_path: Path) -> None:
    inverted = detection(segmentation=segmentation(0, 1195, 5), bbox=[0, 0, 40, 30])
    (tmp_path / "r.json").write_text(json.dumps([inverted] * 6))
    assert verify(adapter, tmp_path / "r.json", "test").counts == {"mask-inverted": 1}


def test_a_zip_is_read_and_a_damaged_one_is_told(adapter: WildDash2, tmp_path: Path) -> None:
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("wilddash_results.json", json.dumps([detection(score=2)]))
    report = verify(adapter, path, "test")
    assert report.problems[0].file == "wilddash_results.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + bytes(20) + whole[80:])
    assert verify(adapter, path, "test").counts == {"member-broken": 1}
    path.write_bytes(whole[:-10])
    assert verify(adapter, path.rename(tmp_path / "cut.json"), "test").counts == {"results-format": 1}
    with pytest.raises(InputError, match=r"none\.json: found no such file"):
        verify(adapter, tmp_path / "none.json", "test")


RESULTS = "wilddash_results.json"


@pytest.mark.parametrize(
    ("names", "counts"),
    [
        ([RESULTS], {}),
        ([RESULTS, "other.json"], {"member-stray": 1}),
        ([RESULTS, "__MACOSX/._x", "b/notes.txt"], {"member-stray": 2}),
        ([RESULTS, "evil/../../x.txt"], {"member-escape": 1}),
        ([RESULTS, RESULTS], {"member-double": 1}),
        ([f"folder/{RESULTS}"], {"root-folder": 1}),
        ([f"a/{RESULTS}", f"b/{RESULTS}"], {"root-folder": 1, "member-stray": 1}),
        ([f"../{RESULTS}"], {"member-escape": 1}),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_zip_around_the_results_is_checked(
    adapter: WildDash2, tmp_path: Path, names: list[str], counts: dict[str, int]
) -> None:
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, json.dumps([detection()]))
    report = verify(adapter, path, "test")
    assert report.counts == counts, report.text()
    assert report.ok == (set(counts) <= {"member-stray"})
    if report.ok:
        assert set(open_predictions(path, adapter, "test").frames()) == {"aa0000_100000"}
    else:
        with pytest.raises(InputError, match=r"s\.zip"):
            open_predictions(path, adapter, "test")


def test_results_may_be_larger_than_a_mask_but_not_without_end(
    adapter: WildDash2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(RESULTS, json.dumps([detection()]))
    monkeypatch.setattr("dataset_adapters.submission.archive.MAX_MEMBER_BYTES", 10)
    assert verify(adapter, path, "test").counts == {}
    monkeypatch.setattr("dataset_adapters.submission.coco_layout.MAX_RESULTS_BYTES", 10)
    assert verify(adapter, path, "test").counts == {"member-huge": 1}
