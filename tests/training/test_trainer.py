"""What the options of the loop do to a step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from dataset_adapters.problems import InputError
from dataset_adapters.registry import get_adapter
from robsub.config import load_recipe
from robsub.train import train
from robsub.training.checkpoint import Former, load_checkpoint
from robsub.training.distributed import Process
from robsub.training.joint_dataset import Sample, load_sample
from robsub.training.trainer import Trainer
from tests.training.recorded_training import in_order
from tests.training.runs import SETTINGS, losses

PLAIN = ("train.optimizer=sgd", "train.learning_rate=1", "train.momentum=0", "train.weight_decay=0")
PLAIN += ("train.warmup_iterations=0", "train.schedule=steps", "train.steps=[]", "train.step_rates=[]")


@pytest.fixture
def samples(world: Path) -> list[Sample]:
    adapter = get_adapter("kitti", world)
    return [load_sample(adapter, frame) for frame in adapter.frames("train")[:2]]


def trainer_of(out: Path, *settings: str) -> Trainer:
    torch.manual_seed(0)
    trainer = Trainer(load_recipe("demo", (*SETTINGS, *PLAIN, *settings)), (), out, Process(0, 1, torch.device("cpu")))
    trainer.model.train()
    return trainer


def moved(trainer: Trainer, samples: list[Sample]) -> float:
    """Length of one step through all weights."""
    before = [p.detach().clone() for p in trainer.model.parameters()]
    trainer._step(trainer.model, samples, 0.0)
    steps = [p.detach() - b for p, b in zip(trainer.model.parameters(), before, strict=True)]
    return float(torch.cat([step.flatten() for step in steps]).double().norm())


def test_a_step_is_no_longer_than_the_clipped_gradient(tmp_path: Path, samples: list[Sample]) -> None:
    free = moved(trainer_of(tmp_path, "train.clip_norm=0"), samples)
    assert free > 0.1
    assert moved(trainer_of(tmp_path, "train.clip_norm=0.05"), samples) == pytest.approx(0.05, rel=1e-3)
    assert moved(trainer_of(tmp_path, f"train.clip_norm={2 * free}"), samples) == pytest.approx(free, rel=1e-6)


def test_the_gradient_of_several_parts_is_that_of_the_whole(
    tmp_path: Path, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of images of one size, here one image twice."""
    monkeypatch.setattr(torch, "randperm", in_order)
    monkeypatch.setattr(Trainer, "_clip", lambda *_: None)
    gradients, numbers, sizes = [], [], []
    for parts in (1, 2):
        trainer = trainer_of(tmp_path, "train.learning_rate=0", f"train.accumulate={parts}")
        trainer.model.backbone.register_forward_hook(lambda *a: sizes.append(len(a[1][0])))  # type: ignore[misc]
        numbers.append(trainer._step(trainer.model, samples[:1] * 2, 0.0))
        gradients.append(torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]))
    assert sizes == [2, 1, 1]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-5)
    assert (gradients[0] - gradients[1]).norm() < 1e-4 * gradients[0].norm()


def test_the_average_follows_the_weights_and_is_what_is_scored(tmp_path: Path, samples: list[Sample]) -> None:
    trainer = trainer_of(tmp_path, "train.ema=0.9", "train.learning_rate=0.1")
    name = "roi_heads.box_predictor.bbox_pred.bias"
    trained, followed = (lambda m=m: m.state_dict()[name].clone() for m in (trainer.model, trainer.predictor))
    assert trainer.predictor is not trainer.model
    for step in range(2):
        before = followed()
        trainer._step(trainer.model, samples, 0.0)
        expected = trained() if step == 0 else 0.9 * before + 0.1 * trained()
        torch.testing.assert_close(followed(), expected)
        assert step == 0 or not torch.equal(trained(), followed())
    scored: list[object] = []
    trainer.validation = SimpleNamespace(  # type: ignore[assignment]
        score=lambda model: (scored.append(model), ({"AP": 0.5}, []))[1]
    )
    trainer.best = {"iteration": 1, "AP": 0.6}
    trainer._validate(None, None)  # type: ignore[arg-type]
    assert scored == [trainer.predictor]


def test_the_drawn_size_is_that_of_the_step_alone(
    tmp_path: Path, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(tmp_path, "train.shorter_sides=[48]")
    seen: list[int] = []
    monkeypatch.setattr(Trainer, "_clip", lambda self, _: seen.append(self.model.transform.min_size))
    own = trainer.model.config.min_size
    trainer._step(trainer.model, samples, 0.0)
    assert (seen, trainer.model.transform.min_size) == ([48], own)
    monkeypatch.setattr(Trainer, "_clip", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trainer._step(trainer.model, samples, 0.0)
    assert trainer.model.transform.min_size == own


def test_layers_compute_in_bfloat16_and_losses_are_float32(tmp_path: Path, samples: list[Sample]) -> None:
    kinds: dict[str, torch.dtype] = {}
    for precision in ("float32", "bfloat16"):
        trainer = trainer_of(tmp_path, f"train.precision={precision}")
        convolution: nn.Module = trainer.model.backbone.body.layer1[0].conv1
        convolution.register_forward_hook(lambda *a, p=precision: kinds.update({p: a[2].dtype}))  # type: ignore[misc]
        losses = trainer._losses(trainer.model, samples)
        assert {loss.dtype for loss in losses.values()} == {torch.float32}
    assert kinds == {"float32": torch.float32, "bfloat16": torch.bfloat16}


def test_channels_are_innermost_if_asked(tmp_path: Path, samples: list[Sample]) -> None:
    for wanted in (True, False):
        trainer = trainer_of(tmp_path, f"train.channels_last={str(wanted).lower()}")
        trainer._step(trainer.model, samples, 0.0)
        weights = [p for p in trainer.model.parameters() if p.ndim == 4 and p.shape[1] > 1 and p.shape[2] > 1]
        assert all(w.is_contiguous(memory_format=torch.channels_last) == wanted for w in weights)


def test_the_backbone_is_compiled_and_the_losses_stay(
    whole: Path, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[nn.Module] = []

    def compile_eagerly(self: nn.Module) -> None:
        compiled.append(self)
        self._compiled_call_impl = torch.compile(self._call_impl, backend="eager")

    monkeypatch.setattr(nn.Module, "compile", compile_eagerly)
    train(load_recipe("demo", (*SETTINGS, "train.compile=true", "train.iterations=2")), world, tmp_path)
    assert [type(module).__name__ for module in compiled] == ["BackboneWithFPN"]
    expected = [loss for _, loss in losses(whole)[:2]]
    assert [loss for _, loss in losses(tmp_path)] == pytest.approx(expected, rel=1e-2)
    assert load_checkpoint(tmp_path)["model"].keys() == load_checkpoint(whole)["model"].keys()


def test_frozen_stages_keep_the_weights_that_the_run_began_with(whole: Path, world: Path, tmp_path: Path) -> None:
    frozen = (f"train.init={whole}", "train.freeze_stages=2", "train.ema=0.5", "train.iterations=2")
    train(load_recipe("demo", (*SETTINGS, *frozen)), world, tmp_path)
    ours, theirs = (load_checkpoint(path)["model"] for path in (tmp_path, whole))
    kept = {name for name, weight in theirs.items() if torch.equal(ours[name], weight)}
    body = {name for name in theirs if name.startswith("backbone.body.")}
    assert kept & body == {name for name in body if name.split(".")[2] in ("conv1", "bn1", "layer1")}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda weight: None, "missing"),
        (lambda weight: weight[:-1], "of shape"),
        (lambda weight: weight * float("nan"), "NaN or infinite"),
    ],
)
def test_weights_of_another_network_are_not_gone_on_with(
    change: Callable[[Tensor], Tensor | None], words: str, tmp_path: Path
) -> None:
    trainer, name = trainer_of(tmp_path), "roi_heads.box_predictor.cls_score.weight"
    weights = trainer.model.state_dict()
    weights = {key: value for key, value in {**weights, name: change(weights[name])}.items() if value is not None}
    with pytest.raises(InputError, match=words) as error:
        trainer.start(Former(tmp_path / "checkpoint.pt", {"model": weights}))
    assert error.value.problem.file == str(tmp_path / "checkpoint.pt")
    assert name in str(error.value)
    assert "earlier checkpoint" in error.value.problem.fix
