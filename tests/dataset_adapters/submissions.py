"""Small native submissions to read and to break, made with Pillow and zipfile alone."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from dataset_adapters.labels import INDOOR_THINGS, Label, LabelTable
from dataset_adapters.submission.layout import PRED_LIST, SubmissionLayout

CITYSCAPES = SubmissionLayout(
    list_name="{frame}_pred.txt",
    mask_name="masks/{frame}_{index:03d}.png",
    mask_link="masks/{frame}_{index:03d}.png",
    list_pattern="{frame}*.txt",
    frame_name=r"[^_]+_\d+_\d+",
)
SCANNET = SubmissionLayout(
    list_name="{frame}.txt",
    mask_name="predicted_masks/{frame}_{index:03d}.png",
    mask_link="predicted_masks/{frame}_{index:03d}.png",
    skip_unknown_labels=True,
)
KITTI = PRED_LIST
INDOOR_LABELS = LabelTable((Label(0, "unannotated", void=True), Label(1, "wall"), Label(2, "floor"), *INDOOR_THINGS))
ROAD_FRAMES = ("aachen_000000_000019", "aachen_000001_000019", "bochum_000000_000600")
INDOOR_FRAMES = ("scene0707_00_000000", "scene0707_00_000100")
SIZE = (20, 32)

Files = dict[str, bytes]


def png(pixels: np.ndarray, mode: str | None = None) -> bytes:
    """A PNG as Pillow writes it."""
    image = Image.fromarray(pixels)
    file = io.BytesIO()
    (image.convert(mode) if mode else image).save(file, "PNG")
    return file.getvalue()


def object_mask(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A rectangle of 255 in a frame of 0."""
    mask = np.zeros(size, np.uint8)
    mask[2 + index : 8 + index, 3 * index + 1 : 3 * index + 9] = 255
    return mask


def sound_files(
    layout: SubmissionLayout = CITYSCAPES,
    frames: tuple[str, ...] = ROAD_FRAMES,
    ids: tuple[int, ...] = (24, 26, 33, 31),
) -> Files:
    """A submission without fault: one object of each id in every frame."""
    files: Files = {}
    for f, frame in enumerate(frames):
        lines = []
        for i, label_id in enumerate(ids):
            lines.append(f"{layout.mask_link.format(frame=frame, index=i)} {label_id} 0.{9 - i}{f + 1}\n")
            files[layout.mask_name.format(frame=frame, index=i)] = png(object_mask(i))
        files[layout.list_name.format(frame=frame)] = "".join(lines).encode()
    return files


def pack(path: Path, files: Files) -> Path:
    """Zip files by the standard library."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def spread(path: Path, files: Files) -> Path:
    """Write files as a directory."""
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def resized(data: bytes, width: int, height: int) -> bytes:
    """A PNG whose header claims another size."""
    header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
