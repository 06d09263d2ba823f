"""The verbs as a user types them, over a small made world: the whole path, and what each says of wrong input."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from cli import main
from dataset_adapters import rle
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.images import image_size
from dataset_adapters.registry import BENCHMARKS, get_adapter
from robsub.predictions import PredictionStore, PredictionWriter
from tests.commands import refusal, robsub, run
from tests.stores import write_ground_truth_store

TINY = ("train.iterations=2", "train.batch_size=2", "train.workers=0", "train.log_every=1", "train.checkpoint_every=1")


@pytest.fixture(scope="module")
def home(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with ``datasets/``, its settings and a trained run."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "datasets").symlink_to(world)
    (folder / "robsub.toml").write_text('data_root = "datasets"\n[train]\nrecipe = "demo"\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run("train", *(word for setting in TINY for word in ("-o", setting)))
    return folder


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as the working directory."""
    monkeypatch.chdir(home)
    return home


def test_the_four_bare_commands_work_in_a_folder_with_data_sets(here: Path) -> None:
    assert "trained for 2 iterations on 24 images" in run("train", *(w for s in TINY for w in ("-o", s)))
    assert "2 images of kitti test, 2 of them new" in run("predict", "--dataset", "kitti")
    assert "0 of them new" in run("predict", "--benchmark", "kitti")
    run("predict", "--dataset", "cityscapes")
    assert "No error found" in run("package", "--benchmark", "cityscapes")
    assert "was already there" in run("package", "--dataset", "cityscapes")
    for name in BENCHMARKS:
        run("predict", "--dataset", name, "--split", "val")
    printed = run("evaluate", "--json", "results/", "--workers", "1")
    assert all(f"{name} val, protocol {name}" in printed for name in BENCHMARKS)
    table = run("table", *sorted(Path("results").glob("*.json")))
    assert [row.split("|")[1].strip() for row in table.splitlines()[2:10:2]] == (
        ["KITTI", "Cityscapes", "WildDash", "ScanNet"]
    )
    assert "16.4" in table


@pytest.mark.parametrize("name", BENCHMARKS)
def test_ground_truth_as_prediction_scores_1_through_store_and_archive(name: str, world: Path, tmp_path: Path) -> None:
    store = write_ground_truth_store(world, name, "val", tmp_path / "store")
    options = ("--benchmark", name, "--split", "val", "--data-root", world)
    run("package", *options, "--predictions", store, "--out", tmp_path / "val.zip")
    with zipfile.ZipFile(tmp_path / "val.zip") as archive:
        archive.extractall(tmp_path / "native")
    for predictions in (store, tmp_path / "val.zip", tmp_path / "native"):
        run("evaluate", *options, "--predictions", predictions, "--json", tmp_path / "r.json", "--workers", "1")
        result = json.loads((tmp_path / "r.json").read_text())
        assert result["metrics"]["AP"] == result["metrics"]["AP50"] == 1.0
        assert result["images"] == result["images_expected"] == 2
        assert {v["AP"] for v in result["classes"].values()} <= {1.0, None}


def test_another_reading_of_distances_is_told_and_not_mixed_with_the_default(world: Path, tmp_path: Path) -> None:
    store = write_ground_truth_store(world, "cityscapes", "val", tmp_path / "store")
    command = ("evaluate", "--dataset", "cityscapes", "--data-root", world, "--predictions", store, "--workers", "1")
    command += ("--json", tmp_path / "r.json", "--matches", tmp_path / "m")
    ray = ("--distance", "measure=ray", "--distance", "zero_disparity=invalid")
    run(*command)
    default = json.loads((tmp_path / "r.json").read_text())
    assert default["provenance"]["distance"] == "median_of=depth measure=depth zero_disparity=infinite"
    assert not any("distance is" in note for note in default.get("notes", ()))
    assert "matches of ground_truth" in refusal(*command, *ray)
    (tmp_path / "m").unlink()
    run(*command, *ray)
    other = json.loads((tmp_path / "r.json").read_text())
    assert other["provenance"]["distance"] == "median_of=depth measure=ray zero_disparity=invalid"
    assert f"The distance is not the default: {other['provenance']['distance']}." in other["notes"]
    assert "'measure=far' is none of median_of=depth" in refusal(*command, "--distance", "measure=far")


@pytest.mark.parametrize(("choice", "told"), [
    ("kitti=v2", "kitti has only one edition"), ("scannet=v3", "scannet has the profiles v2, rob2018"),
    ("kitti", "'kitti' is not like scannet=rob2018"),
])  # fmt: skip
def test_a_profile_that_does_not_exist_is_refused_by_every_command(here: Path, choice: str, told: str) -> None:
    assert told in refusal("datasets", "--profile", choice)


def test_labels_are_written_where_they_are_asked_for(here: Path, tmp_path: Path) -> None:
    command = ("datasets", "--workers", "1", "--json", tmp_path / "d.json")
    run(*command)
    assert json.loads((tmp_path / "d.json").read_text()).keys() == {"datasets"}
    run(*command, "--labels")
    labels = json.loads((tmp_path / "d.json").read_text())["labels"]
    assert {"id": 26, "name": "car", "training": "car"} in labels["kitti"]


def test_a_missing_table_of_frame_sets_is_refused_even_where_nothing_needs_it(tmp_path: Path) -> None:
    assert "none.csv" in refusal("datasets", "--data-root", tmp_path, "--frame-sets", tmp_path / "none.csv")


def test_an_archive_that_was_damaged_since_is_written_again(world: Path, tmp_path: Path) -> None:
    store = write_ground_truth_store(world, "kitti", "val", tmp_path / "store")
    archive = tmp_path / "a.zip"
    command = ("package", "--benchmark", "kitti", "--split", "val", "--data-root", world)
    command += ("--predictions", store, "--out", archive)
    assert "was already there" not in run(*command)
    whole = archive.read_bytes()
    assert "was already there" in run(*command)
    archive.write_bytes(whole[:-40])
    assert "was already there" not in run(*command)
    assert archive.read_bytes() == whole


@pytest.mark.parametrize("name", BENCHMARKS)
def test_conversions_there_and_back_lose_nothing(name: str, world: Path, tmp_path: Path) -> None:
    store = write_ground_truth_store(world, name, "val", tmp_path / "store")
    data = ("--data-root", world)
    run("convert", *data, "--to", "coco", store, tmp_path / "results.json")
    run("convert", *data, "--dataset", name, "--from", "coco", tmp_path / "results.json", "--out", tmp_path / "back")
    adapter = get_adapter(name, world)
    objects = 0
    for frame in adapter.frames("val"):
        size = adapter.ground_truth(frame).size
        ours, theirs = (PredictionStore(p).predictions(frame.name, size) for p in (store, tmp_path / "back"))
        assert ours == theirs
        objects += len(ours or ())
    assert objects > 0
    assert "do not say their data set" in refusal("convert", *data, tmp_path / "results.json")


def test_the_next_command_can_be_typed(world: Path, tmp_path: Path) -> None:
    def then(*arguments: str | Path, code: int = 0) -> str:
        """The last line that a command prints, with short paths."""
        result = robsub(*arguments)
        assert result.exit_code == code, result.output
        return result.output.splitlines()[-1].replace(str(tmp_path), "").replace(str(world), "WORLD")

    store = write_ground_truth_store(world, "kitti", "val", tmp_path / "my store")
    data = ("--benchmark", "kitti", "--data-root", world)
    package = ("package", *data, "--split", "val", "--predictions", store, "--out", tmp_path / "s.zip")
    scored = "--predictions /s.zip --data-root WORLD"
    assert then(*package) == f"Next: robsub evaluate --dataset kitti --split val {scored}"
    verify = ("verify", *data, tmp_path / "s.zip")
    assert then(*verify, "--split", "val") == f"Next: robsub evaluate --dataset kitti --split val {scored}"
    again = "Next: robsub package --benchmark kitti --split test --overwrite --data-root WORLD"
    assert then(*verify, code=1) == again

    test = PredictionStore(write_empty_store(world, "kitti", tmp_path / "test"))
    package = ("package", *data, "--predictions", test.path, "--out", tmp_path / "t.zip")
    assert then(*package) == "Next: robsub verify --benchmark kitti --strict /t.zip --data-root WORLD"
    assert then("verify", *data, tmp_path / "t.zip") == "Next: robsub evaluate --dataset kitti --data-root WORLD"
    convert = ("convert", "--data-root", world)
    packed = "Next: robsub package --benchmark kitti --predictions /c --data-root WORLD"
    assert then(*convert, test.path, tmp_path / "c") == packed
    quoted = f"--predictions '{tmp_path}/c d'"
    assert quoted in run(*convert, store, tmp_path / "c d").splitlines()[-1]
    for target in ("coco", "devkit"):
        assert "Next:" not in run(*convert, "--to", target, store, tmp_path / f"as {target}")


def test_a_conversion_has_its_own_place_and_options(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = write_ground_truth_store(world, "kitti", "val", tmp_path / "store")
    command = ("convert", "--data-root", world, store)
    for target, place in (("store", "kitti-val"), ("coco", "kitti-val.json"), ("devkit", "devkit")):
        assert f"predictions/{place}: 2 images" in run(*command, "--to", target)
        assert Path("predictions", place).exists()
    assert "start over with --overwrite" in refusal(*command, "--to", "devkit")
    for target in ("store", "coco", "devkit"):
        run(*command, "--to", target, "--overwrite")
    assert "--method means nothing beside --to coco" in refusal(*command, "--to", "coco", "--method", "m")
    assert "--out means nothing beside TARGET" in refusal(*command, "a", "--out", "b")
    devkit = (*command, "--from", "devkit", "--annotations", "l.json")
    assert "--annotations means nothing beside --from devkit" in refusal(*devkit)


def write_empty_store(world: Path, name: str, path: Path) -> Path:
    """A store of the test split in which nothing is found."""
    with PredictionWriter(path, "all", {"dataset": name, "split": "test"}) as writer:
        for frame in get_adapter(name, world).frames("test"):
            writer.add(frame.name, image_size(frame.image), [])
    return path


def test_a_sample_is_a_sound_archive(tmp_path: Path) -> None:
    assert "No error found" in run("package", "--benchmark", "wilddash", "--sample", tmp_path / "sample.zip")
    with zipfile.ZipFile(tmp_path / "sample.zip") as archive:
        assert sum(name.startswith("pred_list/") for name in archive.namelist()) == 2


@pytest.mark.parametrize(
    "option",
    [
        ("--min-score", "0.5"), ("--class", "car"), ("--one-bit",), ("--predictions", "p"), ("--out", "o.zip"),
        ("--split", "val"), ("--form", "coco"), ("--workers", "1"), ("--allow-missing",), ("--overwrite",),
    ],
    ids=lambda option: option[0],
)  # fmt: skip
def test_what_a_sample_does_not_heed_is_refused(tmp_path: Path, option: tuple[str, ...]) -> None:
    sample = tmp_path / "sample.zip"
    told = refusal("package", "--benchmark", "kitti", "--sample", sample, *option)
    assert f"{option[0]} means nothing beside --sample" in told and not sample.exists()


def test_each_form_of_a_submission_has_its_own_options(world: Path, tmp_path: Path) -> None:
    store = write_empty_store(world, "kitti", tmp_path / "store")
    command = ("package", "--benchmark", "kitti", "--data-root", world, "--predictions", store)
    assert "takes no COCO results" in refusal(*command, "--form", "coco")
    assert "--one-bit means nothing beside --form coco" in refusal(*command, "--form", "coco", "--one-bit")
    assert "--image-list means nothing beside --form native" in refusal(*command, "--image-list", "l.json")
    assert "a name of JSON for a zip" in refusal(*command, "--out", tmp_path / "s.json")
    run(*command, "--out", tmp_path / "s.zip")
    verify = ("verify", "--benchmark", "kitti", "--data-root", world, tmp_path / "s.zip")
    assert "found a list of ids beside text files" in refusal(*verify, "--image-list", "l.json")


def test_coco_results_go_out_and_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    photos = Path("datasets/wilddash/wd_both_02/images")
    photos.mkdir(parents=True)
    Image.new("RGB", (40, 30)).save(photos / "aa0000_100000.jpg")
    Path("datasets/wilddash/frames_expected.json").write_text('{"test": 1}')
    mask = rle.from_runs([5, 10, 1185], (30, 40))
    with PredictionWriter(Path("predictions/wilddash-test"), "all", {"dataset": "wilddash", "split": "test"}) as writer:
        writer.add("aa0000_100000", (30, 40), [Prediction("van", 0.5, rle.box(mask), mask)])
    printed = run("package", "--benchmark", "wilddash", "--form", "coco")
    assert "submissions/wilddash-test.zip: 1 images, 1 objects, 1 files" in printed
    archive = Path("submissions/wilddash-test.zip")
    assert "No error found, 0 warnings" in run("verify", "--benchmark", "wilddash", archive)
    run("convert", "--dataset", "wilddash", "--split", "test", archive, "back")
    stores = (PredictionStore(Path(path)) for path in ("predictions/wilddash-test", "back"))
    ours, theirs = (store.predictions("aa0000_100000", (30, 40)) for store in stores)
    assert ours == theirs and ours


@pytest.mark.parametrize("command", [("package",), ("verify", "s.zip")], ids=["package", "verify"])
def test_options_of_annotations_are_none_of_what_reads_no_annotation(command: tuple[str, ...]) -> None:
    for option in ("--no-cache", "--frame-sets"):
        assert f"No such option '{option}'" in refusal(*command, "--benchmark", "wilddash", option)


def test_the_same_predictions_give_the_same_archive(world: Path, tmp_path: Path) -> None:
    store = write_ground_truth_store(world, "scannet", "val", tmp_path / "store")
    for out in ("a.zip", "b.zip"):
        run(
            "package", "--benchmark", "scannet", "--split", "val", "--data-root", world,
            "--predictions", store, "--out", tmp_path / out,
        )  # fmt: skip
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_datasets_counts_frames_and_instances(world: Path, tmp_path: Path) -> None:
    printed = run("datasets", "--data-root", world, "--json", tmp_path / "d.json", "--workers", "1")
    assert "kitti: images found of expected: train 8 of 8, val 2 of 2, test 2 of 2" in printed
    found = {d["name"]: d for d in json.loads((tmp_path / "d.json").read_text())["datasets"]}
    assert found["ade20k"]["splits"] == {"train": {"found": 2, "expected": 2}, "val": {"found": 1, "expected": 1}}
    assert sum(found["cityscapes"]["instances"]["car"].values()) > 0


@pytest.fixture
def damaged(world: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the world whose files a test may break."""
    shutil.copytree(world, tmp_path / "world")
    yield tmp_path / "world"


def test_datasets_names_every_broken_file_and_goes_on(damaged: Path) -> None:
    (damaged / "kitti/training/image_2/000003_10.png").write_bytes(b"not a picture")
    with Image.open(damaged / "kitti/training/instance/000005_10.png") as image:
        image.resize((40, 30)).save(damaged / "kitti/training/instance/000005_10.png")
    result = robsub("datasets", "--data-root", damaged, "--workers", "1")
    assert result.exit_code == 1
    assert "image_2/000003_10.png: found a file that does not open as an image" in result.output
    assert "instance/000005_10.png: found 40 x 30 pixels" in result.output
    assert "ade20k 2021: images found" in result.output


def test_refusals_name_the_file_what_was_found_expected_and_the_fix(here: Path, tmp_path: Path) -> None:
    assert "nowhere: found no such folder" in refusal("datasets", "--data-root", tmp_path / "nowhere")
    assert "found none of the data sets" in refusal("train", "--data-root", tmp_path, "--out", tmp_path / "run")
    assert "found no such folder, expected the folder of the KITTI data set" in refusal(
        "predict", "--dataset", "kitti", "--data-root", tmp_path
    )
    assert "expected one of train, val, trainval: ADE20K has no other split" in refusal(
        "predict", "--dataset", "ade20k"
    )
    assert "found no checkpoint" in refusal("predict", "--dataset", "kitti", "--checkpoint", tmp_path)
    assert "expected a prediction store" in refusal("package", "--dataset", "kitti", "--predictions", tmp_path)
    assert "found predictions of kitti, expected predictions of scannet" in refusal(
        "evaluate", "--dataset", "scannet", "--split", "val",
        "--predictions", write_ground_truth_store(Path("datasets"), "kitti", "val", tmp_path / "store"),
    )  # fmt: skip
    assert "no such file" in refusal("table", tmp_path / "none.json")
    assert not (tmp_path / "run").exists()


def test_a_broken_image_stops_prediction_and_what_was_done_is_kept(here: Path, damaged: Path, tmp_path: Path) -> None:
    photos = sorted((damaged / "kitti/testing/image_2").glob("*.png"))
    whole = photos[1].read_bytes()
    photos[1].write_bytes(whole[: len(whole) // 2])
    options = ("predict", "--dataset", "kitti", "--data-root", damaged, "--out", tmp_path / "store")
    assert f"{photos[1]}: found a file that does not open as an image" in refusal(*options)
    photos[1].write_bytes(whole)
    assert "2 images of kitti test, 1 of them new" in run(*options)


def test_a_checkpoint_of_something_else_is_refused(here: Path, tmp_path: Path) -> None:
    import torch

    file = tmp_path / "checkpoint.pt"
    file.write_bytes(b"no weights")
    assert "found a file that does not load" in refusal("predict", "--dataset", "kitti", "--checkpoint", file)
    torch.save({"model": {}}, file)
    assert "found weights without robsub's recipe" in refusal("predict", "--dataset", "kitti", "--checkpoint", file)
    state = torch.load(here / "runs/demo/checkpoint.pt", weights_only=True)
    state["model"].pop("rpn.head.cls_logits.weight")
    torch.save(state, file)
    assert "rpn.head.cls_logits.weight" in refusal(
        "predict", "--dataset", "kitti", "--checkpoint", file, "--out", tmp_path / "store"
    )


def test_another_recipe_in_the_same_run_is_refused(here: Path) -> None:
    words = refusal("train", *(w for s in (*TINY, "train.batch_size=3") for w in ("-o", s)))
    assert "found a run with train.batch_size = 2, expected train.batch_size = 3" in words


def test_missing_predictions_are_counted(world: Path, tmp_path: Path) -> None:
    store = write_ground_truth_store(world, "kitti", "val", tmp_path / "store", frames=1)
    options = ("--dataset", "kitti", "--split", "val", "--data-root", world, "--predictions", store)
    assert "1 of 2 images" in refusal("evaluate", *options)
    assert "1 of 2 images" in refusal("package", *options, "--out", tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()
    assert "1 of them without predictions" in run("evaluate", *options, "--allow-missing", "--workers", "1")


def test_a_missing_part_of_the_official_frames_must_be_allowed(damaged: Path, tmp_path: Path) -> None:
    (damaged / "kitti/frames_expected.json").unlink()
    store = write_ground_truth_store(damaged, "kitti", "trainval", tmp_path / "store")
    options = ("--dataset", "kitti", "--split", "trainval", "--data-root", damaged, "--predictions", store)
    assert "190 are missing" in refusal("package", *options, "--out", tmp_path / "a.zip")
    assert "190 of 200 images are missing" in run("package", *options, "--out", tmp_path / "a.zip", "--allow-missing")

    verify = ("verify", "--dataset", "kitti", "--split", "trainval", "--data-root", damaged, tmp_path / "a.zip")
    report = robsub(*verify)
    assert (report.exit_code, "found 10 list files, expected 200" in report.output) == (1, True)
    assert "No error found" in run(*verify, "--allow-missing")


@pytest.mark.parametrize("command", list(main.commands))
def test_every_command_explains_itself(command: str) -> None:
    printed = run(command, "--help")
    assert main.commands[command].help.splitlines()[0].split(".")[0] in " ".join(printed.split())  # type: ignore[union-attr]


def test_the_self_test_writes_its_result_and_says_what_is_next(world: Path, tmp_path: Path) -> None:
    own = ("evaluate", "--self-test", "--dataset", "kitti", "--data-root", world, "--workers", "1")
    edition = ("--profile", "scannet=v2")
    assert f"Next: robsub evaluate --dataset kitti --split val --data-root {world} --profile scannet=v2" in " ".join(
        run(*own, *edition).split()
    )
    printed = run(*own, "--json", tmp_path / "r.json", "--csv", tmp_path / "r.csv")
    assert "Next: robsub evaluate --dataset kitti --split val" in printed
    assert json.loads((tmp_path / "r.json").read_text())["metrics"]["AP"] == 1.0
    assert (tmp_path / "r.csv").is_file()
    assert "--predictions means nothing beside --self-test" in refusal(*own, "--predictions", "p")


def test_nothing_is_left_in_the_working_directory(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = write_ground_truth_store(world, "kitti", "val", tmp_path / "store")
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    run("evaluate", "--dataset", "kitti", "--data-root", world, "--predictions", store, "--workers", "1")
    assert list(empty.iterdir()) == []


def test_a_slash_makes_a_folder_and_one_file_for_several_data_sets_is_refused_before_the_work(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("kitti", "scannet"):
        write_ground_truth_store(world, name, "val", tmp_path / "predictions" / f"{name}-val")
    several = ("evaluate", "--data-root", world, "--workers", "1")
    for option in ("--json", "--csv", "--matches"):
        result = robsub(*several, option, "one.json")
        assert result.exit_code == 2 and "one.json: found one file for several data sets" in result.output
        assert "protocol kitti" not in result.output
    printed = run(*several, "--json", "results.v1/", "--matches", "matches/")
    assert "Next: robsub table results.v1/*.json" in printed
    for folder, kind in (("results.v1", "json"), ("matches", "matches")):
        assert sorted(p.name for p in (tmp_path / folder).iterdir()) == [f"kitti-val.{kind}", f"scannet-val.{kind}"]
