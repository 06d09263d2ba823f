"""Images of any size to one batch, and boxes between the two resolutions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection.image_list import ImageList

from robsub.recipe import ModelConfig

SIZE_DIVISOR = 32
"""The stride of P5: the pyramid's levels fit each other on multiples of it."""


class InputTransform(nn.Module):
    """Resizes, normalises and pads images to one batch on the model's device."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.min_size, self.max_size = config.min_size, config.max_size
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(config.image_mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.image_std).view(3, 1, 1), persistent=False)

    def forward(self, images: Sequence[Tensor], min_size: int | None = None) -> ImageList:
        """Batch images of (3, H, W) RGB, uint8 or float in [0, 1].

        Args:
            images: of any sizes, on any device.
            min_size: another shorter side than the configured one; the limit of the longer side grows with it.

        Returns:
            ``tensors`` (N, 3, H', W') float32, zero (the mean colour) beyond each image at the right and the bottom,
            H' and W' multiples of 32; ``image_sizes``, each image's (height, width) in the batch.
        """
        inputs = [self.prepare(image, min_size or self.min_size) for image in images]
        sizes = [(image.shape[1], image.shape[2]) for image in inputs]
        batch = inputs[0].new_zeros(len(inputs), 3, *padded_size(sizes))
        for canvas, image in zip(batch, inputs, strict=True):
            canvas[:, : image.shape[1], : image.shape[2]] = image
        return ImageList(batch, sizes)

    def alike(self, images: Sequence[Tensor]) -> list[list[int]]:
        """Indices of the images whose batches have the same (H', W'), group by group."""
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index, image in enumerate(images):
            new = input_size((image.shape[1], image.shape[2]), self.min_size, self.max_size)
            groups[padded_size([new])].append(index)
        return list(groups.values())

    def prepare(self, image: Tensor, min_size: int) -> Tensor:
        """(3, H', W') float32 of the network's size, with the configured mean and scale taken out.

        After resizing, which gives the same but for rounding: most images get smaller.
        """
        full = 255 if image.dtype == torch.uint8 else 1
        resized = self.resize(image.to(self.mean.device).float(), min_size)
        return (resized - full * self.mean) / (full * self.std)

    def resize(self, image: Tensor, min_size: int) -> Tensor:
        """Bring (3, H, W) to the network's size, bilinear on pixel centres as in Detectron."""
        old = (image.shape[1], image.shape[2])
        new = input_size(old, min_size, round(self.max_size * min_size / self.min_size))
        return image if new == old else F.interpolate(image[None], new, mode="bilinear", align_corners=False)[0]


def input_size(size: tuple[int, int], min_size: int, max_size: int) -> tuple[int, int]:
    """The (height, width) an image gets: its shorter side ``min_size``, but its longer side at most ``max_size``."""
    scale = min(min_size / min(size), max_size / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def padded_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The (height, width) of a batch of images of these sizes."""
    height, width = (-(-max(side) // SIZE_DIVISOR) * SIZE_DIVISOR for side in zip(*sizes, strict=True))
    return height, width


def scale_boxes(boxes: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Boxes (N, 4) XYXY of an image of (height, width) ``old``, in the pixels of its copy of size ``new``."""
    y, x = new[0] / old[0], new[1] / old[1]
    return boxes * boxes.new_tensor((x, y, x, y))
