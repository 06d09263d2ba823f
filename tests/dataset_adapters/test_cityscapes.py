"""Cityscapes: polygons against the official drawing tool, coarse annotations, and the readings of distance."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dataset_adapters import rle
from dataset_adapters.annotations.distances import Camera, DepthMap, DistanceFormula, read_camera
from dataset_adapters.annotations.polygons import draw_instance_ids, read_outlines
from dataset_adapters.base import SPLITS
from dataset_adapters.labels import ROAD_LABELS
from dataset_adapters.options import Options
from dataset_adapters.problems import InputError
from dataset_adapters.registry import get_adapter
from tests.dataset_adapters.layouts import PLAIN, cityscapes_frame, painted, save, write_json

CAMERA = Camera(baseline=0.2, fx=2000.0, fy=2000.0, u0=4.0, v0=3.0)


def made_polygons(seed: int) -> dict[str, Any]:
    """Overlapping polygons of every kind: instances, groups, stuff, void, a negative id, deleted ones."""
    random = np.random.default_rng(seed)
    names = [
        "car",
        "cargroup",
        "person",
        "bicyclegroup",
        "road",
        "license plate",
        "out of roi",
        "caravan",
        "traingroup",
    ]
    objects = [
        {
            "label": str(random.choice(names)),
            "polygon": random.integers(-5, [60, 40], (random.integers(3, 9), 2)).tolist(),
            "deleted": int(random.random() < 0.1),
        }
        for _ in range(40)
    ]
    return {"imgWidth": 56, "imgHeight": 37, "objects": objects}


@pytest.mark.parametrize("seed", range(20))
def test_polygons_are_drawn_as_cityscapesscripts_draws_them(tmp_path: Path, seed: int) -> None:
    tool = pytest.importorskip("cityscapesscripts.preparation.json2instanceImg")
    annotation = pytest.importorskip("cityscapesscripts.helpers.annotation").Annotation()
    path = write_json(tmp_path / "a_gtFine_polygons.json", made_polygons(seed))
    annotation.fromJsonFile(str(path))
    official = np.asarray(tool.createInstanceImage(annotation, "ids"))
    assert len(np.unique(official)) > 5
    np.testing.assert_array_equal(draw_instance_ids(read_outlines(path), ROAD_LABELS), official)


def test_polygons_stand_in_for_an_instance_map_that_was_never_made(tmp_path: Path) -> None:
    path = cityscapes_frame(tmp_path, None)
    square = [[1, 1], [3, 1], [3, 3], [1, 3]]
    polygons = path.with_name(path.name.replace("instanceIds.png", "polygons.json"))
    write_json(polygons, {"imgWidth": 8, "imgHeight": 6, "objects": [{"label": "car", "polygon": square}]})
    adapter = get_adapter("cityscapes", tmp_path)
    (frame,) = adapter.frames("val")
    assert frame.ground_truth == polygons
    (car,) = adapter.ground_truth(frame).instances
    assert (car.native_id, car.pixels) == (26000, 9)
    save(path, painted({26001: (0, 0)}))
    (frame,) = adapter.frames("val")
    assert [s.native_id for s in adapter.ground_truth(frame).instances] == [26001]


def test_polygons_without_an_instance_map_are_annotations_too(tmp_path: Path) -> None:
    path = cityscapes_frame(tmp_path, painted({}))
    polygons = path.with_name(path.name.replace("instanceIds.png", "polygons.json"))
    polygons.write_text("{}")
    adapter = get_adapter("cityscapes", tmp_path)
    assert list(adapter.annotations()) == [path]
    path.unlink()
    assert list(adapter.annotations()) == [polygons]


def test_unknown_polygon_label_is_named(tmp_path: Path) -> None:
    data = {"imgWidth": 8, "imgHeight": 6, "objects": [{"label": "spaceship", "polygon": [[0, 0], [1, 1], [2, 0]]}]}
    with pytest.raises(InputError, match="spaceship"):
        draw_instance_ids(read_outlines(write_json(tmp_path / "p.json", data)), ROAD_LABELS)


@pytest.mark.parametrize(("text", "told"), [
    ('{"imgWidth": 8, "imgHeight": 6, "objects": [{"label": "car", "polygon": [[0, 0]]}]}', "a polygon of 1 points"),
    ('{"imgWidth": 8, "imgHeight": 6, "objects": [{"label": "car", "polygon": []}]}', "a polygon of 0 points"),
    ('{"imgWidth": 8, "imgHeight": 6, "objects": [{"label": "car", "polygon": [[0, 0], [NaN, 1]]}]}', "a polygon of 2"),
    ('{"imgWidth": 8, "imgHeight": 6, "objects": [{"label": "car", "polygon": [[0, 0], [1e9, 1]]}]}', "a polygon of 2"),
    ('{"imgWidth": Infinity, "imgHeight": 6, "objects": []}', "OverflowError"),
    ('{"imgWidth": 2000000, "imgHeight": 2000000, "objects": []}', "2000000 x 2000000 pixels, expected 8 x 6"),
    ("[" * 100_000, "RecursionError"),
    ("[1]", "TypeError"),
    ("\udcff", "UnicodeDecodeError"),
])  # fmt: skip
def test_broken_polygons_are_refused(tmp_path: Path, text: str, told: str) -> None:
    path = cityscapes_frame(tmp_path, None)
    polygons = path.with_name(path.name.replace("instanceIds.png", "polygons.json"))
    polygons.parent.mkdir(parents=True)
    polygons.write_bytes(text.encode("utf-8", "surrogateescape"))
    adapter = get_adapter("cityscapes", tmp_path)
    with pytest.raises(InputError, match=f"{polygons}: found .*{told}"):
        adapter.ground_truth(adapter.frames("val")[0])


@pytest.mark.parametrize(
    ("baseline", "fx"), [(0, 2000), (-1, 2000), (0.2, 0), (0.2, -5), (math.nan, 5), (0.2, math.inf)]
)
def test_an_impossible_camera_is_refused(tmp_path: Path, baseline: float, fx: float) -> None:
    path = write_json(tmp_path / "c.json", {"extrinsic": {"baseline": baseline}, "intrinsic": {"fx": fx}})
    with pytest.raises(InputError, match=r"no camera .*is impossible"):
        read_camera(path)


def test_coarse_annotations_are_recognised_and_refused(tmp_path: Path) -> None:
    fine = cityscapes_frame(tmp_path, None)
    save(Path(str(fine).replace("gtFine", "gtCoarse")), PLAIN)
    adapter = get_adapter("cityscapes", tmp_path)
    with pytest.raises(InputError, match=r"coarse annotation .*gtCoarse_instanceIds"):
        adapter.ground_truth(adapter.frames("val")[0])
    assert [Path(problem.file).name for problem in adapter.remarks()] == ["gtCoarse"]


def test_the_test_split_has_no_ground_truth_even_beside_gtfine(tmp_path: Path) -> None:
    cityscapes_frame(tmp_path, painted({1: (0, 0)}), split="test")
    (frame,) = get_adapter("cityscapes", tmp_path).frames("test")
    assert frame.ground_truth is None


def test_official_counts() -> None:
    adapter = get_adapter("cityscapes", Path("nowhere"))
    assert [adapter.frames_expected(split) for split in SPLITS] == [2975, 500, 3475, 1525]


def depth(pixels: list[int], **formula: str) -> tuple[float, float]:
    row = np.array([pixels], dtype=np.uint16)
    return DepthMap(row, CAMERA, DistanceFormula(**formula)).distance(np.ones(row.shape, dtype=bool))  # type: ignore[arg-type]


def test_distance_is_the_median_depth_of_the_valid_pixels() -> None:
    # d = (p - 1) / 256: 2561 -> 10 px -> 0.2 * 2000 / 10 = 40 m; 5121 -> 20 m; 0 is invalid.
    assert depth([2561, 0, 2561, 5121]) == (40.0, 0.75)
    assert depth([0, 0]) == (-1.0, 0.0)


def test_two_readings_of_the_median_differ_only_between_two_middle_values() -> None:
    assert depth([2561, 5121])[0] == 30.0
    assert depth([2561, 5121], median_of="disparity")[0] == pytest.approx(400 / 15)
    assert depth([2561, 5121, 5121], median_of="disparity") == depth([2561, 5121, 5121]) == (20.0, 1.0)


def test_disparity_zero_is_infinitely_far_or_invalid() -> None:
    assert depth([1, 1, 2561]) == (np.inf, 1.0)
    assert depth([1, 1, 2561], zero_disparity="invalid") == (40.0, 1 / 3)


def test_a_ray_is_longer_than_its_depth_off_the_axis() -> None:
    camera = Camera(baseline=0.2, fx=4.0, fy=4.0, u0=0.0, v0=0.0)
    pixels = np.full((4, 4), 257, dtype=np.uint16)
    window = np.zeros((1, 1), dtype=bool) | True
    along = DepthMap(pixels, camera).distance(window, (3, 3))[0]
    ray = DepthMap(pixels, camera, DistanceFormula(measure="ray")).distance(window, (3, 3))[0]
    assert along == pytest.approx(0.8)
    assert ray == pytest.approx(0.8 * np.sqrt(1 + 2 * (3 / 4) ** 2))


def test_distances_need_the_frames_own_camera(tmp_path: Path) -> None:
    path = cityscapes_frame(tmp_path, painted({26000: (0, 0), 26: (3, 3), 4: (0, 4)}))
    disparity = save(
        Path(str(path).replace("gtFine/", "disparity/").replace("gtFine_instanceIds", "disparity")),
        np.full((6, 8), 2561, dtype=np.uint16),
    )
    adapter = get_adapter("cityscapes", tmp_path)
    (frame,) = adapter.frames("val")
    with pytest.raises(InputError, match=r"camera_trainvaltest\.zip"):
        adapter.ground_truth(frame)
    camera = Path(str(disparity).replace("disparity/", "camera/").replace("disparity.png", "camera.json"))
    write_json(camera, {"extrinsic": {"baseline": 0.2}, "intrinsic": {"fx": 2000}})
    found = {s.native_id: (s.distance_m, s.stereo_density) for s in adapter.ground_truth(frame).segments}
    assert found == {0: (None, None), 4: (None, None), 26: (40.0, 1.0), 26000: (40.0, 1.0)}
    assert read_camera(camera).fy == 2000
    save(disparity, np.zeros((6, 8), dtype=np.uint8))
    with pytest.raises(InputError, match=r"a 16-bit gray PNG \(mode I;16\)\. The file was converted"):
        adapter.ground_truth(frame)


def test_a_frame_without_the_others_disparity_is_told(tmp_path: Path) -> None:
    for number in range(3):
        cityscapes_frame(tmp_path, PLAIN, number=number)
    adapter = get_adapter("cityscapes", tmp_path)
    assert list(adapter.remarks()) == []
    save(adapter.root / "disparity/val/aachen/aachen_000001_000019_disparity.png", np.zeros((6, 8), dtype=np.uint16))
    (told,) = adapter.remarks()
    assert (told.code, told.found) == ("disparity-missing", "no such file, the first of 2")
    assert "all 3 frames" in told.expected


def test_every_choice_of_formula_reaches_the_reader(tmp_path: Path) -> None:
    first, second = (
        get_adapter("cityscapes", tmp_path, Options(distance=DistanceFormula(zero_disparity=zero)))
        for zero in ("infinite", "invalid")
    )
    assert first.reader != second.reader


def test_distances_of_the_fixture_are_medians_by_plain_numpy(shared: Path) -> None:
    adapter = get_adapter("cityscapes", shared / "fixtures" / "cityscapes" / "dataset")
    checked = 0
    for frame in adapter.frames("val"):
        stem = f"val/{frame.image.parent.name}/{frame.name}"
        disparity = np.asarray(Image.open(adapter.root / "disparity" / f"{stem}_disparity.png")).astype(float)
        camera = json.loads((adapter.root / "camera" / f"{stem}_camera.json").read_text())
        scale = camera["extrinsic"]["baseline"] * camera["intrinsic"]["fx"] * 256
        truth = adapter.ground_truth(frame)
        for segment in (*truth.instances, *truth.groups):
            values = disparity[rle.decode(segment.rle)]
            valid = values[values > 0]
            assert segment.stereo_density == len(valid) / len(values)
            expected = np.median(scale / (valid - 1)) if len(valid) else -1
            assert segment.distance_m == pytest.approx(expected, rel=1e-12)
            checked += 1
    assert checked == 154
