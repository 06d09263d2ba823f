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
    draw = ImageDraw.Draw(picture)
    for prediction in shown:
        _caption(draw, prediction, scale)
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


def _caption(draw: ImageDraw.ImageDraw, prediction: Prediction, scale: int) -> None:
    """The name and score on a dark plate at the box's upper left corner."""
    font = ImageFont.load_default(size=4 * scale + 5)
    place = (prediction.box[0] * scale + 2, max(0.0, prediction.box[1] * scale - 4 * scale - 7))
    text = f"{prediction.label} {prediction.score:.2f}"
    draw.rectangle(draw.textbbox(place, text, font=font), fill=(20, 20, 20))
    draw.text(place, text, font=font, fill=COLOURS[prediction.label])
