"""Pictures of predictions: masks drawn over photos, and sheets of several."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dataset_adapters import rle
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.labels import JOINT_CLASSES

COLOURS = {
    name: tuple(round(255 * c) for c in colorsys.hsv_to_rgb(i * 0.618 % 1, 0.75, 1.0))
    for i, name in enumerate(JOINT_CLASSES)
}
"""One colour for each class, far apart from the next one's."""
OPACITY = 0.45
GAP = 8
"""Pixels between the pictures of a sheet."""


def draw_predictions(
    photo: NDArray[np.uint8], predictions: Sequence[Prediction], *, scale: int = 1, min_score: float = 0.5
) -> Image.Image:
    """Draw masks, outlines, names and scores over a photo.

    Args:
        photo: (H, W, 3) RGB.
        predictions: of the photo's size; the most confident is drawn last.
        scale: enlarges the picture, for small photos.
        min_score: predictions below it are left out.
    """
    height, width = photo.shape[:2]
    picture = Image.fromarray(photo).resize((width * scale, height * scale), Image.Resampling.BICUBIC)
    shown = sorted((p for p in predictions if p.score >= min_score), key=lambda p: p.score)
    pixels = np.asarray(picture).astype(np.float32)
    for prediction in shown:
        mask = np.kron(rle.decode(prediction.rle), np.ones((scale, scale), dtype=bool))
        colour = np.array(COLOURS[prediction.label], dtype=np.float32)
        pixels[mask] = (1 - OPACITY) * pixels[mask] + OPACITY * colour
        pixels[outline(mask)] = colour
    picture = Image.fromarray(pixels.astype(np.uint8))
    captions = Captions(ImageDraw.Draw(picture), scale)
    for prediction in reversed(shown):
        captions.write(prediction)
    return picture


def outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask's pixels that touch its outside, (H, W)."""
    inside = np.pad(mask, 1)
    return mask & ~(inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:])


def sheet(rows: Sequence[Sequence[Image.Image]], height: int) -> Image.Image:
    """Rows of pictures, every picture ``height`` pixels high, every row stretched to the same width."""
    lines = []
    for row in rows:
        pictures = [p.resize((round(p.width * height / p.height), height), Image.Resampling.LANCZOS) for p in row]
        line = Image.new("RGB", (sum(p.width for p in pictures) + GAP * (len(row) - 1), height), "white")
        x = 0
        for picture in pictures:
            line.paste(picture, (x, 0))
            x += picture.width + GAP
        lines.append(line)
    width = max(line.width for line in lines)
    lines = [line.resize((width, round(line.height * width / line.width)), Image.Resampling.LANCZOS) for line in lines]
    canvas = Image.new("RGB", (width, sum(line.height for line in lines) + GAP * (len(lines) - 1)), "white")
    y = 0
    for line in lines:
        canvas.paste(line, (0, y))
        y += line.height + GAP
    return canvas


class Captions:
    """Names and scores on dark plates at the boxes' upper left corners; one that would cover another is left out."""

    def __init__(self, draw: ImageDraw.ImageDraw, scale: int) -> None:
        self.draw = draw
        self.scale = scale
        self.height = 4 * scale + 5
        self.font = ImageFont.load_default(size=self.height)
        self._plates: list[tuple[float, float, float, float]] = []

    def write(self, prediction: Prediction) -> None:
        """Caption one object."""
        place = (prediction.box[0] * self.scale + 2, max(0.0, prediction.box[1] * self.scale - self.height - 2))
        text = f"{prediction.label} {prediction.score:.2f}"
        plate = self.draw.textbbox(place, text, font=self.font)
        if any(_overlap(plate, other) for other in self._plates):
            return
        self._plates.append(plate)
        self.draw.rectangle(plate, fill=(20, 20, 20))
        self.draw.text(place, text, font=self.font, fill=COLOURS[prediction.label])


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
