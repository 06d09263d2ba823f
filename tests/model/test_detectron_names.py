"""The names of Detectron and of Detectron.pytorch, pair by pair, as their sources have them."""

from __future__ import annotations

import pytest
import torch

from robsub.model.detectron_weights import from_blobs, from_modules, layers
from robsub.model.mask_rcnn import build_model
from robsub.recipe import InferenceConfig, ModelConfig

NORMED = """
conv1                         backbone.body.conv1                backbone.body.bn1
fpn_inner_res5_2_sum          backbone.fpn.inner_blocks.3.0      backbone.fpn.inner_blocks.3.1
fpn_inner_res4_5_sum_lateral  backbone.fpn.inner_blocks.2.0      backbone.fpn.inner_blocks.2.1
fpn_inner_res3_3_sum_lateral  backbone.fpn.inner_blocks.1.0      backbone.fpn.inner_blocks.1.1
fpn_inner_res2_2_sum_lateral  backbone.fpn.inner_blocks.0.0      backbone.fpn.inner_blocks.0.1
fpn_res5_2_sum                backbone.fpn.layer_blocks.3.0      backbone.fpn.layer_blocks.3.1
fpn_res4_5_sum                backbone.fpn.layer_blocks.2.0      backbone.fpn.layer_blocks.2.1
fpn_res3_3_sum                backbone.fpn.layer_blocks.1.0      backbone.fpn.layer_blocks.1.1
fpn_res2_2_sum                backbone.fpn.layer_blocks.0.0      backbone.fpn.layer_blocks.0.1
head_conv1                    roi_heads.box_head.0.0             roi_heads.box_head.0.1
head_conv2                    roi_heads.box_head.1.0             roi_heads.box_head.1.1
head_conv3                    roi_heads.box_head.2.0             roi_heads.box_head.2.1
head_conv4                    roi_heads.box_head.3.0             roi_heads.box_head.3.1
_mask_fcn1                    roi_heads.mask_head.0.0            roi_heads.mask_head.0.1
_mask_fcn2                    roi_heads.mask_head.1.0            roi_heads.mask_head.1.1
_mask_fcn3                    roi_heads.mask_head.2.0            roi_heads.mask_head.2.1
_mask_fcn4                    roi_heads.mask_head.3.0            roi_heads.mask_head.3.1
"""
"""Detectron's name of a convolution without bias, ours, and ours of the norm behind it."""
BIASED = """
conv_rpn_fpn2        rpn.head.conv.0.0
rpn_cls_logits_fpn2  rpn.head.cls_logits
rpn_bbox_pred_fpn2   rpn.head.bbox_pred
fc6                  roi_heads.box_head.5
cls_score            roi_heads.box_predictor.cls_score
bbox_pred            roi_heads.box_predictor.bbox_pred
conv5_mask           roi_heads.mask_predictor.conv5_mask
mask_fcn_logits      roi_heads.mask_predictor.mask_fcn_logits
"""
BRANCHES = {"branch2a": ("conv1", "bn1"), "branch2b": ("conv2", "bn2"), "branch2c": ("conv3", "bn3")}
SHORTCUT = {"branch1": ("downsample.0", "downsample.1")}
STAGES = {"res2": ("layer1", 3), "res3": ("layer2", 4), "res4": ("layer3", 6), "res5": ("layer4", 3)}
MODULES = """
Conv_Body.conv_body.res1.conv1.weight                   backbone.body.conv1.weight
Conv_Body.conv_body.res1.gn1.bias                       backbone.body.bn1.bias
Conv_Body.conv_body.res2.0.conv3.weight                 backbone.body.layer1.0.conv3.weight
Conv_Body.conv_body.res3.2.gn2.weight                   backbone.body.layer2.2.bn2.weight
Conv_Body.conv_body.res4.5.conv1.weight                 backbone.body.layer3.5.conv1.weight
Conv_Body.conv_body.res5.0.downsample.0.weight          backbone.body.layer4.0.downsample.0.weight
Conv_Body.conv_body.res5.0.downsample.1.bias            backbone.body.layer4.0.downsample.1.bias
Conv_Body.conv_top.0.weight                             backbone.fpn.inner_blocks.3.0.weight
Conv_Body.topdown_lateral_modules.0.conv_lateral.0.weight  backbone.fpn.inner_blocks.2.0.weight
Conv_Body.topdown_lateral_modules.1.conv_lateral.1.bias  backbone.fpn.inner_blocks.1.1.bias
Conv_Body.topdown_lateral_modules.2.conv_lateral.1.weight  backbone.fpn.inner_blocks.0.1.weight
Conv_Body.posthoc_modules.0.0.weight                    backbone.fpn.layer_blocks.3.0.weight
Conv_Body.posthoc_modules.3.1.bias                      backbone.fpn.layer_blocks.0.1.bias
RPN.FPN_RPN_conv.weight                                 rpn.head.conv.0.0.weight
RPN.FPN_RPN_cls_score.bias                              rpn.head.cls_logits.bias
RPN.FPN_RPN_bbox_pred.weight                            rpn.head.bbox_pred.weight
Box_Head.convs.0.weight                                 roi_heads.box_head.0.0.weight
Box_Head.convs.4.weight                                 roi_heads.box_head.1.1.weight
Box_Head.convs.9.weight                                 roi_heads.box_head.3.0.weight
Box_Head.fc.bias                                        roi_heads.box_head.5.bias
Box_Outs.cls_score.weight                               roi_heads.box_predictor.cls_score.weight
Box_Outs.bbox_pred.bias                                 roi_heads.box_predictor.bbox_pred.bias
Mask_Head.conv_fcn.0.weight                             roi_heads.mask_head.0.0.weight
Mask_Head.conv_fcn.10.bias                              roi_heads.mask_head.3.1.bias
Mask_Head.upconv.weight                                 roi_heads.mask_predictor.conv5_mask.weight
Mask_Outs.classify.bias                                 roi_heads.mask_predictor.mask_fcn_logits.bias
"""
"""Detectron.pytorch's parameter, ours."""
PAPER = ModelConfig(nl_heads=())


def official() -> dict[str, str]:
    """Blob -> our parameter, of all 223 of a GN Mask R-CNN with ResNet-50 FPN."""
    normed = [line.split() for line in NORMED.strip().splitlines()]
    for stage, (layer, blocks) in STAGES.items():
        for i in range(blocks):
            for branch, (conv, norm) in (BRANCHES | (SHORTCUT if i == 0 else {})).items():
                here = f"backbone.body.{layer}.{i}"
                normed.append([f"{stage}_{i}_{branch}", f"{here}.{conv}", f"{here}.{norm}"])
    table = {}
    for blob, conv, norm in normed:
        table |= {f"{blob}_w": f"{conv}.weight", f"{blob}_gn_s": f"{norm}.weight", f"{blob}_gn_b": f"{norm}.bias"}
    for blob, layer in map(str.split, BIASED.strip().splitlines()):
        table |= {f"{blob}_w": f"{layer}.weight", f"{blob}_b": f"{layer}.bias"}
    return table


def test_the_table_is_of_every_parameter_of_the_papers_model() -> None:
    with torch.device("meta"):
        state = build_model(PAPER, InferenceConfig(), 81).state_dict()
    table = official()
    assert len(table) == len(set(table.values())) == 223
    assert set(table.values()) == state.keys()


def test_every_blob_gets_its_own_parameter() -> None:
    table = official()
    blobs = {blob: torch.full((1, 1, 1, 1), number) for number, blob in enumerate(table)}
    others = {"conv1_w_momentum": torch.zeros(1), "pred_w": torch.zeros(1)}
    named = from_blobs(blobs | others, PAPER)
    assert named.keys() == {*table.values(), "pred_w"}
    assert {ours: int(named[ours]) for ours in table.values()} == {table[blob]: int(blobs[blob]) for blob in table}


def test_blobs_of_another_depth_and_of_the_plain_box_head() -> None:
    deep = {
        "res4_22_branch2b_gn_s": "backbone.body.layer3.22.bn2.weight",
        "fpn_inner_res4_22_sum_lateral_w": "backbone.fpn.inner_blocks.2.0.weight",
        "fpn_res4_22_sum_gn_b": "backbone.fpn.layer_blocks.2.1.bias",
        "fc6_w": "roi_heads.box_head.fc6.weight",
        "fc7_b": "roi_heads.box_head.fc7.bias",
    }
    config = ModelConfig(layers=(3, 4, 23, 3), nl_heads=(), box_convs=0)
    assert list(from_blobs(dict.fromkeys(deep, torch.zeros(1)), config)) == list(deep.values())


@pytest.mark.parametrize(("theirs", "ours"), [line.split() for line in MODULES.strip().splitlines()])
def test_every_module_of_detectron_pytorch_has_its_place(theirs: str, ours: str) -> None:
    assert list(from_modules({theirs: torch.zeros(1, 1, 1, 1), "lr": torch.zeros(1)}, PAPER)) == [ours, "lr"]


def test_only_the_first_convolution_turns_its_colours() -> None:
    weight = torch.arange(3.0).view(1, 3, 1, 1)
    for named in (
        from_blobs({"conv1_w": weight, "head_conv1_w": weight}, PAPER),
        from_modules({"Conv_Body.conv_body.res1.conv1.weight": weight, "Box_Head.convs.0.weight": weight}, PAPER),
    ):
        assert [value.flatten().tolist() for value in named.values()] == [[2, 1, 0], [0, 1, 2]]


def test_layers_name_no_parameter_twice() -> None:
    for name in ("ours", "blob", "module"):
        names = [getattr(layer, name) for layer in layers(PAPER)]
        assert len(names) == len(set(names))
