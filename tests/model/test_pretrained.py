"""Weights of others: Detectron's and Detectron.pytorch's by their true names, torchvision's, and forged files."""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.models.detection import maskrcnn_resnet50_fpn, maskrcnn_resnet50_fpn_v2

from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.problems import InputError
from robsub.config import load_recipe
from robsub.model.array_pickle import read_arrays
from robsub.model.detectron_weights import layers
from robsub.model.mask_rcnn import MaskRCNN, build_model
from robsub.model.pretrained import OtherSetting, load_pretrained
from robsub.model.weights_file import read_weights
from robsub.recipe import InferenceConfig, ModelConfig
from robsub.torch_files import FORMAT

from .conftest import scene

COCO_ROWS = 81


@pytest.fixture
def plain(config: ModelConfig) -> ModelConfig:
    """A small network of Detectron's shape: bottlenecks, no block in front of the heads."""
    return replace(config, block="bottleneck", nl_heads=())


def build(config: ModelConfig, classes: int = 1 + len(JOINT_CLASSES)) -> MaskRCNN:
    return build_model(config, InferenceConfig(score_threshold=0.0, detections_per_image=20), classes).eval()


def blobs_of(model: MaskRCNN) -> dict[str, np.ndarray[Any, Any]]:
    """The model's parameters as Detectron would store them, and an optimizer's buffer."""
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    state["backbone.body.conv1.weight"] = state["backbone.body.conv1.weight"][:, ::-1]
    blobs = {}
    for layer in layers(model.config):
        weight = f"{layer.blob}_s" if layer.blob.endswith("_gn") else f"{layer.blob}_w"
        for parameter, blob in (("weight", weight), ("bias", f"{layer.blob}_b")):
            if f"{layer.ours}.{parameter}" in state:
                blobs[blob] = np.ascontiguousarray(state[f"{layer.ours}.{parameter}"])
    return {**blobs, "conv1_w_momentum": np.zeros(3, np.float32)}


def python2_pickle(blobs: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    """``pickle.dumps({"blobs": blobs, "cfg": "..."}, 2)`` of Python 2, opcode by opcode: its strings are bytes."""

    def text(value: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(value)) + value

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    def array(value: np.ndarray[Any, Any]) -> bytes:
        made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + number(0) + b"\x85" + text(b"b") + b"tR"
        dtype = b"cnumpy\ndtype\n" + text(b"f4") + number(0) + number(1) + b"\x87R"
        dtype += b"(" + number(3) + text(b"<") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
        shape = b"(" + b"".join(map(number, value.shape)) + b"t"
        return made + b"(" + number(1) + shape + dtype + b"\x89" + text(value.tobytes()) + b"tb"

    items = b"".join(text(name.encode()) + array(value) for name, value in blobs.items())
    return b"\x80\x02}(" + text(b"blobs") + b"}(" + items + b"u" + text(b"cfg") + text(b"MODEL: {}") + b"u."


def run_of(model: MaskRCNN) -> dict[str, Any]:
    """A checkpoint of robsub."""
    recipe = {"model": asdict(model.config)}
    return {"format": FORMAT, "recipe": recipe, "classes": list(JOINT_CLASSES), "model": model.state_dict()}


def detections(model: MaskRCNN) -> list[Tensor]:
    image = torch.rand(3, 96, 192, generator=torch.Generator().manual_seed(1))
    found = model.detect([image])[0]
    assert len(found)
    return [found.boxes, found.scores, found.labels, found.mask_probs]


@pytest.mark.parametrize("python2", [True, False])
def test_model_final(plain: ModelConfig, tmp_path: Path, python2: bool) -> None:
    """Every parameter arrives, those of the first convolution as RGB; the joint classes take their rows of COCO's."""
    theirs = build(plain, COCO_ROWS).state_dict()
    path = tmp_path / "model_final.pkl"
    blobs = blobs_of(build_like(plain, theirs))
    path.write_bytes(python2_pickle(blobs) if python2 else pickle.dumps({"blobs": blobs, "cfg": ""}, 2))
    model = build(plain)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    report = load_pretrained(model, path, JOINT_CLASSES)
    assert report.kept == report.unused == ()
    assert set(report.classes) == {"person", "car", "truck", "bus", "train", "motorcycle", "bicycle"} | {
        "bed", "chair", "refrigerator", "toilet", "sink", "sofa", "table",
    }  # fmt: skip
    for name, value in model.state_dict().items():
        if value.shape == theirs[name].shape:
            assert torch.equal(value, theirs[name]), name
    each = {"roi_heads.box_predictor.bbox_pred.weight": 4, "roi_heads.mask_predictor.mask_fcn_logits.bias": 1}
    for name, rows in each.items():
        after = model.state_dict()[name]
        # COCO's classes without gaps: background 0, person 1, car 3, couch 58
        for ours, coco in (("background", 0), ("person", 1), ("car", 3), ("sofa", 58)):
            row = 0 if ours == "background" else 1 + JOINT_CLASSES.index(ours)
            assert torch.equal(after[rows * row : rows * (row + 1)], theirs[name][rows * coco : rows * (coco + 1)])
        rider = 1 + JOINT_CLASSES.index("rider")
        assert torch.equal(after[rows * rider : rows * (rider + 1)], before[name][rows * rider : rows * (rider + 1)])


def build_like(config: ModelConfig, state: Mapping[str, Tensor]) -> MaskRCNN:
    model = build(config, COCO_ROWS)
    model.load_state_dict(state)
    return model


def test_imagenet_backbone_fills_the_backbone_alone(plain: ModelConfig, tmp_path: Path) -> None:
    blobs = {n: b for n, b in blobs_of(build(plain)).items() if n.startswith(("conv1", "res")) and "momentum" not in n}
    path = tmp_path / "R-50-GN.pkl"
    path.write_bytes(python2_pickle({**blobs, "pred_w": np.zeros((5, 4), np.float32)}))
    report = load_pretrained(build(replace(plain, nl_heads=("box",))), path, JOINT_CLASSES)
    assert len(report.loaded) == len(blobs)
    assert all(name.startswith("backbone.body.") for name in report.loaded)
    assert report.unused == ("pred_w",)
    assert "roi_heads.box_roi_pool.block.phi.weight" in report.kept
    assert "trained with model.geometry = detectron, here torchvision" in report.text()
    assert "--recipe detectron" in report.text()


def test_recipe_detectron_has_the_settings_of_its_weights(tmp_path: Path) -> None:
    path = tmp_path / "R-50-GN.pkl"
    path.write_bytes(python2_pickle({"conv1_w": np.zeros((64, 3, 7, 7), np.float32)}))
    ours, papers = load_recipe("detectron").model, load_recipe("rob2018").model
    assert read_weights(path, ours).config == ours
    trained = read_weights(path, papers).config
    assert trained == ours != papers


@pytest.mark.parametrize("convs", [0, 2])
def test_model_with_blocks_starts_as_the_one_without(plain: ModelConfig, tmp_path: Path, convs: int) -> None:
    plain = replace(plain, box_convs=convs)
    without = build(plain)
    torch.save(run_of(without), tmp_path / "w.pt")
    model = build(replace(plain, nl_heads=("box", "mask")))
    report = load_pretrained(model, tmp_path / "w.pt", JOINT_CLASSES)
    assert all(".block." in name for name in report.kept)
    assert report.unused == ()
    assert report.other_settings == (OtherSetting("nl_heads", (), ("box", "mask")),)
    for ours, theirs in zip(detections(model), detections(without), strict=True):
        assert torch.equal(ours, theirs)
    model.train()
    image, target = scene(3)
    torch.autograd.backward(list(model.losses([image], [target]).values()))
    widened = model.get_parameter("roi_heads.mask_head.0.0.weight").grad
    assert widened is not None
    assert widened[:, plain.fpn_channels :].abs().sum() > 0  # it learns from the first step


@pytest.mark.parametrize(
    ("setting", "value", "here"),
    [
        ("width", 8, 16), ("stem_kernel", 7, 3), ("fpn_channels", 16, 32), ("box_fc", 128, 256), ("box_convs", 3, 2),
        ("mask_convs", 1, 2), ("layers", (1, 1, 2, 1), (1, 1, 1, 1)), ("block", "basic", "bottleneck"),
    ],
)  # fmt: skip
def test_a_run_of_another_network_is_refused(
    plain: ModelConfig, tmp_path: Path, setting: str, value: Any, here: Any
) -> None:
    torch.save(run_of(build(replace(plain, **{setting: value}))), tmp_path / "run.pt")
    with pytest.raises(InputError) as error:
        load_pretrained(build(plain), tmp_path / "run.pt", JOINT_CLASSES)
    problem = error.value.problem
    assert (problem.found, problem.expected) == (f"weights of model.{setting} = {value}", f"model.{setting} = {here}")


def test_half_a_run_is_refused(plain: ModelConfig, tmp_path: Path) -> None:
    run = run_of(build(plain))
    del run["model"]["rpn.head.cls_logits.weight"]
    torch.save(run, tmp_path / "run.pt")
    with pytest.raises(InputError, match=r"no tensor that fits rpn\.head\.cls_logits\.weight"):
        load_pretrained(build(plain), tmp_path / "run.pt", JOINT_CLASSES)


@pytest.mark.parametrize("convs", [0, 2])
@pytest.mark.parametrize("change", [{"nl_g": 4}, {"nl_embedding": 4}, {"nl_heads": ()}])
def test_heads_go_on_without_a_block_that_does_not_fit(
    plain: ModelConfig, tmp_path: Path, convs: int, change: Any
) -> None:
    """They keep what they know of a RoI's own features, and read nothing yet from the new block."""
    trained = replace(plain, nl_heads=("box", "mask"), box_convs=convs)
    theirs = build(trained)
    torch.save(run_of(theirs), tmp_path / "run.pt")
    model = build(replace(trained, **change))
    report = load_pretrained(model, tmp_path / "run.pt", JOINT_CLASSES)
    (name,) = change
    assert report.other_settings == (OtherSetting(name, getattr(trained, name), change[name]),)
    assert f"trained with model.{name} = {getattr(trained, name)}, here {change[name]}" in report.text()
    assert all(".block." in name for name in (*report.kept, *report.unused))
    cells = {"roi_heads.box_head.fc6.weight": 49} if convs == 0 else {"roi_heads.box_head.0.0.weight": 1}
    for head, each in {**cells, "roi_heads.mask_head.0.0.weight": 1}.items():
        own, given = model.get_parameter(head), theirs.get_parameter(head)
        features = plain.fpn_channels * each
        assert torch.equal(own[:, :features], given[:, :features])
        assert not own[:, features:].any()


def test_a_run_of_the_same_network_is_taken_whole(plain: ModelConfig, tmp_path: Path) -> None:
    theirs = build(replace(plain, nl_heads=("box",), rpn_batch=64))
    torch.save(run_of(theirs), tmp_path / "run.pt")
    model = build(replace(plain, nl_heads=("box",)))
    report = load_pretrained(model, tmp_path / "run.pt", JOINT_CLASSES)
    assert report.kept == report.unused == ()
    assert report.other_settings == (OtherSetting("rpn_batch", 64, 128),)
    for ours, wanted in zip(model.state_dict().values(), theirs.state_dict().values(), strict=True):
        assert torch.equal(ours, wanted)


def test_detectron_pytorch_checkpoint(plain: ModelConfig, tmp_path: Path) -> None:
    theirs = build(plain, COCO_ROWS)
    state = theirs.state_dict()
    modules = {
        f"{layer.module}.{parameter}": state[f"{layer.ours}.{parameter}"]
        for layer in layers(plain) for parameter in ("weight", "bias") if f"{layer.ours}.{parameter}" in state
    }  # fmt: skip
    torch.save({"step": 9, "model": modules, "optimizer": {"state": {}}}, tmp_path / "model_step9.pth")
    model = build(plain)
    report = load_pretrained(model, tmp_path / "model_step9.pth", JOINT_CLASSES)
    assert (report.source, report.kept, report.unused) == ("Detectron.pytorch", (), ())
    own = model.state_dict()
    assert torch.equal(own["backbone.body.conv1.weight"], state["backbone.body.conv1.weight"].flip(1))
    assert torch.equal(own["backbone.fpn.inner_blocks.0.0.weight"], state["backbone.fpn.inner_blocks.0.0.weight"])


@pytest.mark.parametrize(("make", "convs"), [(maskrcnn_resnet50_fpn, 0), (maskrcnn_resnet50_fpn_v2, 4)])
def test_torchvision_names(make: Any, convs: int, tmp_path: Path) -> None:
    """Every convolution and layer of torchvision's models has a place; their batch norms have none."""
    with torch.device("meta"):
        theirs = make(weights=None, weights_backbone=None).state_dict()
    torch.save(theirs, tmp_path / "maskrcnn.pth")
    weights = read_weights(tmp_path / "maskrcnn.pth", ModelConfig())
    with torch.device("meta"):
        own = build(ModelConfig(nl_heads=(), box_convs=convs), 91).state_dict()
    foreign = {name for name in weights.tensors if name not in own}
    assert {n for n in foreign if not n.startswith("batch norm ")} <= {
        *(f"backbone.fpn.{kind}_blocks.{i}.0.bias" for kind in ("inner", "layer") for i in range(4)),
        *(f"roi_heads.mask_head.{i}.0.bias" for i in range(4)),
        "rpn.head.conv.1.0.weight", "rpn.head.conv.1.0.bias",
    }  # fmt: skip
    assert all(value.shape == own[name].shape for name, value in weights.tensors.items() if name in own)
    assert weights.classes is not None
    assert (len(weights.classes), weights.classes[1], weights.classes[3], weights.classes[63]) == (
        91,
        "person",
        "car",
        "sofa",
    )


def test_old_torchvision_names(plain: ModelConfig, tmp_path: Path) -> None:
    old = {
        "backbone.fpn.layer_blocks.2.weight": torch.full((32, 32, 3, 3), 2.0), "rpn.head.conv.bias": torch.ones(32),
        "roi_heads.mask_head.mask_fcn2.weight": torch.zeros(32, 32, 3, 3),
        "layer1.0.conv1.weight": torch.ones(16, 16, 1, 1),
    }  # fmt: skip
    torch.save(old, tmp_path / "old.pth")
    report = load_pretrained(build(plain), tmp_path / "old.pth", JOINT_CLASSES)
    assert set(report.loaded) == {
        "backbone.fpn.layer_blocks.2.0.weight", "rpn.head.conv.0.0.bias", "roi_heads.mask_head.1.0.weight",
        "backbone.body.layer1.0.conv1.weight",
    }  # fmt: skip


class Call:
    """A pickle of it calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.parts = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts


def test_a_pickle_that_calls_is_refused(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    path = tmp_path / "model.pkl"
    for call in (
        Call(os.system, f"touch {trap}"),
        Call(eval, f"open({str(trap)!r}, 'w')"),
        Call(np.fromfile, str(path)),
    ):
        path.write_bytes(pickle.dumps({"conv1_w": np.zeros(3, np.float32), "res2_0_branch1_w": call}))
        with pytest.raises(InputError, match="it wants to call"):
            read_arrays(path)
    assert not trap.exists()


def test_forged_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    whole = python2_pickle({"conv1_w": np.zeros((2, 3), np.float32)})
    assert b"\x02\x00\x00\x00f4" in whole
    forged = {
        "elements of type 'O8'": whole.replace(b"f4", b"O8"),
        "reshape": whole.replace(b"J\x02\x00\x00\x00J\x03\x00\x00\x00t", b"J\x02\x00\x00\x00J\x03\x00\x00\x01t"),
        "without arrays": pickle.dumps({"cfg": "MODEL: {}"}),
        "not read": pickle.dumps([1, 2]),
        "state": b"\x80\x02c_codecs\nencode\n}X\x01\x00\x00\x00aK\x01sb.",  # sets an attribute of a stand-in
    }
    for words, content in forged.items():
        path.write_bytes(content)
        with pytest.raises(InputError, match=words):
            read_arrays(path)
    path.write_bytes(whole)
    assert read_arrays(path)["conv1_w"].shape == (2, 3)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_of_pickle_is_read(tmp_path: Path, protocol: int) -> None:
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    blobs = {"rows": rows, "columns": np.asfortranarray(rows), "wide": rows.astype(np.float64)}
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"blobs": blobs}, protocol))
    read = read_arrays(tmp_path / "w.pkl")
    assert read.keys() == blobs.keys()
    for name, array in blobs.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_forged_buffers_are_refused(tmp_path: Path) -> None:
    """A number in the place of bytes would ask for that many of them."""
    framed = pickle.dumps({"conv1_w": np.zeros(2, np.float32)}, 5)
    whole = framed[:2] + framed[11:]  # without the length of what follows
    numbers = b"\x96" + struct.pack("<Q", 8) + bytes(8)
    assert numbers in whole
    for data, words in ((b"M\xff\xff", "numbers in a int"), (b"\x8c\x01a", "buffer size")):
        (tmp_path / "w.pkl").write_bytes(whole.replace(numbers, data))
        with pytest.raises(InputError, match=words):
            read_arrays(tmp_path / "w.pkl")


def test_truncated_weights_are_refused(plain: ModelConfig, tmp_path: Path) -> None:
    pickled = python2_pickle({"conv1_w": np.zeros((16, 3, 3, 3), np.float32)})
    torch.save({"conv1.weight": torch.zeros(16, 3, 3, 3)}, tmp_path / "whole.pth")
    saved = (tmp_path / "whole.pth").read_bytes()
    for name, whole in (("cut.pkl", pickled), ("cut.pth", saved)):
        for share in (0.0, 0.1, 0.5, 0.99):
            (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
            with pytest.raises(InputError, match=name):
                load_pretrained(build(plain), tmp_path / name, JOINT_CLASSES)
    with pytest.raises(InputError, match=r"none\.pkl"):
        load_pretrained(build(plain), tmp_path / "none.pkl", JOINT_CLASSES)


def test_weights_of_something_else_are_refused(plain: ModelConfig, tmp_path: Path) -> None:
    path = tmp_path / "weights.pkl"
    blobs = {"conv1_w": np.zeros((16, 3, 3, 3), np.float32), "res_conv1_bn_s": np.zeros(16, np.float32)}
    for wrong, words in (
        (blobs, "batch norm"),
        (
            {"conv1_w": np.zeros((64, 3, 7, 7), np.float32)},
            r"model\.width = 64, model\.stem_kernel = 7, expected model\.width = 16, model\.stem_kernel = 3",
        ),
        ({"head_w": np.zeros((64, 3), np.float32)}, r"no tensor that fits backbone\.body\.conv1\.weight, but head_w"),
        (
            {"conv1_w": np.full((16, 3, 3, 3), np.nan, np.float32)},
            "432 of 432 numbers NaN or infinite in backbone.body.conv1",
        ),
    ):
        path.write_bytes(python2_pickle(wrong))
        with pytest.raises(InputError, match=words):
            load_pretrained(build(plain), path, JOINT_CLASSES)
