"""What the model finds in one image."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Detections:
    """The objects found in one image, by falling score.

    Attributes:
        boxes: (N, 4) float32 XYXY in continuous pixels of the image as given.
        scores: (N,) float32 in [0, 1].
        labels: (N,) int64, 1 up to the number of classes; 0 would be the background.
        mask_probs: (N, 28, 28) float32 in [0, 1], the object's mask stretched over its box
            (``robsub.model.paste`` makes image masks of them).
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    mask_probs: Tensor

    def __len__(self) -> int:
        return len(self.scores)
