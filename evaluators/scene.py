"""One image in pixel counts: how much predictions and regions share. Masks stay RLE and are seen here only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.ground_truth import Prediction, Segment
from dataset_adapters.rle import overlaps, union
from evaluators.protocol import Mode, Protocol


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """P predictions and the G regions of evaluated classes that one image has, in M modes of a protocol.

    Attributes:
        classes: (P,) class index of each prediction.
        scores, areas: (P,) its score and its pixels.
        void_pixels: (P,) its pixels on void.
        region_classes: (G,) class index of each region.
        region_areas: (G,) its pixels.
        shared: (P, G) shared pixels, whatever the classes.
        fits: (M, G) the region is of the mode's size, near and well measured enough for it.
        groups: (G,) the region forgives instead of being looked for.
    """

    classes: NDArray[np.int16]
    scores: NDArray[np.float64]
    areas: NDArray[np.int64]
    void_pixels: NDArray[np.int64]
    region_classes: NDArray[np.int16]
    region_areas: NDArray[np.int64]
    shared: NDArray[np.int64]
    fits: NDArray[np.bool_]
    groups: NDArray[np.bool_]

    @classmethod
    def measure(
        cls,
        protocol: Protocol,
        order: Mapping[str, int],
        segments: Sequence[Segment],
        predictions: Sequence[Prediction],
        size: tuple[int, int],
    ) -> Scene:
        """Count the pixels.

        Args:
            order: class -> index, of the evaluated classes.
            segments: all regions of the image.
            predictions: those of evaluated classes. Empty masks are left out where a prediction may match several
                objects; COCO counts them as false.
            size: (height, width) of the image.
        """
        regions = [s for s in segments if s.label.name in order]
        void = union([s.rle for s in segments if protocol.is_void(s)], size)
        areas, shared = overlaps([p.rle for p in predictions], [void, *(s.rle for s in regions)])
        seen = np.arange(len(areas)) if protocol.one_to_one else np.flatnonzero(areas)
        found, areas, shared = [predictions[i] for i in seen.tolist()], areas[seen], shared[seen]
        return cls(
            classes=np.array([order[p.label] for p in found], dtype=np.int16),
            scores=np.array([p.score for p in found], dtype=np.float64),
            areas=areas,
            void_pixels=areas - _covered(found, regions, size) if protocol.rest_is_void else shared[:, 0],
            region_classes=np.array([order[s.label.name] for s in regions], dtype=np.int16),
            region_areas=np.array([s.pixels for s in regions], dtype=np.int64),
            shared=shared[:, 1:],
            fits=_fits(protocol.modes, regions),
            groups=np.array([s.is_group and not protocol.groups_count for s in regions], dtype=np.bool_),
        )

    @property
    def same_class(self) -> NDArray[np.bool_]:
        """(P, G) prediction and region are of one class."""
        return np.equal(self.classes[:, None], self.region_classes)

    def iou(self) -> NDArray[np.float64]:
        """(P, G) intersection over union, whatever the classes."""
        union = self.areas[:, None] + self.region_areas - self.shared
        return np.asarray(self.shared / np.maximum(union, 1))

    @property
    def counted(self) -> NDArray[np.bool_]:
        """(M, G) regions that are objects to be found."""
        return self.fits & ~self.groups


def _fits(modes: Sequence[Mode], regions: Sequence[Segment]) -> NDArray[np.bool_]:
    """(M, G) by what the ground truth says of each region."""
    sizes = np.array([s.pixels if s.stated_area is None else s.stated_area for s in regions], dtype=np.float64)
    # Without a distance: the official defaults, medDist = -1 and distConf = 0.
    distances = np.array([-1.0 if s.distance_m is None else s.distance_m for s in regions])
    densities = np.array([s.stereo_density or 0.0 for s in regions])
    fits = [
        (sizes >= mode.min_pixels) & (sizes <= mode.max_pixels)
        & (distances <= mode.max_distance_m) & (densities >= mode.min_stereo_density)
        for mode in modes
    ]  # fmt: skip
    return np.stack(fits)


def _covered(found: Sequence[Prediction], regions: Sequence[Segment], size: tuple[int, int]) -> NDArray[np.int64]:
    """(P,) pixels of each prediction on any of the regions."""
    return overlaps([p.rle for p in found], [union([s.rle for s in regions], size)])[1][:, 0]
