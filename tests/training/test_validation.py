"""Validation while training: what is scored, what is told, and what it leaves alone."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import pytest
import torch
from torch import Tensor

from dataset_adapters import rle
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.problems import InputError
from dataset_adapters.registry import BENCHMARKS, get_adapter
from robsub.config import load_recipe
from robsub.evaluate import evaluate
from robsub.model.mask_rcnn import MaskRCNN, build_model
from robsub.photos import read_photo
from robsub.predictions import PredictionWriter, open_store
from robsub.recipe import Recipe
from robsub.train import train
from robsub.training.checkpoint import load_checkpoint
from robsub.training.distributed import Process
from robsub.training.validation import Validation
from tests.training.runs import SETTINGS, lines, losses

EVERY_SECOND = (*SETTINGS, "train.validate_every=2", "train.validate_images=1")
ALONE = Process(0, 1, torch.device("cpu"))


def test_it_does_not_disturb_training(whole: Path, world: Path, tmp_path: Path) -> None:
    train(load_recipe("demo", EVERY_SECOND), world, tmp_path)
    assert losses(tmp_path) == losses(whole)


def test_images_that_are_trained_on_are_refused(world: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.split=train"):
        train(load_recipe("demo", (*EVERY_SECOND, "train.split=trainval")), world, tmp_path)


class Oracle:
    """In the place of a detector: finds in each photo what a store holds of it."""

    def __init__(self, *_: object) -> None:
        self.model = self
        self.known: dict[bytes, list[Prediction]] = {}

    def indices(self, names: Sequence[str]) -> Sequence[str]:
        return names

    def detect(self, images: Sequence[Tensor], classes: Sequence[str]) -> list[Tensor]:
        return list(images)

    def predictions(self, image: Tensor, size: tuple[int, int]) -> list[Prediction]:
        return self.known[image.numpy().tobytes()]


def test_scores_are_those_of_evaluate_on_the_same_predictions(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle, expected = Oracle(), {}
    for name in BENCHMARKS:
        adapter = get_adapter(name, world)
        with PredictionWriter(tmp_path / name, "rank-00000", {"dataset": name, "split": "val"}) as writer:
            for frame in adapter.frames("val"):
                image, truth = read_photo(frame.image), adapter.ground_truth(frame)
                some = [s for s in truth.instances if s.label.evaluated][1:]
                found = [Prediction(s.label.name, 1 / (i + 2), rle.box(s.rle), s.rle) for i, s in enumerate(some)]
                oracle.known[image.numpy().tobytes()] = found
                writer.add(frame.name, truth.size, found)
        expected[f"AP_{name}"] = evaluate(adapter, "val", open_store(tmp_path / name, name), workers=1).metrics["AP"]
    recipe = load_recipe("demo", (*SETTINGS, "train.validate_every=1", "train.validate_images=0"))
    validation = Validation(recipe, [get_adapter(name, world) for name in BENCHMARKS], ALONE)
    monkeypatch.setattr("robsub.training.validation.Detector", lambda *_: oracle)
    scores, broken = validation.score(tiny(recipe))
    assert scores == {"AP": fmean(expected.values()), **expected}
    assert 0 < scores["AP"] < 1
    assert broken == []
    told = validation.scores_text({name: scores[name] for name in ("AP", "AP_kitti", "AP_scannet")})
    assert told.startswith(f"AP {scores['AP']:.3f}, the mean of 2 of the recipe's 5 data sets, AP_kitti ")
    assert "mean" not in validation.text()


def tiny(recipe: Recipe) -> MaskRCNN:
    return build_model(recipe.model, recipe.inference, 1 + len(JOINT_CLASSES))


def test_broken_frames_are_left_out_told_and_counted(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "datasets"
    shutil.copytree(world / "kitti", root / "kitti")
    first, second = get_adapter("kitti", root).frames("val")
    assert second.ground_truth is not None
    first.image.write_bytes(first.image.read_bytes()[:200])
    second.ground_truth.write_bytes(b"")
    options = (*SETTINGS, 'train.datasets=["kitti"]', "train.validate_every=2")
    run = train(load_recipe("demo", options), root, tmp_path / "run")
    assert run.broken == tuple(sorted(map(str, (first.image, second.ground_truth))))
    told = capsys.readouterr().err
    assert all(told.count(f"left out of validation: {path}") == 1 for path in run.broken)
    assert [(v["AP"], v["data_sets"]) for v in lines(tmp_path / "run/validation.jsonl")] == [(0.0, [])] * 3
    with pytest.raises(InputError, match="2 broken files"):
        train(load_recipe("demo", (*options, "train.max_broken=1")), root, tmp_path / "strict")
    assert load_checkpoint(tmp_path / "strict")["iteration"] == 2


@pytest.fixture
def made_scores(monkeypatch: pytest.MonkeyPatch) -> dict[int, dict[str, float]]:
    """What validations give at which iteration, without predicting; none is there at first, and none ends the run."""
    scores: dict[int, dict[str, float]] = {}
    done = iter(range(2, 100, 2))
    monkeypatch.setattr(Validation, "score", lambda *_: (scores[next(done)], []))
    return scores


def test_the_best_is_kept_beside_the_last(
    world: Path, tmp_path: Path, made_scores: dict[int, dict[str, float]]
) -> None:
    made_scores |= {i: {"AP": ap, "AP_kitti": ap} for i, ap in ((2, 0.3), (4, 0.5), (6, 0.4))}
    run = train(load_recipe("demo", EVERY_SECOND), world, tmp_path)
    assert run.best == {"iteration": 4, **made_scores[4]}
    best, last = load_checkpoint(tmp_path / "best.pt"), load_checkpoint(tmp_path)
    assert (best["iteration"], best["best"]) == (4, run.best)
    assert (last["iteration"], last["best"]) == (6, run.best)
    told = [(v["iteration"], v["AP"], v["data_sets"]) for v in lines(tmp_path / "validation.jsonl")]
    assert told == [(2, 0.3, ["kitti"]), (4, 0.5, ["kitti"]), (6, 0.4, ["kitti"])]
    assert "AP 0.500 at iteration 4" in run.text()


def test_killed_before_the_best_is_kept_the_next_start_keeps_it(
    world: Path, tmp_path: Path, made_scores: dict[int, dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_scores |= {i: {"AP": ap} for i, ap in ((2, 0.5), (4, 0.5), (6, 0.4), (8, 0.3))}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("robsub.training.checkpoint.link_checkpoint", killed_at_the_best)
        train(load_recipe("demo", EVERY_SECOND), world, tmp_path)
    assert load_checkpoint(tmp_path)["best"] == {"iteration": 2, "AP": 0.5}
    assert train(load_recipe("demo", EVERY_SECOND), world, tmp_path).best == {"iteration": 2, "AP": 0.5}
    assert load_checkpoint(tmp_path / "best.pt")["iteration"] == 2


def killed_at_the_best(file: Path, name: Path) -> None:
    if name.name == "best.pt":
        raise KeyboardInterrupt


def test_means_of_other_data_sets_are_not_compared(
    world: Path, tmp_path: Path, made_scores: dict[int, dict[str, float]]
) -> None:
    both = {"AP": 0.3, "AP_kitti": 0.5, "AP_wilddash": 0.1}
    made_scores |= {2: {"AP": 0.5, "AP_kitti": 0.5}, 4: both, 6: {**both, "AP": 0.2}}
    assert train(load_recipe("demo", EVERY_SECOND), world, tmp_path).best == {"iteration": 4, **both}


def test_a_validation_that_was_cut_short_is_made_up_for(
    world: Path, tmp_path: Path, made_scores: dict[int, dict[str, float]]
) -> None:
    made_scores |= {2: {"AP": 0.3}}
    with pytest.raises(KeyError):
        train(load_recipe("demo", EVERY_SECOND), world, tmp_path)
    assert load_checkpoint(tmp_path)["iteration"] == 4
    made_scores |= {6: {"AP": 0.5}, 8: {"AP": 0.4}}  # the third and fourth that are begun
    assert train(load_recipe("demo", EVERY_SECOND), world, tmp_path).best["iteration"] == 4
    assert [v["iteration"] for v in lines(tmp_path / "validation.jsonl")] == [2, 4, 6]
