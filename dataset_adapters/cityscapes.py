"""Cityscapes: ``<root>/<type>/<split>/<city>/<city>_<seq>_<frame>_<type>.png``, 2048 x 1024.

Sources: cityscapesScripts README and ``preparation/json2instanceImg.py`` (instance maps), ``evaluation/`` (submission).
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.base import DatasetAdapter, Frame, Split, check_size, read_instance_map
from dataset_adapters.ground_truth import GroundTruth, Segment
from dataset_adapters.images import read_id_map
from dataset_adapters.labels import ROAD_CLASSES, ROAD_LABELS
from dataset_adapters.problems import InputError
from dataset_adapters.rle import decode
from dataset_adapters.submission import SubmissionLayout

PHOTO = re.compile(r"(?P<frame>[^_]+_\d{6}_\d{6})_leftImg8bit\.png")


def decode_instance_id(value: int) -> tuple[int, bool]:
    """Pixel value -> (label id, is a group): ``label * 1000 + k`` is an instance, a bare label id stuff or a group."""
    return (value, True) if value < 1000 else (value // 1000, False)


class Cityscapes(DatasetAdapter):
    """The fine annotations; distances come from ``disparity`` and ``camera`` where these are unpacked too."""

    name = "cityscapes"
    title = "Cityscapes"
    labels = ROAD_LABELS
    splits = {"train": 2975, "val": 500, "trainval": 3475, "test": 1525}
    class_map = {name: name for name in ROAD_CLASSES}
    submission = SubmissionLayout(
        list_name="{frame}_pred.txt",
        mask_name="masks/{frame}_{index:03d}.png",
        mask_link="masks/{frame}_{index:03d}.png",
        list_pattern="{frame}*.txt",
        frame_name=r"[^_]+_\d+_\d+",
    )

    def list_frames(self, split: Split) -> list[Frame]:
        """The photos below ``leftImg8bit/<split>/<city>``; trainval is train and val."""
        if split == "trainval":
            return self.list_frames("train") + self.list_frames("val")
        frames = []
        for photo in (self.root / "leftImg8bit" / split).glob("*/*_leftImg8bit.png"):
            if match := PHOTO.fullmatch(photo.name):
                path = self._sibling(photo, split, match["frame"], "gtFine", "gtFine_instanceIds.png")
                frames.append(Frame(match["frame"], photo, None if split == "test" else path))
        return frames

    def layout_hint(self, split: Split) -> str:
        return f"leftImg8bit/{split}/<city>/*_leftImg8bit.png"

    def ground_truth(self, frame: Frame) -> GroundTruth:
        """Segments of the 16-bit instance map; with distances if the frame has a disparity map."""
        truth = read_instance_map(frame, self.labels, decode_instance_id)
        split = frame.image.parent.parent.name
        disparity = self._sibling(frame.image, split, frame.name, "disparity", "disparity.png")
        if not disparity.is_file():
            return truth
        camera = self._sibling(frame.image, split, frame.name, "camera", "camera.json")
        depth = read_depth(disparity, camera)
        check_size(disparity, (depth.shape[0], depth.shape[1]), frame.image)
        return replace(truth, segments=tuple(with_distance(s, depth) for s in truth.segments))

    def _sibling(self, photo: Path, split: str, frame: str, folder: str, suffix: str) -> Path:
        return self.root / folder / split / photo.parent.name / f"{frame}_{suffix}"


def read_depth(disparity: Path, camera: Path) -> NDArray[np.float64]:
    """Depth in metres, (H, W); 0 where the disparity is invalid.

    Disparity is ``(p - 1) / 256`` for a pixel value p > 0, p = 0 is invalid (cityscapesScripts README); depth is
    ``baseline * fx / disparity`` with the frame's own camera. p = 1, disparity 0, is infinitely far.

    Raises:
        InputError: a file is missing or broken, or the camera lacks a number.
    """
    values = read_id_map(disparity).astype(np.float64)
    try:
        data = json.loads(camera.read_text(encoding="utf-8"))
        scale = float(data["extrinsic"]["baseline"]) * float(data["intrinsic"]["fx"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            camera, found=f"no camera ({type(error).__name__}: {error})",
            expected="JSON with extrinsic.baseline and intrinsic.fx, for the distances of a frame with disparity",
            fix="Extract camera_trainvaltest.zip beside disparity, or remove the disparity folder.",
        ) from error  # fmt: skip
    with np.errstate(divide="ignore"):
        return np.where(values > 0, scale * 256 / (values - 1), 0)


def with_distance(segment: Segment, depth: NDArray[np.float64]) -> Segment:
    """The segment with the median depth of its valid pixels and their share.

    The server's formula is not public; the field names ``medDist`` and ``minStereoDensities`` of
    ``evalInstanceLevelSemanticLabeling.py`` say median and density.
    """
    z = depth[decode(segment.rle)]
    z = z[z > 0]
    median = float(np.median(z)) if z.size else -1.0
    return replace(segment, distance_m=median, stereo_density=z.size / segment.pixels)
