"""Several data sets as one, in the joint label space: photos with their objects as one map of ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms.v2.functional import horizontal_flip

from dataset_adapters import rle
from dataset_adapters.base import DatasetAdapter, Frame
from dataset_adapters.ground_truth import GroundTruth
from dataset_adapters.labels import JOINT_CLASSES
from dataset_adapters.problems import InputError
from robsub.model.id_map import IGNORE
from robsub.photos import read_photo
from robsub.training.draws import Draws
from robsub.training.images import is_object
from robsub.training.painting import paint, paint_hidden

Target = dict[str, Tensor]
CLASS_INDEX = {name: index for index, name in enumerate(JOINT_CLASSES, start=1)}


ATTEMPTS = 20
"""Draws of another image for a broken one, after which the data set is taken for broken as a whole."""


@dataclass(frozen=True)
class Sample:
    """A photo, (3, H, W) uint8 RGB, and its target as ``robsub.model`` takes it.

    Attributes:
        broken: what was wrong with the images in whose place this one was drawn.
    """

    name: str
    image: Tensor
    target: Target
    broken: tuple[InputError, ...] = ()


class JointDataset(Dataset[Sample | InputError]):
    """Draw samples of several data sets by position.

    Args:
        frames: every frame with its data set, one data set after the other.
        draws: which of them is drawn at which position.
    """

    def __init__(self, frames: Sequence[tuple[DatasetAdapter, Frame]], draws: Draws) -> None:
        self.frames = frames
        self.draws = draws

    def __getitem__(self, position: int) -> Sample | InputError:
        """The sample drawn at ``position``, or in a broken one's place another of its data set.

        An error is returned, for a worker cannot raise it whole.
        """
        index, flip = self.draws.at(position)
        broken: list[InputError] = []
        while len(broken) < ATTEMPTS:
            try:
                return replace(load_sample(*self.frames[index], flip=flip), broken=tuple(broken))
            except InputError as error:
                broken.append(error)
                index = self.draws.substitute(position, len(broken))
        adapter, _ = self.frames[index]
        return InputError(
            adapter.root, found=f"{ATTEMPTS} broken images, one after the other, the first: {broken[0]}",
            expected="a data set most of whose images open", fix="'robsub datasets' lists what is wrong with each.",
        )  # fmt: skip


def load_sample(adapter: DatasetAdapter, frame: Frame, *, flip: bool = False) -> Sample:
    """Read one frame's photo and objects.

    Args:
        adapter: the frame's data set.
        frame: an annotated frame.
        flip: mirror it left to right.

    Raises:
        InputError: the photo or the annotation cannot be read, or their sizes differ.
    """
    truth = adapter.ground_truth(frame)
    target = joint_target(truth, adapter.class_map, overlapping=adapter.objects_overlap)
    image = read_photo(frame.image)
    if flip:
        image, target = mirrored(image, target)
    return Sample(f"{adapter.name}/{frame.name}", image, target)


def joint_target(truth: GroundTruth, class_map: Mapping[str, str], *, overlapping: bool = False) -> Target:
    """One frame's objects in the joint space.

    Args:
        truth: the native ground truth.
        class_map: native label name -> joint class; labels that are not in it, and groups, are to be ignored.
        overlapping: whether objects may share pixels.

    Returns:
        What ``MaskRCNN.losses`` takes: ``ids`` (H, W) int16, 1 to N on the objects, 0 on background, IGNORE on void and
        groups, or (L, H, W) where objects hide others; ``values`` (N,) 1 to N; ``boxes`` (N, 4) float32 XYXY pixels,
        exclusive, none without area; ``labels`` (N,) int64, the class's place in JOINT_CLASSES counted from 1.
    """
    objects = [s for s in truth.segments if is_object(s, class_map)]
    ignored = [s.rle for s in truth.segments if s.is_group or s.label.name not in class_map]
    masks = [*ignored, *(s.rle for s in objects)]
    values = [*(IGNORE for _ in ignored), *range(1, len(objects) + 1)]
    ids = paint(masks, values, truth.size)
    hidden = paint_hidden([s.rle for s in objects], ids) if overlapping else []
    return {
        "ids": torch.from_numpy(np.stack([ids, *hidden]) if hidden else ids),
        "values": torch.arange(1, len(objects) + 1),
        "boxes": torch.tensor([rle.box(s.rle) for s in objects], dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor([CLASS_INDEX[class_map[s.label.name]] for s in objects], dtype=torch.int64),
    }


def mirrored(image: Tensor, target: Target) -> tuple[Tensor, Target]:
    """Image and target left to right, by torchvision's transforms; the map of ids is a mask to them."""
    size = (target["ids"].shape[-2], target["ids"].shape[-1])
    boxes = tv_tensors.BoundingBoxes(target["boxes"], format="XYXY", canvas_size=size)
    parts = (tv_tensors.Image(image), tv_tensors.Mask(target["ids"]), boxes)
    turned, ids, boxes = (horizontal_flip(part).as_subclass(Tensor) for part in parts)
    return turned, {**target, "ids": ids, "boxes": boxes}
