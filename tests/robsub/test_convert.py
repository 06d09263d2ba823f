"""Converting: round trips lose nothing, and what has no home in the target is counted and named."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_masks

from dataset_adapters import rle
from dataset_adapters.base import DatasetAdapter
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.images import image_size
from dataset_adapters.problems import InputError
from dataset_adapters.registry import BENCHMARKS, get_adapter
from robsub.convert import convert, open_source
from robsub.devkit import PREFIXES, devkit_folder, open_devkit
from robsub.evaluate import open_predictions
from robsub.package import package
from robsub.predictions import PredictionSource, PredictionStore, PredictionWriter
from tests.stores import write_ground_truth_store


def contents(adapter: DatasetAdapter, source: PredictionSource) -> dict[str, list[tuple[str, float, bytes]]]:
    """frame -> all that an evaluation sees of its predictions, in an order of its own."""
    sizes = {frame.name: image_size(frame.image) for frame in adapter.frames("val")}
    found = {name: source.predictions(name, size) for name, size in sizes.items()}
    return {
        name: sorted((p.label, p.score, p.rle["counts"]) for p in predictions)
        for name, predictions in found.items()
        if predictions is not None
    }


@pytest.fixture(params=BENCHMARKS)
def benchmark(request: pytest.FixtureRequest, world: Path, tmp_path: Path) -> tuple[DatasetAdapter, PredictionStore]:
    """A benchmark and a store with its ground truth of ``val``."""
    store = write_ground_truth_store(world, request.param, "val", tmp_path / "store")
    return get_adapter(request.param, world), PredictionStore(store)


def test_round_trips_lose_nothing(benchmark: tuple[DatasetAdapter, PredictionStore], tmp_path: Path) -> None:
    adapter, store = benchmark
    before = contents(adapter, store)
    assert sum(map(len, before.values())) > 0

    done = convert(adapter, "val", store, "coco", tmp_path / "r.json")
    assert (done.images, done.predictions) == (2, sum(map(len, before.values())))
    coco = open_predictions(tmp_path / "r.json", adapter, "val", tmp_path / "r.json.images.json")
    assert contents(adapter, coco) == before

    package(adapter, "val", store, tmp_path / "native.zip", workers=1)
    with zipfile.ZipFile(tmp_path / "native.zip") as archive:
        archive.extractall(tmp_path / "native")
    convert(adapter, "val", store, "devkit", tmp_path / "devkit", method="NL_ROI")
    folder = devkit_folder(tmp_path / "devkit", "NL_ROI")
    assert folder == tmp_path / "devkit/datasets_kitti2015/test/algo_NL_ROI_instance"
    for number, source in enumerate(
        (
            coco,
            open_predictions(tmp_path / "native.zip", adapter),
            open_predictions(tmp_path / "native", adapter),
            open_devkit(adapter, folder),
        )
    ):
        done = convert(adapter, "val", source, "store", tmp_path / f"back{number}")
        assert not done.homeless and not done.unknown_images
        assert contents(adapter, PredictionStore(tmp_path / f"back{number}")) == before


def test_results_are_what_pycocotools_loads(world: Path, tmp_path: Path) -> None:
    adapter = get_adapter("kitti", world)
    store = PredictionStore(write_ground_truth_store(world, "kitti", "val", tmp_path / "store"))
    convert(adapter, "val", store, "coco", tmp_path / "r.json")
    results = json.loads((tmp_path / "r.json").read_text())
    lists = json.loads((tmp_path / "r.json.images.json").read_text())
    images = {image["id"]: image for image in lists["images"]}
    for item in results:
        image = images[item["image_id"]]
        assert item["segmentation"]["size"] == [image["height"], image["width"]]
        x, y, w, h = coco_masks.toBbox(item["segmentation"])
        assert item["bbox"] == [x, y, w, h]
    assert {item["category_id"] for item in results} <= {c["id"] for c in lists["categories"]}
    assert convert(adapter, "val", store, "coco", tmp_path / "again.json").predictions == len(results)
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "r.json").read_bytes()


def test_the_ids_of_a_servers_own_list_are_used(world: Path, tmp_path: Path) -> None:
    adapter = get_adapter("wilddash", world)
    store = PredictionStore(write_ground_truth_store(world, "wilddash", "val", tmp_path / "store"))
    frames = adapter.frames("val")
    images = [{"id": 700 + i, "file_name": f"images/{frame.image.name}"} for i, frame in enumerate(frames)]
    categories = [{"id": 9000 + label.id, "name": label.name} for label in adapter.labels.evaluated]
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps({"images": images, "categories": categories}))
    convert(adapter, "val", store, "coco", tmp_path / "r.json")
    convert(adapter, "val", store, "coco", tmp_path / "r.json", annotations=listed)
    results = json.loads((tmp_path / "r.json").read_text())
    filled = [700 + i for i, frame in enumerate(frames) if contents(adapter, store)[frame.name]]
    assert filled and {item["image_id"] for item in results} == set(filled)
    assert {item["category_id"] - 9000 for item in results} <= {24, 25, 26, 27, 28, 31, 32, 33}
    for lists in (listed, None):  # the list beside the results is not that of the first conversion
        assert contents(adapter, open_predictions(tmp_path / "r.json", adapter, "val", lists)) == contents(
            adapter, store
        )

    others = [image for image in images if image["id"] != filled[0]]
    listed.write_text(json.dumps({"images": others, "categories": categories}))
    with pytest.raises(InputError, match=f"no image of frame {frames[filled[0] - 700].name}"):
        convert(adapter, "val", store, "coco", tmp_path / "r.json", annotations=listed)


def made(adapter: DatasetAdapter, path: Path, labels: list[str], score: float = 0.5) -> PredictionStore:
    """A store with one object of each label in the first frame."""
    frame = adapter.frames("val")[0]
    size = image_size(frame.image)
    mask = rle.from_runs([5, 10, size[0] * size[1] - 15], size)
    with PredictionWriter(path, "all", {"dataset": adapter.name, "split": "val"}) as writer:
        writer.add(frame.name, size, [Prediction(label, score, rle.box(mask), mask) for label in labels])
        writer.add("of_another_split", size, [])
    return PredictionStore(path)


@pytest.mark.parametrize("target", ["store", "coco", "devkit"])
def test_classes_and_images_without_a_home_are_counted_and_named(world: Path, tmp_path: Path, target: Any) -> None:
    adapter = get_adapter("cityscapes", world)
    store = made(adapter, tmp_path / "store", ["car", "sofa", "sofa", "couch", "bicycle"])
    done = convert(adapter, "val", store, target, tmp_path / "out.json")
    assert done.homeless == {"couch": 1, "sofa": 2} and done.predictions == 2
    text = done.text()
    assert "2 objects of 'sofa'" in text and "first of_another_split" in text and "1 of 2 images" in text


@pytest.mark.parametrize(("items", "told"), [([], "expected images of val"), ([{"image_id": "zzz"}], "first zzz")])
def test_a_source_without_an_image_of_the_split_is_refused(
    world: Path, tmp_path: Path, items: list[dict[str, Any]], told: str
) -> None:
    adapter = get_adapter("kitti", world)
    rest = {"category_id": 26, "score": 1, "segmentation": {"size": [1, 1], "counts": "01"}}
    (tmp_path / "r.json").write_text(json.dumps([item | rest for item in items]))
    source = open_predictions(tmp_path / "r.json", adapter)
    with pytest.raises(InputError, match=f"none of the split's 2 images.*{told}"):
        convert(adapter, "val", source, "store", tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_scores_that_are_no_confidences_are_refused(tmp_path: Path, world: Path) -> None:
    adapter = get_adapter("kitti", world)
    frame = adapter.frames("val")[0]
    size = image_size(frame.image)
    mask = coco_masks.encode(np.asfortranarray(np.ones(size, np.uint8)))
    item = {"size": list(size), "counts": mask["counts"].decode()}
    data = [{"image_id": frame.name, "category_id": 26, "segmentation": item, "score": 7.5}]
    (tmp_path / "r.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"a car of score 7\.5"):
        convert(adapter, "val", open_predictions(tmp_path / "r.json", adapter), "store", tmp_path / "store")


def devkit_packs(folder: Path, prefix: str, label_ids: range) -> list[str]:
    """The lines that the devkit's packer keeps (``CreateInstanceSubmission`` of its ``benchmark_kitti2015.py``)."""
    kept = []
    for path in sorted((folder / "pred_list").glob(f"{prefix}*.txt")):
        for line in path.read_text().splitlines():
            link, label, confidence = line.strip().split(" ")
            _, _, image = link.split("/")
            assert (folder / "pred_img" / image).is_file() and 0 <= float(confidence) <= 1
            if int(label) in label_ids:
                kept.append(line)
    return kept


def test_every_bicycle_is_submitted_where_the_devkit_drops_them_all(world: Path, tmp_path: Path) -> None:
    adapter = get_adapter("cityscapes", world)
    store = made(adapter, tmp_path / "store", ["bicycle", "car", "bicycle"])
    convert(adapter, "val", store, "devkit", tmp_path / "devkit")
    folder = devkit_folder(tmp_path / "devkit", "robsub")
    assert len(devkit_packs(folder, PREFIXES["cityscapes"], range(34))) == 3
    assert (
        len(devkit_packs(folder, PREFIXES["cityscapes"], range(33))) == 1
    )  # LabelIds() of its benchmark_cityscapes.py

    package(adapter, "val", store, tmp_path / "s.zip", allow_missing=True, workers=1)
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        text = archive.read(f"{adapter.frames('val')[0].name}_pred.txt").decode()
    assert [line.split(" ")[1] for line in text.splitlines()] == ["33", "26", "33"]


def test_a_devkits_folder_never_mixes_two_detectors(world: Path, tmp_path: Path) -> None:
    for name in ("cityscapes", "kitti"):
        adapter = get_adapter(name, world)
        convert(adapter, "val", made(adapter, tmp_path / name, ["car", "car"]), "devkit", tmp_path / "d")
    folder = devkit_folder(tmp_path / "d", "robsub")
    files = {path: path.read_bytes() for path in folder.rglob("*.*")}
    other = made(adapter, tmp_path / "other", ["person"])
    with pytest.raises(InputError, match=r"found 3 files of KITTI, first pred_img/Kitti.*--method.*--overwrite"):
        convert(adapter, "val", other, "devkit", tmp_path / "d")
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == files
    convert(adapter, "val", other, "devkit", tmp_path / "d", overwrite=True)
    names = sorted(path.name[:7] for path in (folder / "pred_img").iterdir())
    assert names == ["Citysca", "Citysca", "Kitti20"]
    with pytest.raises(InputError, match="found the source itself"):
        convert(adapter, "val", open_devkit(adapter, folder), "devkit", tmp_path / "d", overwrite=True)
    assert sorted(path.name[:7] for path in (folder / "pred_img").iterdir()) == names


@pytest.mark.parametrize("method", ["", "../../x", "a/b", "a\\b"])
def test_a_method_is_one_folder(world: Path, tmp_path: Path, method: str) -> None:
    adapter = get_adapter("kitti", world)
    store = made(adapter, tmp_path / "store", ["car"])
    with pytest.raises(InputError, match="found no name of a folder"):
        convert(adapter, "val", store, "devkit", tmp_path / "d", method=method)


def test_a_devkits_folder_has_no_masks_without_a_pixel_and_its_count_is_what_it_has(
    world: Path, tmp_path: Path
) -> None:
    adapter = get_adapter("kitti", world)
    frame = adapter.frames("val")[0]
    size = image_size(frame.image)
    masks = [rle.empty(size), rle.from_runs([5, 10, size[0] * size[1] - 15], size)]
    with PredictionWriter(tmp_path / "store", "all", {"dataset": "kitti", "split": "val"}) as writer:
        writer.add(frame.name, size, [Prediction("car", 0.5, rle.box(mask), mask) for mask in masks])
    store = PredictionStore(tmp_path / "store")
    done = convert(adapter, "val", store, "devkit", tmp_path / "d")
    assert (done.predictions, done.empty) == (1, 1) and len(list((tmp_path / "d").rglob("*.png"))) == 1
    assert "Left out: 1 objects without a pixel." in done.text()
    done = convert(adapter, "val", store, "store", tmp_path / "back")
    assert (done.predictions, done.empty) == (2, 0)
    assert "1 of 2 masks are empty and count nothing." in done.text()


def test_a_store_starts_over_only_if_it_is_told_to_and_is_another(world: Path, tmp_path: Path) -> None:
    adapter = get_adapter("kitti", world)
    first, second = (made(adapter, tmp_path / name, [name]) for name in ("car", "person"))
    convert(adapter, "val", first, "store", tmp_path / "out")
    with pytest.raises(InputError, match="--overwrite"):
        convert(adapter, "val", second, "store", tmp_path / "out")
    convert(adapter, "val", second, "store", tmp_path / "out", overwrite=True)
    assert contents(adapter, PredictionStore(tmp_path / "out")) == contents(adapter, second)
    with pytest.raises(InputError, match="found the source itself"):
        convert(adapter, "val", second, "store", tmp_path / "person", overwrite=True)
    assert contents(adapter, second)


def test_what_an_evaluation_notes_is_told(world: Path, tmp_path: Path) -> None:
    adapter = get_adapter("kitti", world)
    frame = adapter.frames("val")[0]
    size = image_size(frame.image)
    mask = rle.from_runs([0, size[0] * size[1] - 5, 5], size)
    with PredictionWriter(tmp_path / "store", "all", {"dataset": "kitti", "split": "trainval"}) as writer:
        writer.add(frame.name, size, [Prediction("car", 0.5, rle.box(mask), mask)])
    text = convert(adapter, "val", PredictionStore(tmp_path / "store"), "store", tmp_path / "out").text()
    assert "Note: The store says that its predictions are of split 'trainval'." in text
    assert "are they inverted?" in text
    trained = made(adapter, tmp_path / "trained", [adapter.labels.by_id[12].name])
    assert "look like train ids" in convert(adapter, "val", trained, "coco", tmp_path / "r.json").text()


def test_annotations_of_the_outcome_do_not_help_to_read_the_source(world: Path, tmp_path: Path) -> None:
    adapter = get_adapter("kitti", world)
    convert(adapter, "val", made(adapter, tmp_path / "store", ["car"]), "coco", tmp_path / "r.json")
    listed = (tmp_path / "r.json.images.json").rename(tmp_path / "list.json")
    with pytest.raises(InputError, match=r"image_id 1, and no list.*convert to a store first"):
        open_source(adapter, "val", tmp_path / "r.json", annotations=listed, target="coco")
    with pytest.raises(InputError, match=r"with --annotations\.$"):
        open_source(adapter, "val", tmp_path / "r.json", target="coco")
    assert len(open_source(adapter, "val", tmp_path / "r.json", annotations=listed).frames()) == 1


NAMES = ["background", "car", "person"]
DENSE = np.zeros((2, 6, 9), np.bool_)
DENSE[0, 1:4, 2:7] = DENSE[1, 3:, :2] = True
BOXES = np.array([[2, 1, 7, 4], [0, 3, 2, 6]], np.float32)
SCORES = np.array([0.75, 0.5], np.float32)
EXPECTED = [
    Prediction("car", 0.75, (2.0, 1.0, 7.0, 4.0), rle.encode(DENSE[0])),
    Prediction("person", 0.5, (0.0, 3.0, 2.0, 6.0), rle.encode(DENSE[1])),
]


@pytest.mark.parametrize("make", [np.asarray, torch.tensor])
def test_outputs_of_the_frameworks(make: Any) -> None:
    boxes, scores, labels = make(BOXES), make(SCORES), make(np.array([1, 2]))
    soft = make(np.where(DENSE, 0.9, 0.1)[:, None])
    torchvision = {"boxes": boxes, "labels": labels, "scores": scores, "masks": soft}
    assert Prediction.from_torchvision(torchvision, NAMES) == EXPECTED

    classes = make(np.array([0, 1]))
    found = {"pred_boxes": SimpleNamespace(tensor=boxes), "pred_classes": classes, "scores": scores}
    instances = SimpleNamespace(**found, pred_masks=make(DENSE))
    assert (
        Prediction.from_detectron2({"instances": instances}, NAMES[1:])
        == Prediction.from_detectron2(instances, NAMES[1:])
        == EXPECTED
    )

    sample = SimpleNamespace(bboxes=boxes, scores=scores, labels=classes, masks=make(DENSE))
    assert Prediction.from_mmdet(SimpleNamespace(pred_instances=sample), {0: "car", 1: "person"}) == EXPECTED
    rows = np.hstack((BOXES, SCORES[:, None]))
    coded = [[{"size": [6, 9], "counts": p.rle["counts"]}] for p in EXPECTED]
    for masks in ([[DENSE[0]], [DENSE[1]]], coded):
        assert Prediction.from_mmdet(([rows[:1], rows[1:]], masks), NAMES[1:]) == EXPECTED


class Boxes:
    """mmdetection 3's ``HorizontalBoxes``: no tensor, but with most of a tensor's methods."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor

    def detach(self) -> Boxes:
        return Boxes(self.tensor.detach())

    def cpu(self) -> Boxes:
        return Boxes(self.tensor.cpu())


def mmdet3(**changed: Any) -> dict[str, Any]:
    found = {"bboxes": torch.tensor(BOXES), "scores": SCORES, "labels": np.array([0, 1]), "masks": DENSE}
    return {"pred_instances": found | changed}


RUNS = [[13, 3, 3, 3, 3, 3, 3, 3, 3, 3, 14], [3, 3, 3, 3, 42]]


@pytest.mark.parametrize(
    "changed",
    [
        {"bboxes": Boxes(torch.tensor(BOXES))},
        {"scores": torch.tensor(SCORES, dtype=torch.bfloat16)},
        {"masks": [{"size": [6, 9], "counts": runs} for runs in RUNS]},
    ],
    ids=["boxes", "bfloat16", "runs"],
)
def test_other_types_of_mmdetection_3_are_read(changed: dict[str, Any]) -> None:
    assert Prediction.from_mmdet(mmdet3(**changed), NAMES[1:]) == EXPECTED


def test_the_scores_of_masks_and_panoptic_results_of_mmdetection_2_are_read() -> None:
    rows, masks = np.hstack((BOXES, SCORES[:, None] / 2)), [[DENSE[0]], [DENSE[1]]]
    scored = ([rows[:1], rows[1:]], (masks, [SCORES[:1], SCORES[1:]]))
    assert Prediction.from_mmdet(scored, NAMES[1:]) == EXPECTED
    assert Prediction.from_mmdet({"ins_results": scored}, NAMES[1:]) == EXPECTED


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"bboxes": np.zeros((2, 5))}, r"boxes of shape \(2, 5\)"),
        ({"masks": [{"size": [6, 9], "counts": [5, 5]}] * 2}, "runs that do not add up"),
        ({"masks": [{"size": [6, 9], "counts": "61"}] * 2}, "runs that do not add up"),
        ({"masks": [{"size": [6, 9]}] * 2}, "a mask that does not read"),
    ],
)
def test_boxes_and_masks_of_another_form_are_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Prediction.from_mmdet(mmdet3(**changed), NAMES[1:])


def test_outputs_without_instances_are_refused() -> None:
    with pytest.raises(InputError, match="an output without 'instances'"):
        Prediction.from_detectron2({"panoptic_seg": 1}, NAMES)
    with pytest.raises(InputError, match="an output without 'pred_instances'"):
        Prediction.from_mmdet([np.zeros((1, 5))], NAMES)
    rows = np.zeros((2, 5))
    with pytest.raises(InputError, match="boxes and masks that differ in number"):
        Prediction.from_mmdet(([rows, rows[:0]], [[DENSE[0]], [DENSE[1]]]), NAMES)


def test_the_output_of_torchvisions_own_model() -> None:
    from torchvision.models.detection import maskrcnn_resnet50_fpn

    torch.manual_seed(0)
    model = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3, min_size=64, box_score_thresh=0.0)
    with torch.no_grad():
        output = model.eval()([torch.rand(3, 64, 80)])[0]
    found = Prediction.from_torchvision(output, NAMES)
    assert len(found) == len(output["scores"]) > 0
    assert [p.score for p in found] == output["scores"].tolist()
    for p, mask in zip(found, output["masks"][:, 0] > 0.5, strict=True):
        assert np.array_equal(rle.decode(p.rle), mask.numpy())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"masks": None}, "an output without 'masks'"),
        ({"scores": SCORES[:1]}, "2 boxes, 2 labels, 1 scores, 2 masks"),
        ({"scores": SCORES * 5}, "scores that are none from 0 to 1"),
        ({"labels": np.array([1, 3])}, "class 3"),
        ({"masks": np.zeros((2, 3, 4, 5))}, r"a mask of shape \(3, 4, 5\)"),
    ],
)
def test_outputs_that_are_none_are_refused(change: dict[str, Any], words: str) -> None:
    output = {"boxes": BOXES, "labels": np.array([1, 2]), "scores": SCORES, "masks": DENSE} | change
    with pytest.raises(InputError, match=words):
        Prediction.from_torchvision({key: value for key, value in output.items() if value is not None}, NAMES)
