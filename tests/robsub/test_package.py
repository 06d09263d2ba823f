"""Packaging with options: reuse, the same bytes from any number of processes, and what the summary tells."""

from __future__ import annotations

import copy
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset_adapters import processes, rle
from dataset_adapters.base import DatasetAdapter
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.kitti import KITTI_LAYOUT, Kitti
from dataset_adapters.problems import InputError
from dataset_adapters.registry import ADAPTERS, BENCHMARKS, get_adapter
from dataset_adapters.scannet import ScanNet, ScanNetRob2018
from dataset_adapters.submission.checks import verify_submission
from dataset_adapters.submission.selection import Selection
from dataset_adapters.wilddash import WildDash2
from robsub.convert import convert
from robsub.devkit import devkit_folder
from robsub.evaluate import evaluate, open_predictions
from robsub.package import package
from robsub.predictions import PredictionStore, PredictionWriter
from robsub.sample import FRAMES, write_sample
from robsub.verify import verify
from tests.dataset_adapters.layouts import photo
from tests.evaluators.official import MODULE, load_official
from tests.stores import write_ground_truth_store


@pytest.fixture
def store(world: Path, tmp_path: Path) -> PredictionStore:
    """Ground truth of KITTI's ``trainval`` as predictions."""
    return PredictionStore(write_ground_truth_store(world, "kitti", "trainval", tmp_path / "store"))


def test_any_number_of_processes_writes_the_same_bytes(
    world: Path, store: PredictionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "TRIAL_S", 0)
    monkeypatch.setattr(processes, "START_S", 0)
    adapter = get_adapter("kitti", world)
    for count in (1, 2):
        package(adapter, "trainval", store, tmp_path / f"{count}.zip", workers=count)
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    manifests = [json.loads((tmp_path / f"{count}.zip.manifest.json").read_text()) for count in (1, 2)]
    assert manifests[0] == manifests[1] and manifests[0]["contents"]["frames"] == 10


def test_an_archive_made_in_another_way_is_not_reused(world: Path, store: PredictionStore, tmp_path: Path) -> None:
    adapter, out = get_adapter("kitti", world), tmp_path / "s.zip"
    whole = package(adapter, "trainval", store, out, workers=1)
    assert package(adapter, "trainval", store, out, workers=1).reused
    best = package(adapter, "trainval", store, out, selection=Selection(max_per_image=1), workers=1)
    assert not best.reused and best.report.ok
    left_out = whole.manifest["contents"]["predictions"] - 10
    assert f"Left out: {left_out} objects beyond the best 1 of their image." in best.text()
    small = package(adapter, "trainval", store, out, one_bit=True, workers=1)
    assert not small.reused
    assert small.manifest["contents"]["bytes"] < whole.manifest["contents"]["bytes"]
    assert set(small.report.counts) - set(whole.report.counts) == {"mask-depth"} and small.report.ok


@pytest.mark.parametrize(
    "damaged", ["[]", '{"sha256": ', "[" * 100_000, '{"contents": []}'], ids=["list", "cut off", "deep", "contents"]
)
def test_a_damaged_manifest_means_that_the_archive_is_written_again(
    world: Path, store: PredictionStore, tmp_path: Path, damaged: str
) -> None:
    adapter, out = get_adapter("kitti", world), tmp_path / "s.zip"
    whole = package(adapter, "trainval", store, out, workers=1)
    (tmp_path / "s.zip.manifest.json").write_text(damaged)
    assert not package(adapter, "trainval", store, out, workers=1).reused
    assert json.loads((tmp_path / "s.zip.manifest.json").read_text()) == whole.manifest


def test_another_programs_file_is_not_replaced(world: Path, store: PredictionStore, tmp_path: Path) -> None:
    adapter, out = get_adapter("kitti", world), tmp_path / "thesis.zip"
    out.write_bytes(b"years of work")
    with pytest.raises(InputError, match=r"thesis\.zip: found a file that robsub did not write"):
        package(adapter, "trainval", store, out, workers=1)
    assert out.read_bytes() == b"years of work"
    assert package(adapter, "trainval", store, out, overwrite=True, workers=1).report.ok


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    photo(tmp_path / "kitti/testing/image_2/000000\udcff_10.png")
    adapter = get_adapter("kitti", tmp_path)
    with PredictionWriter(tmp_path / "store", "all", {"dataset": "kitti", "split": "test"}):
        pass
    with pytest.raises(InputError, match="a name with bytes that are no text"):
        package(adapter, "test", PredictionStore(tmp_path / "store"), tmp_path / "s.zip", allow_missing=True, workers=1)


def test_another_edition_is_another_archive(world: Path, tmp_path: Path) -> None:
    store = PredictionStore(write_ground_truth_store(world, "scannet", "val", tmp_path / "scannet"))
    for profile in (ScanNet, ScanNetRob2018):
        made = package(profile(world / "scannet"), "val", store, tmp_path / "s.zip", allow_missing=True, workers=1)
        assert (made.reused, made.report.ok) == (False, True)


def test_predictions_of_another_split_are_refused_though_its_frames_have_the_same_names(
    world: Path, store: PredictionStore, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"manifest\.json: found predictions of split 'trainval', expected .* 'test'"):
        package(get_adapter("kitti", world), "test", store, tmp_path / "s.zip", allow_missing=True)
    assert not (tmp_path / "s.zip").exists()


def test_what_the_store_has_to_say_is_told(world: Path, store: PredictionStore, tmp_path: Path) -> None:
    shard = next(store.path.glob("*.jsonl"))
    shard.write_bytes(shard.read_bytes() + shard.read_bytes().splitlines(keepends=True)[0])
    text = package(get_adapter("kitti", world), "trainval", PredictionStore(store.path), tmp_path / "s.zip").text()
    assert "Note: 1 lines count nothing, for a later line is of the same image: 1 images, first 000000_10." in text


def test_size_and_number_of_files_are_told(world: Path, store: PredictionStore, tmp_path: Path) -> None:
    text = package(get_adapter("kitti", world), "trainval", store, tmp_path / "s.zip", workers=1).text()
    assert re.search(r"\d files \(a plain zip holds 65,535\), .* MB \(the server is said to take 500\)$", text)


def test_more_than_kittis_form_takes_is_a_warning(
    world: Path, store: PredictionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Kitti, "submission", replace(KITTI_LAYOUT, zip_limit_mb=0))
    report = package(get_adapter("kitti", world), "trainval", store, tmp_path / "s.zip", workers=1).report
    assert report.ok and report.counts["archive-size"] == 1


def test_a_class_that_the_benchmark_lacks_stops_before_anything_is_written(
    world: Path, store: PredictionStore, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="Did you mean 'car'"):
        package(
            get_adapter("kitti", world),
            "trainval",
            store,
            tmp_path / "s.zip",
            selection=Selection(classes=frozenset({"cars"})),
        )
    assert not (tmp_path / "s.zip").exists()


def write_imperfect_store(adapter: DatasetAdapter, path: Path) -> PredictionStore:
    """Every object of ``val`` several times over, shifted by some pixels, under its own class or another."""
    random = np.random.default_rng(3)
    names = [label.name for label in adapter.labels.evaluated]
    with PredictionWriter(path, "all", {"dataset": adapter.name, "split": "val"}) as writer:
        for frame in adapter.frames("val"):
            truth = adapter.ground_truth(frame)
            found = []
            for segment in (s for s in truth.instances if s.label.evaluated):
                for shift in (0, 1, 3):
                    mask = rle.encode(np.roll(rle.decode(segment.rle), shift, axis=(0, 1)))
                    name = segment.label.name if random.random() < 0.8 else str(random.choice(names))
                    found.append(Prediction(name, float(random.random()), rle.box(mask), mask))
            writer.add(frame.name, truth.size, found)
    return PredictionStore(path)


@pytest.mark.parametrize("one_bit", [False, True])
def test_the_official_code_reads_the_archive_and_finds_the_same_ap(world: Path, tmp_path: Path, one_bit: bool) -> None:
    pytest.importorskip(MODULE)
    official = load_official()
    adapter = get_adapter("cityscapes", world)
    store = write_imperfect_store(adapter, tmp_path / "store")
    package(adapter, "val", store, tmp_path / "s.zip", one_bit=one_bit, workers=1)
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        archive.extractall(tmp_path / "native")
    truths = [str(frame.ground_truth) for frame in adapter.frames("val")]
    args = copy.copy(official.args)
    args.quiet, args.distanceAvailable, args.predictionPath = True, False, str(tmp_path / "native")
    args.predictionWalk = None
    official.setInstanceLabels(args)
    texts = [official.getPrediction(truth, args) for truth in truths]
    matches = official.matchGtWithPreds(texts, truths, official.instances2dict(truths), args)
    theirs = official.computeAverages(official.evaluateMatches(matches, args), args)
    ours = evaluate(adapter, "val", store, workers=1)
    assert 0 < theirs["allAp"] < 1
    assert ours.metrics["AP"] == pytest.approx(theirs["allAp"], abs=1e-12)
    assert ours.metrics["AP50"] == pytest.approx(theirs["allAp50%"], abs=1e-12)


@pytest.mark.parametrize(
    "profile", [adapter for name in BENCHMARKS for adapter in ADAPTERS[name].all_profiles()], ids=lambda a: a.title
)
def test_the_sample_is_sound(profile: type[DatasetAdapter], tmp_path: Path) -> None:
    report = write_sample(profile(tmp_path / "nowhere"), tmp_path / "sample.zip")
    assert report.ok and not report.counts, report.text()
    assert (report.frames, report.predictions) == (2, len(profile.labels.evaluated))
    before = (tmp_path / "sample.zip").read_bytes()
    write_sample(profile(tmp_path), tmp_path / "sample.zip")
    assert (tmp_path / "sample.zip").read_bytes() == before


@pytest.mark.parametrize(
    ("written", "judged", "code"),
    [(ScanNet, ScanNetRob2018, "label-nyu-ids"), (ScanNetRob2018, ScanNet, "label-rob-ids")],
)
def test_the_other_edition_of_scannet_is_named(
    written: type[ScanNet], judged: type[ScanNet], code: str, tmp_path: Path
) -> None:
    write_sample(written(tmp_path), tmp_path / "sample.zip")
    adapter = judged(tmp_path)
    assert adapter.submission is not None
    frames = dict.fromkeys(FRAMES["scannet"].names, FRAMES["scannet"].size)
    report = verify_submission(tmp_path / "sample.zip", adapter.submission, adapter.labels, frames)
    assert set(report.counts) == {"list-place", code}, report.text()
    assert not report.ok


def make_wilddash2(root: Path) -> WildDash2:
    """Two test photos of WildDash 2."""
    folder = root / "wd_both_02" / "images"
    folder.mkdir(parents=True)
    (root / "frames_expected.json").write_text('{"test": 2}')
    for name in ("aa0000", "aa0001"):
        Image.new("RGB", (40, 30)).save(folder / f"{name}_100000.jpg")
    return WildDash2(root)


def write_wilddash2_store(adapter: WildDash2, path: Path) -> PredictionStore:
    """A pickup and a surer ego vehicle in the first test frame, nothing in the other."""
    masks = [rle.from_runs([5, length, 40 * 30 - 5 - length], (30, 40)) for length in (10, 50)]
    first, second = adapter.frames("test")
    with PredictionWriter(path, "all", {"dataset": "wilddash", "split": "test"}) as writer:
        found = zip(("pickup", "ego vehicle"), (0.5, 0.75), masks, strict=True)
        writer.add(first.name, (30, 40), [Prediction(name, s, (0, 0, 9, 9), mask) for name, s, mask in found])
        writer.add(second.name, (30, 40), [])
    return PredictionStore(path)


def test_wilddash_2_takes_coco_results(tmp_path: Path) -> None:
    adapter = make_wilddash2(tmp_path / "wilddash")
    store = write_wilddash2_store(adapter, tmp_path / "store")
    for name in ("a.zip", "b.zip", "bare.json"):
        done = package(adapter, "test", store, tmp_path / name, form="coco", workers=1)
        assert done.report.ok and not done.report.counts, done.report.text()
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        (member,) = archive.infolist()
        data = archive.read(member)
    assert (member.filename, member.compress_type, member.date_time) == (
        "wilddash_results.json", zipfile.ZIP_DEFLATED, (1980, 1, 1, 0, 0, 0)
    )  # fmt: skip
    assert (tmp_path / "bare.json").read_bytes() == data
    items = json.loads(data)
    assert [(d["image_id"], d["category_id"], d["score"]) for d in items] == [
        ("aa0000_100000", 1, 0.75), ("aa0000_100000", 34, 0.5),
    ]  # fmt: skip
    assert items[1]["bbox"] == [0, 5, 1, 10] and items[1]["segmentation"]["size"] == [30, 40]
    manifest = json.loads((tmp_path / "a.zip.manifest.json").read_text())
    assert manifest["contents"]["frames_without_objects"] == 1
    for name in ("a.zip", "bare.json"):
        source = open_predictions(tmp_path / name, adapter, "test")
        found = source.predictions("aa0000_100000", (30, 40)) or []
        assert [(p.label, p.score) for p in found] == [("ego vehicle", 0.75), ("pickup", 0.5)]


def test_a_list_of_the_server_replaces_the_ids(tmp_path: Path) -> None:
    adapter = make_wilddash2(tmp_path / "wilddash")
    store, listed = write_wilddash2_store(adapter, tmp_path / "store"), tmp_path / "list.json"
    images = [{"id": 50 + i, "file_name": frame.image.name} for i, frame in enumerate(adapter.frames("test"))]
    categories = [{"id": 500 + label.id, "name": label.name} for label in adapter.labels.evaluated]
    listed.write_text(json.dumps({"images": images, "categories": categories}))
    (tmp_path / "s.json.images.json").write_text("{}")
    done = package(adapter, "test", store, tmp_path / "s.json", form="coco", image_list=listed, workers=1)
    assert not (tmp_path / "s.json.images.json").exists()
    assert not done.report.counts, done.report.text()
    items = json.loads((tmp_path / "s.json").read_text())
    assert [(item["image_id"], item["category_id"]) for item in items] == [(50, 501), (50, 534)]
    assert {"image-unknown", "label-unknown"} <= verify(adapter, tmp_path / "s.json", "test").counts.keys()


def test_only_wilddash_2_takes_coco_results(world: Path, store: PredictionStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="KITTI: found a benchmark that takes no COCO results"):
        package(get_adapter("kitti", world), "trainval", store, tmp_path / "s.zip", form="coco")


def test_wilddash_2_gets_its_own_names_in_both_forms(tmp_path: Path) -> None:
    adapter = make_wilddash2(tmp_path / "wilddash")
    mask = rle.from_runs([5, 10, 40 * 30 - 15], (30, 40))
    found = [
        Prediction(name, 0.5, rle.box(mask), mask) for name in ("train", "on rails", "pickup", "car", "ego vehicle")
    ]
    with PredictionWriter(tmp_path / "store", "all", {"dataset": "wilddash", "split": "test"}) as writer:
        for frame in adapter.frames("test"):
            writer.add(frame.name, (30, 40), found)
    store = PredictionStore(tmp_path / "store")
    package(adapter, "test", store, tmp_path / "s.zip", workers=1)
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        lines = archive.read("pred_list/aa0000_100000.txt").decode().splitlines()
    assert [line.split(" ")[1] for line in lines] == ["031", "031", "034", "026", "001"]

    images = [{"id": 50 + i, "file_name": frame.image.name} for i, frame in enumerate(adapter.frames("test"))]
    categories = [{"id": 500 + label.id, "name": label.name} for label in adapter.labels.evaluated]
    (tmp_path / "list.json").write_text(json.dumps({"images": images, "categories": categories}))
    convert(adapter, "test", store, "coco", tmp_path / "r.json", annotations=tmp_path / "list.json")
    results = json.loads((tmp_path / "r.json").read_text())
    assert [(item["image_id"], item["category_id"]) for item in results] == [
        (image, category) for image in (50, 51) for category in (531, 531, 534, 526, 501)
    ]
    assert all({"bbox", "score", "segmentation"} <= item.keys() for item in results)

    done = convert(adapter, "test", store, "devkit", tmp_path / "devkit")
    assert done.predictions == 8 and done.homeless == {"ego vehicle": 2}
    lists = devkit_folder(tmp_path / "devkit", "robsub") / "pred_list"
    ids = [line.split(" ")[1] for line in (lists / "WildDash_aa0000_100000.txt").read_text().splitlines()]
    assert ids == ["031", "031", "027", "026"]
