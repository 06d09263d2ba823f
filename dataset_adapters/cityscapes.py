"""Cityscapes: ``<root>/<type>/<split>/<city>/<city>_<seq>_<frame>_<type>.png``, 2048 x 1024.

Sources: cityscapesScripts README (layout, disparity), ``preparation/json2instanceImg.py`` (instance maps),
``evaluation/`` (submission). Distances: ``annotations.distances``. Outlines: ``annotations.polygons``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dataset_adapters.annotations.coding import InstanceCoding
from dataset_adapters.annotations.distances import DepthMap, read_camera
from dataset_adapters.annotations.instance_map import annotation_of, check_size, read_instance_map, segments_of
from dataset_adapters.annotations.polygons import draw_instance_ids, read_outlines
from dataset_adapters.base import DatasetAdapter, Frame, Split, remark
from dataset_adapters.folders import existing
from dataset_adapters.ground_truth import GroundTruth, Segment
from dataset_adapters.images import read_disparity
from dataset_adapters.labels import ROAD_CLASSES, ROAD_LABELS
from dataset_adapters.problems import InputError, Problem, first_of
from dataset_adapters.rle import box, decode
from dataset_adapters.submission.layout import SubmissionLayout

PHOTO = re.compile(r"(?P<frame>[^_]+_\d{6}_\d{6})_leftImg8bit\.png")
CODING = InstanceCoding(base=1000, first=0, bare_labels=True)
INSTANCE_IDS = "gtFine_instanceIds.png"
POLYGONS = "gtFine_polygons.json"


def decode_instance_id(value: int) -> tuple[int, bool]:
    """Pixel value -> (label id, is a group): ``label * 1000 + k`` is an instance, a bare label id stuff or a group."""
    return CODING.decode(value)


class Cityscapes(DatasetAdapter):
    """The fine annotations; distances come from ``disparity`` and ``camera`` where these are unpacked too.

    A frame whose ``instanceIds`` PNG was never made is read from its polygons. The test split's ``gtFine`` holds only
    the car's own hood and the border, so its frames have no ground truth.
    """

    name = "cityscapes"
    title = "Cityscapes"
    labels = ROAD_LABELS
    splits = {"train": 2975, "val": 500, "trainval": 3475, "test": 1525}
    class_map = {name: name for name in ROAD_CLASSES}
    known_by = ("leftImg8bit", "gtFine")
    coding = CODING
    submission = SubmissionLayout(
        list_name="{frame}_pred.txt",
        mask_name="masks/{frame}_{index:03d}.png",
        mask_link="masks/{frame}_{index:03d}.png",
        list_pattern="{frame}*.txt",
        frame_name=r"[^_]+_\d+_\d+",
    )

    def list_frames(self, split: Split) -> list[Frame]:
        """The photos below ``leftImg8bit/<split>/<city>``; trainval is train and val."""
        frames = []
        for photo in self.photos(split):
            if match := PHOTO.fullmatch(photo.name):
                annotation = None if split == "test" else self._annotation(photo, match["frame"])
                frames.append(Frame(match["frame"], photo, annotation))
        return frames

    def photo_patterns(self, split: Split) -> tuple[str, ...]:
        folders = ("train", "val") if split == "trainval" else (split,)
        return tuple(f"leftImg8bit/{folder}/*/*_leftImg8bit.png" for folder in folders)

    @property
    def choices(self) -> Mapping[str, str]:
        """The formula of the distances."""
        return {"distance": str(self.options.distance)}

    def ground_truth_files(self, frame: Frame) -> list[Path]:
        """Annotation and photo, and disparity and camera, which need not be there."""
        return [*super().ground_truth_files(frame), *self._stereo(frame)]

    def read_ground_truth(self, frame: Frame) -> GroundTruth:
        """Segments of the 16-bit instance map, or of the polygons; with distances if there is a disparity map.

        Raises:
            InputError: no annotation, or a file that is not what Cityscapes defines.
        """
        path = annotation_of(frame)
        if path.name.endswith(POLYGONS):
            outlines = read_outlines(path)
            check_size(path, outlines.size, frame.image)
            truth = segments_of(draw_instance_ids(outlines, self.labels), frame, self.labels, decode_instance_id)
        elif not path.exists() and self._coarse(frame).exists():
            raise no_coarse(self._coarse(frame), path)
        else:
            truth = read_instance_map(frame, self.labels, decode_instance_id)
        disparity, camera = self._stereo(frame)
        if not disparity.is_file():
            return truth
        depth = DepthMap(read_disparity(disparity), read_camera(camera), self.options.distance)
        check_size(disparity, (depth.pixels.shape[0], depth.pixels.shape[1]), frame.image)
        return replace(truth, segments=tuple(with_distance(s, depth) for s in truth.segments))

    def annotations(self) -> Iterator[Path]:
        for split in ("train", "val"):
            yield from existing(self.root, f"gtFine/{split}/*/*_{INSTANCE_IDS}")
            for path in existing(self.root, f"gtFine/{split}/*/*_{POLYGONS}"):
                if not path.with_name(f"{path.name.removesuffix(POLYGONS)}{INSTANCE_IDS}").exists():
                    yield path

    def remarks(self) -> Iterator[Problem]:
        """The coarse annotations are recognised and left aside; distances are wanted for all frames or for none."""
        for split in ("train", "val"):
            yield from self._lacking_disparity(self.list_frames(split))
        for path in (self.root / "gtCoarse", self.root / "leftImg8bit" / "train_extra"):
            if path.is_dir():
                yield remark(
                    "coarse-annotations", path, found="the coarse annotations, or the photos that have no other",
                    expected="fine annotations: coarse polygons leave most outlines and small objects out",
                    fix="They are left aside; remove them if space is short.",
                )  # fmt: skip

    def _lacking_disparity(self, frames: Sequence[Frame]) -> Iterator[Problem]:
        places = [self._stereo(frame)[0] for frame in frames if frame.ground_truth]
        missing = [path for path in places if not path.is_file()]
        if 0 < len(missing) < len(places):
            yield remark(
                "disparity-missing", missing[0], found=first_of("no such file", len(missing)),
                expected=f"the disparity of all {len(places)} frames of the split, or of none",
                fix="Extract disparity_trainvaltest.zip again: without it AP100m and AP50m cannot be told.",
            )  # fmt: skip

    def _annotation(self, photo: Path, frame: str) -> Path:
        ids = self._sibling(photo, frame, "gtFine", INSTANCE_IDS)
        polygons = self._sibling(photo, frame, "gtFine", POLYGONS)
        return polygons if not ids.exists() and polygons.exists() else ids

    def _stereo(self, frame: Frame) -> tuple[Path, Path]:
        """Disparity and camera."""
        return (
            self._sibling(frame.image, frame.name, "disparity", "disparity.png"),
            self._sibling(frame.image, frame.name, "camera", "camera.json"),
        )

    def _coarse(self, frame: Frame) -> Path:
        return self._sibling(frame.image, frame.name, "gtCoarse", "gtCoarse_instanceIds.png")

    def _sibling(self, photo: Path, frame: str, folder: str, suffix: str) -> Path:
        split, city = photo.parts[-3:-1]
        return self.root.joinpath(folder, split, city, f"{frame}_{suffix}")


def no_coarse(coarse: Path, fine: Path) -> InputError:
    """The refusal of a coarse annotation where the fine one is missing."""
    return InputError(
        fine, found=f"no such file, only the coarse annotation {coarse}",
        expected="the fine annotation: coarse polygons leave most outlines and small objects out, so no number or "
        "model from them compares with the benchmark's", fix="Extract gtFine_trainvaltest.zip beside it.",
    )  # fmt: skip


def with_distance(segment: Segment, depth: DepthMap) -> Segment:
    """The segment with its distance and stereo density; stuff and void regions are no objects and have none."""
    if not segment.label.has_instances:
        return segment
    x1, y1, x2, y2 = (int(v) for v in box(segment.rle))
    distance, density = depth.distance(decode(segment.rle)[y1:y2, x1:x2], (y1, x1))
    return replace(segment, distance_m=distance, stereo_density=density)
