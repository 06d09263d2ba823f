"""Evaluation from the command's side: every kind of input gives the official numbers, and strange input is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset_adapters import rle
from dataset_adapters.annotations.distances import DistanceFormula
from dataset_adapters.base import Split
from dataset_adapters.coco import Coco
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.options import Options
from dataset_adapters.problems import InputError
from dataset_adapters.registry import get_adapter
from evaluators.protocol import PROTOCOLS
from robsub.evaluate import evaluate, evaluate_many, merge, open_predictions, part_of, protocol_of, read_part
from robsub.self_test import PerfectPredictions, self_test
from robsub.table import results_table
from tests.dataset_adapters.layouts import photo, write_json

from .inputs import Changed, adapter_of, as_coco, every_fixture, native, stored, zipped


@every_fixture
@pytest.mark.parametrize("kind", ["directory", "zip", "store", "coco"])
def test_official_numbers_from_every_kind_of_input(
    shared: Path, tmp_path: Path, benchmark: str, split: Split, kind: str
) -> None:
    make: dict[str, Callable[[], Path]] = {
        "directory": lambda: shared / "fixtures" / benchmark / "submission",
        "zip": lambda: zipped(shared, benchmark, tmp_path),
        "store": lambda: stored(shared, benchmark, split, tmp_path),
        "coco": lambda: as_coco(shared, benchmark, split, tmp_path),
    }
    root = shared / "fixtures" / benchmark / "dataset"
    (result,) = evaluate_many([benchmark], split, root, make[kind](), workers=1)
    expected = json.loads((shared / "fixtures" / benchmark / "expected.json").read_text())
    classes = expected.pop("classes")
    assert {name: result.metrics[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    for name, values in classes.items():
        assert {metric: result.classes[name][metric] for metric in values} == pytest.approx(values, abs=1e-9)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_any_protocol_on_any_data_set_gives_a_number_that_says_so(shared: Path, protocol: str) -> None:
    result = evaluate(
        adapter_of(shared, "kitti"), "trainval", native(shared, "kitti"), protocol=protocol, workers=1
    )  # fmt: skip
    assert result.protocol == protocol
    assert f"protocol {protocol}," in result.text()
    assert 0 < (result.metrics["AP"] or 0) < 1


def test_protocols_differ_on_the_same_masks(shared: Path) -> None:
    numbers = {
        evaluate(adapter_of(shared, "kitti"), "trainval", native(shared, "kitti"), protocol=name).metrics["AP"]
        for name in ("kitti", "cityscapes", "coco")
    }
    assert len(numbers) == 3


def test_corrected_is_labelled_everywhere(shared: Path) -> None:
    result = evaluate(adapter_of(shared, "kitti"), "trainval", native(shared, "kitti"), corrected=True)
    official = evaluate(adapter_of(shared, "kitti"), "trainval", native(shared, "kitti"))
    assert result.metrics["AP"] != official.metrics["AP"]
    for text in (result.text(), result.to_csv(), result.to_markdown(), result.to_latex(), json.dumps(result.to_json())):
        assert "kitti-corrected" in text
    assert any(note.startswith("Corrected protocol, not the server's") for note in result.notes)


def test_ap25_is_marked_as_unofficial(shared: Path) -> None:
    result = evaluate(adapter_of(shared, "scannet"), "val", native(shared, "scannet"))
    assert (result.metrics["AP25"] or 0) >= (result.metrics["AP50"] or 1)
    note = "AP25* is no number of the benchmark's own 2D program; a prediction finds one object at most, as in 3D."
    assert note in result.notes


def test_training_data_is_evaluated_by_coco_under_the_joint_names(shared: Path) -> None:
    adapter = get_adapter("ade20k", shared / "realdata" / "none")
    assert protocol_of(adapter).name == "coco"
    root = next((shared / "realdata" / "ade20k").rglob("ADE20K_2021_17_01"), None)
    if root is None:
        pytest.skip("no ADE20K here")
    adapter = type(adapter)(root.parent)
    split: Split = next(s for s in ("val", "train") if adapter.list_frames(s))
    test = self_test(adapter, split)
    assert test.ok, test.text()
    assert (test.result.classes["car"]["AP"], test.result.protocol) == (1.0, "coco")
    assert "minibike" not in test.result.classes


def test_unknown_protocol_is_refused(shared: Path) -> None:
    with pytest.raises(InputError, match="panoptic: found an unknown protocol"):
        protocol_of(adapter_of(shared, "kitti"), "panoptic")


def test_missing_images_are_counted_and_unknown_ones_named(shared: Path) -> None:
    adapter = adapter_of(shared, "kitti")
    source = Changed(native(shared, "kitti"), lambda p: p, lost=2, others=("999999_10",))
    total = len(adapter.frames("trainval"))
    with pytest.raises(
        InputError, match=rf"found none for 2 of {total} images, .*, but some for 1 unknown images, first 999999"
    ):
        evaluate(adapter, "trainval", source)
    result = evaluate(adapter, "trainval", source, allow_missing=True)
    assert result.images_missing == 2
    assert f"images {total} of" in result.table() and ", 2 of them without predictions" in result.table()
    assert "7 predictions for 1 images that are not of this split count nothing, first 999999_10." in result.notes


def test_split_without_ground_truth_points_to_verify(world: Path) -> None:
    with pytest.raises(InputError, match=r"no public ground truth.*robsub verify --benchmark kitti --split test"):
        next(evaluate_many(["kitti"], "test", world, Path("nowhere")))


def test_any_number_of_workers_gives_the_same(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataset_adapters.processes.TRIAL_S", 0)
    monkeypatch.setattr("dataset_adapters.processes.START_S", 0)
    adapter = get_adapter("kitti", world)
    source = PerfectPredictions(adapter, adapter.frames("trainval")[1:], PROTOCOLS["kitti"])
    one, two = (
        json.dumps(evaluate(adapter, "trainval", source, workers=n, allow_missing=True).to_json()) for n in (1, 2)
    )
    assert one == two


def test_a_killed_run_goes_on_where_it_was(shared: Path, tmp_path: Path) -> None:
    adapter, path = adapter_of(shared, "kitti"), tmp_path / "kitti.matches"
    whole = evaluate(adapter, "trainval", native(shared, "kitti"), matches=path, workers=1)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]) + lines[4][:50])
    touched: list[str] = []

    class Watched(Changed):
        def predictions(self, frame: str, size: tuple[int, int]) -> list[Prediction] | None:
            touched.append(frame)
            return super().predictions(frame, size)

    source = Watched(native(shared, "kitti"), lambda p: p)
    source.path = shared / "fixtures" / "kitti" / "submission"  # type: ignore[attr-defined]
    again = evaluate(adapter, "trainval", source, matches=path, workers=1)
    assert json.dumps(again.to_json()) == json.dumps(whole.to_json())
    assert len(touched) == len(lines) - 4
    assert path.read_bytes() == b"".join(lines)


def test_a_run_does_not_go_on_with_other_predictions_or_rules(shared: Path, tmp_path: Path) -> None:
    adapter, path = adapter_of(shared, "kitti"), tmp_path / "kitti.matches"
    evaluate(adapter, "trainval", native(shared, "kitti"), matches=path)
    with pytest.raises(InputError, match="found matches of predictions"):
        evaluate(adapter, "trainval", Changed(native(shared, "kitti"), lambda p: p), matches=path)
    with pytest.raises(InputError, match="found matches of protocol kitti and coco"):
        evaluate(adapter, "trainval", native(shared, "kitti"), matches=path, protocol="coco")


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04 an archive\n\xff\xfe no end", b"one line", b'{"metrics": {"AP": 1}}\n']
)
def test_a_file_that_holds_no_matches_is_left_as_it_was(shared: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "precious"
    path.write_bytes(content)
    with pytest.raises(InputError, match="found no matches"):
        evaluate(adapter_of(shared, "kitti"), "trainval", native(shared, "kitti"), matches=path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("length", [0, 5, 19, 200])
def test_a_run_killed_at_its_first_line_starts_anew(shared: Path, tmp_path: Path, length: int) -> None:
    adapter, path = adapter_of(shared, "kitti"), tmp_path / "kitti.matches"
    evaluate(adapter, "trainval", native(shared, "kitti"), matches=path, workers=1)
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    evaluate(adapter, "trainval", native(shared, "kitti"), matches=path, workers=1)
    assert path.read_bytes() == whole


def test_a_run_does_not_go_on_with_other_ground_truth_of_the_same_size(shared: Path, tmp_path: Path) -> None:
    copies = [shutil.copytree(shared / "fixtures" / "cityscapes" / "dataset", tmp_path / name) for name in "ab"]
    stereo = next(copies[1].rglob("*_disparity.png"))
    adapters = [get_adapter("cityscapes", copy) for copy in copies]
    path, source = tmp_path / "c.matches", native(shared, "cityscapes")
    first = evaluate(adapters[0], "val", source, matches=path, workers=1)
    again = evaluate(adapters[1], "val", source, matches=path, workers=1)  # of another folder and time, but the same
    assert json.dumps(again.to_json()) == json.dumps(first.to_json())
    data = bytearray(stereo.read_bytes())
    data[-20] ^= 1
    stereo.write_bytes(data)
    with pytest.raises(InputError, match="found matches of ground_truth"):
        evaluate(adapters[1], "val", source, matches=path, workers=1)


def test_parts_merge_to_the_whole(shared: Path, tmp_path: Path) -> None:
    adapter = adapter_of(shared, "cityscapes")
    paths = [tmp_path / f"{k}.matches" for k in (1, 2, 3)]
    for k, path in enumerate(paths, start=1):
        evaluate(adapter, "val", native(shared, "cityscapes"), matches=path, part=(k, 3), workers=1)
    whole = evaluate(adapter, "val", native(shared, "cityscapes"), resamples=20)
    merged = merge(paths[::-1], resamples=20)
    assert merged.metrics == whole.metrics and merged.classes == whole.classes
    assert merged.intervals == whole.intervals and merged.errors == whole.errors
    assert merged.images == whole.images
    assert merged.provenance == whole.provenance
    with pytest.raises(InputError, match="images that another file holds too"):
        merge([paths[0], paths[0]])


def test_notes_of_choices_and_frame_sets_survive_a_merge(world: Path, tmp_path: Path) -> None:
    table = tmp_path / "frame_sets.csv"
    table.write_text("\n".join((world / "wilddash/frame_sets.csv").read_text().splitlines()[:2]))
    ray = Options(distance=DistanceFormula(measure="ray"))
    for name, options in (("wilddash", Options(frame_sets=table)), ("cityscapes", ray)):
        adapter, paths = get_adapter(name, world, options), [tmp_path / f"{name}{k}" for k in (1, 2)]
        perfect = PerfectPredictions(adapter, adapter.frames("val"), PROTOCOLS[name])
        whole = evaluate(adapter, "val", perfect, workers=1)
        for k, path in enumerate(paths, start=1):
            evaluate(adapter, "val", perfect, workers=1, matches=path, part=(k, 2))
        told = [note for note in merge(paths).notes if not note.startswith("Merged")]
        assert told == list(whole.notes)
        assert any("in no frame set" in note or "distance is not the default" in note for note in told)


def test_parts_of_other_predictions_merge_with_a_note(shared: Path, tmp_path: Path) -> None:
    adapter, paths = adapter_of(shared, "kitti"), [tmp_path / "1", tmp_path / "2"]
    sources = (native(shared, "kitti"), Changed(native(shared, "kitti"), lambda p: p))
    for k, (path, source) in enumerate(zip(paths, sources, strict=True), start=1):
        evaluate(adapter, "trainval", source, matches=path, part=(k, 2), workers=1)
    assert "The merged parts are of 2 different predictions." in merge(paths).notes


def test_the_profile_is_part_of_the_provenance(world: Path, shared: Path) -> None:
    adapter = get_adapter("wilddash", world)
    perfect = PerfectPredictions(adapter, adapter.frames("val"), PROTOCOLS["wilddash"])
    assert evaluate(adapter, "val", perfect, workers=1).provenance["profile"] == "v1"
    assert "profile" not in evaluate(adapter_of(shared, "kitti"), "trainval", native(shared, "kitti")).provenance


def test_matches_of_several_data_sets_go_to_a_folder(world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    names = ("kitti", "wilddash")
    for name in names:
        adapter = get_adapter(name, world)
        source = PerfectPredictions(adapter, adapter.frames("val"), PROTOCOLS[name])
        evaluate(adapter, "val", source, matches=f"{folder}/", workers=1)
    assert sorted(path.name for path in folder.iterdir()) == ["kitti-val.matches", "wilddash-val.matches"]
    with pytest.raises(InputError, match=r"one\.matches: found one file for several data sets"):
        next(evaluate_many(names, "val", world, tmp_path / "nowhere", matches=tmp_path / "one.matches"))


def test_a_part_is_k_of_n(shared: Path) -> None:
    frames = adapter_of(shared, "kitti").frames("trainval")
    parts = [part_of(frames, read_part(f"{k}/3")) for k in (1, 2, 3)]
    assert sorted((frame for part in parts for frame in part), key=lambda frame: frame.name) == frames
    for text in ("0/3", "4/3", "1", "a/b", "1/0"):
        with pytest.raises(InputError, match=f"--part {text}"):
            part_of(frames, read_part(text))


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda text: "hello\n", r":1: found no matches"),
        (lambda text: text.replace('"rules": "', '"rules": "0'), "rules of kitti that this version does not have"),
        (lambda text: text.replace('"classes": "', '"classes": "AAAA', 1), r":2: found no matches"),
    ],
)
def test_damaged_matches_are_refused(shared: Path, tmp_path: Path, damage: Callable[[str], str], found: str) -> None:
    path = tmp_path / "kitti.matches"
    evaluate(adapter_of(shared, "kitti"), "trainval", native(shared, "kitti"), matches=path)
    path.write_text(damage(path.read_text()))
    with pytest.raises(InputError, match=found):
        merge([path])


@every_fixture
def test_self_test_passes_under_the_own_protocol(shared: Path, benchmark: str, split: Split) -> None:
    test = self_test(adapter_of(shared, benchmark), split, workers=1)
    assert test.ok, test.text()
    assert test.result.metrics["AP"] == pytest.approx(1)
    assert "Self-test passed" in test.text()
    note = "The source of the predictions is not the default: the ground truth itself (--self-test)"
    assert f"{note}." in test.result.notes and note in results_table([test.result], "markdown")


def test_provenance_names_versions_and_digests(shared: Path, tmp_path: Path) -> None:
    copy = tmp_path / "submission"
    shutil.copytree(shared / "fixtures" / "kitti" / "submission", copy)
    adapter = adapter_of(shared, "kitti")
    first = evaluate(adapter, "trainval", open_predictions(copy, adapter)).provenance
    assert {"robsub", "numpy", "pycocotools", "python"} <= first.keys()
    mask = next(copy.rglob("*.png"))
    mask.write_bytes(mask.read_bytes() + b" ")
    second = evaluate(adapter, "trainval", open_predictions(copy, adapter)).provenance
    assert first["predictions_sha256"] != second["predictions_sha256"]
    assert first["ground_truth_sha256"] == second["ground_truth_sha256"]


def test_images_in_no_frame_set_are_noted(world: Path, tmp_path: Path) -> None:
    table = (world / "wilddash/frame_sets.csv").read_text().splitlines()
    adapter = get_adapter("wilddash", world)
    first = adapter.frames("val")[0].name
    shorter = tmp_path / "frame_sets.csv"
    shorter.write_text("\n".join(line for line in table if not line.startswith(first)))
    note = f"1 of 2 images are in no frame set, first {first}."
    for options, told in ((Options(), []), (Options(frame_sets=shorter), [note])):
        adapter = get_adapter("wilddash", world, options)
        perfect = PerfectPredictions(adapter, adapter.frames("val"), PROTOCOLS["wilddash"])
        result = evaluate(adapter, "val", perfect, workers=1)
        assert [note for note in result.notes if "in no frame set" in note] == told


def coco_files(root: Path) -> Path:
    """Two photos of one car each; results that name them by id."""
    mask = {"size": [6, 8], "counts": rle.from_runs([1, 20, 27], (6, 8))["counts"].decode()}
    for split, numbers in (("train", (1,)), ("val", (2, 3))):
        images = [{"id": n, "file_name": f"{n:012}.jpg", "height": 6, "width": 8} for n in numbers]
        objects = [{"id": n, "image_id": n, "category_id": 3, "iscrowd": 0, "segmentation": mask} for n in numbers]
        write_json(root / f"coco/annotations/instances_{split}2017.json", {"images": images, "annotations": objects})
        for image in images:
            photo(root / f"coco/{split}2017/{image['file_name']}")
    results = [{"image_id": n, "category_id": 3, "score": 0.5, "segmentation": mask} for n in (1, 2, 3)]
    (root / "results.json").write_text(json.dumps(results))
    return root / "results.json"


def test_coco_results_of_trainval_are_read(tmp_path: Path) -> None:
    results = coco_files(tmp_path)
    adapter = get_adapter("coco", tmp_path)
    result = evaluate(adapter, "trainval", open_predictions(results, adapter, "trainval"), workers=1)
    assert (result.images, result.metrics["AP"]) == (3, 1.0)


def test_a_run_does_not_go_on_with_other_annotations_of_the_ids(tmp_path: Path) -> None:
    results = coco_files(tmp_path)
    adapter, matches = get_adapter("coco", tmp_path), tmp_path / "m"
    names = {2: "000000000002.jpg", 3: "000000000003.jpg"}
    lists = [names, {2: names[3], 3: names[2]}]
    for number, images in enumerate(lists):
        listed = [{"id": i, "file_name": name} for i, name in images.items()]
        (tmp_path / f"{number}.json").write_text(json.dumps({"images": [*listed, {"id": 1, "file_name": "other"}]}))
    first, second = (open_predictions(results, adapter, "val", tmp_path / f"{n}.json") for n in (0, 1))
    evaluate(adapter, "val", first, matches=matches, workers=1)
    with pytest.raises(InputError, match="found matches of predictions"):
        evaluate(adapter, "val", second, matches=matches, workers=1)


def test_a_frame_of_two_photos_is_refused_before_the_work(tmp_path: Path) -> None:
    results = coco_files(tmp_path)
    file = tmp_path / "coco/annotations/instances_train2017.json"
    file.write_text(file.read_text().replace(f"{1:012}", f"{2:012}"))
    adapter = get_adapter("coco", tmp_path)
    with pytest.raises(InputError, match=f"frame {2:012} a second time, at .*/val2017/{2:012}.jpg"):
        evaluate(adapter, "trainval", open_predictions(results, adapter, "val"), workers=1)


def test_nothing_is_no_passed_self_test(tmp_path: Path) -> None:
    coco_files(tmp_path)
    file = tmp_path / "coco/annotations/instances_val2017.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"annotations": []}))
    test = self_test(get_adapter("coco", tmp_path), "val", workers=1)
    assert not test.ok
    assert "no image has an object to be found, so nothing was tested" in test.text()


def test_cocos_protocol_has_no_corrected_form(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Leave out --corrected"):
        protocol_of(Coco(tmp_path), fixed=True)


def test_parts_of_other_versions_merge_with_a_note(shared: Path, tmp_path: Path) -> None:
    adapter, paths = adapter_of(shared, "kitti"), [tmp_path / "1", tmp_path / "2"]
    for number, path in enumerate(paths, start=1):
        evaluate(adapter, "trainval", native(shared, "kitti"), matches=path, part=(number, 2), workers=1)
    lines = paths[1].read_text().splitlines(keepends=True)
    head = json.loads(lines[0])
    head["provenance"]["numpy"] = "1.0"
    paths[1].write_text("".join([json.dumps(head) + "\n", *lines[1:]]))
    one, other = merge(paths), merge(paths[::-1])
    assert one.provenance["numpy"] == other.provenance["numpy"] == f"1.0, {np.__version__}"
    assert f"The merged parts were made with different versions of numpy: 1.0, {np.__version__}." in one.notes
