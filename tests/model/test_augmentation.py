"""Test-time augmentation: views of one image, merged."""

from __future__ import annotations

import pytest
import torch

from robsub.model.augmentation import mirror
from robsub.model.detections import Detections
from robsub.model.mask_rcnn import MaskRCNN, build_model
from robsub.recipe import InferenceConfig, ModelConfig

from .conftest import CLASSES, scene


def build(config: ModelConfig, flip: bool = False, sizes: tuple[int, ...] = ()) -> MaskRCNN:
    torch.manual_seed(0)
    inference = InferenceConfig(score_threshold=0.0, detections_per_image=20, flip=flip, sizes=sizes)
    return build_model(config, inference, CLASSES).eval()


def assert_same(one: Detections, other: Detections, pixels: float) -> None:
    assert one.labels.tolist() == other.labels.tolist()
    torch.testing.assert_close(one.boxes, other.boxes, rtol=0, atol=pixels)
    torch.testing.assert_close(one.scores, other.scores, rtol=0, atol=1e-4)
    torch.testing.assert_close(one.mask_probs, other.mask_probs, rtol=0, atol=1e-3)


def test_one_view_is_no_augmentation(config: ModelConfig) -> None:
    image = scene(4)[0]
    assert_same(build(config).detect([image])[0], build(config, sizes=(96,)).detect([image])[0], 1e-3)


def test_flipped_views_make_mirror_images_equal(config: ModelConfig) -> None:
    """What is found in a mirror image is the mirror image of what is found: only the views together have that."""
    image, width = scene(4)[0], 192
    for sizes in ((), (96, 128)):
        model = build(config, flip=True, sizes=sizes)
        here, there = model.detect([image, image.flip(2)])
        back = Detections(mirror(there.boxes, width), there.scores, there.labels, there.mask_probs.flip(2))
        assert_same(here, back, 1e-2)
    plain = build(config)
    here, there = plain.detect([image, image.flip(2)])
    assert not torch.allclose(here.scores, there.scores, atol=1e-4)


def test_classes_and_size_of_the_image_hold(config: ModelConfig) -> None:
    image = torch.rand(3, 50, 75)
    found = build(config, flip=True, sizes=(64, 96)).detect([image], classes=[2])[0]
    assert found.labels.tolist() == [2] * 20
    assert (found.boxes <= torch.tensor([75, 50, 75, 50])).all()
    assert found.mask_probs.shape == (20, 28, 28)


@pytest.mark.parametrize("count", [0, 3])
def test_mirror_twice_is_nothing(count: int) -> None:
    boxes = torch.rand(count, 4) * 50
    torch.testing.assert_close(mirror(mirror(boxes, 80), 80), boxes)
