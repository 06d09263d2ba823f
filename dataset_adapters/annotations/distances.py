"""Distances from stereo: Cityscapes' disparity map and camera to one distance and one density per object.

The server's formula is not public. ``evalInstanceLevelSemanticLabeling.py`` names its fields ``medDist`` and
``minStereoDensities``: a median, and a share of pixels with stereo. What these names leave open is a choice here, with
the plainest reading as default (docs/adding-a-benchmark.md, "Distances").
"""

from __future__ import annotations

import math
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.json_files import open_json


@dataclass(frozen=True)
class DistanceFormula:
    """The readings of "distance of an object" that the public files allow.

    Attributes:
        median_of: take the median of depths, or of disparities and then its depth. They differ only where an even
            number of pixels leaves two middle values.
        measure: the depth along the optical axis, or the length of the ray to the pixel.
        zero_disparity: a pixel value of 1 says disparity 0: infinitely far, or not measured.
    """

    median_of: Literal["depth", "disparity"] = "depth"
    measure: Literal["depth", "ray"] = "depth"
    zero_disparity: Literal["infinite", "invalid"] = "infinite"

    def __str__(self) -> str:
        """As the command line takes it."""
        return " ".join(f"{name}={choice}" for name, choice in asdict(self).items())


@dataclass(frozen=True, slots=True)
class Camera:
    """What a frame's camera file says: baseline in metres, focal lengths and principal point in pixels."""

    baseline: float
    fx: float
    fy: float
    u0: float
    v0: float


def read_camera(path: Path) -> Camera:
    """Read a ``*_camera.json``; only baseline and fx must be there, the rest defaults to a centred square pixel.

    Raises:
        InputError: the file is missing or broken, lacks one of the two, or has values that no camera has.
    """
    with open_json(
        path, what="camera",
        expected="JSON with extrinsic.baseline and intrinsic.fx, for the distances of a frame with disparity",
        fix="Extract camera_trainvaltest.zip beside disparity, or remove the disparity folder.",
    ) as data:  # fmt: skip
        intrinsic, fx = data["intrinsic"], float(data["intrinsic"]["fx"])
        fy, u0, v0 = (float(intrinsic.get(key, default)) for key, default in (("fy", fx), ("u0", 1024), ("v0", 512)))
        camera = Camera(float(data["extrinsic"]["baseline"]), fx, fy, u0, v0)
        if not all(map(math.isfinite, astuple(camera))) or min(camera.baseline, fx, fy) <= 0:
            raise ValueError(f"{camera} is impossible")
        return camera


@dataclass(frozen=True)
class DepthMap:
    """A frame's disparity with its camera.

    Attributes:
        pixels: (H, W) uint16 as in the file: 0 is invalid, else disparity = (p - 1) / 256 pixels (Cityscapes README).
        camera: the frame's own camera; focal length and baseline differ between recordings.
        formula: which reading of distance.
    """

    pixels: NDArray[np.uint16]
    camera: Camera
    formula: DistanceFormula = DistanceFormula()

    def distance(self, mask: NDArray[np.bool_], corner: tuple[int, int] = (0, 0)) -> tuple[float, float]:
        """Median distance in metres (-1 where no pixel has one) and stereo density of the pixels of a mask.

        Args:
            mask: (h, w) window of the frame.
            corner: (row, column) of the window's upper left pixel in the frame.
        """
        row, column = corner
        values = self.pixels[row : row + mask.shape[0], column : column + mask.shape[1]]
        valid = mask & (values > (self.formula.zero_disparity == "invalid"))
        chosen = values[valid].astype(np.float64)
        density = chosen.size / np.count_nonzero(mask)
        if not chosen.size:
            return -1.0, density
        if self.formula.measure == "ray":
            rows, columns = np.nonzero(valid)
            return float(np.median(self._depth(chosen) * self._stretch(rows + row, columns + column))), density
        return self._median_depth(chosen), density

    def _median_depth(self, chosen: NDArray[np.float64]) -> float:
        # Depth falls as disparity grows, so the middle disparities are those of the middle depths.
        middle = np.array([(chosen.size - 1) // 2, chosen.size // 2])
        pair = np.partition(chosen, middle)[middle]
        if self.formula.median_of == "disparity":
            return float(self._depth(pair.mean(keepdims=True))[0])
        return float(self._depth(pair).mean())

    def _depth(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore"):
            depth: NDArray[np.float64] = np.divide(self.camera.baseline * self.camera.fx * 256, pixels - 1)
        return depth

    def _stretch(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Length of the ray to a pixel, per metre of depth."""
        x = (columns - self.camera.u0) / self.camera.fx
        y = (rows - self.camera.v0) / self.camera.fy
        stretch: NDArray[np.float64] = np.sqrt(1 + x * x + y * y)
        return stretch
