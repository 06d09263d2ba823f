"""A canvas that paints photo, ids and depth in one stroke, so that the three always agree.

Shapes are painted from far to near on a canvas of twice the resolution; nearer paint hides what is behind it. All
public coordinates are pixels of the finished picture, x to the right and y down, (0, 0) the top left corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robsub.demo.shapes import Cover, ellipse_cover, lattice_cover, polygon_cover, rectangle_cover

Colour = tuple[float, float, float]
"""Red, green and blue, 0 to 255."""
Point = tuple[float, float]
"""(x, y)."""

OVERSAMPLING = 2
"""Canvas pixels per picture pixel in each direction: smooth edges."""
MIN_VISIBLE = 40
"""An object with fewer visible pixels goes unannotated, as annotators pass over slivers."""


@dataclass(frozen=True, slots=True)
class Region:
    """One thing or piece of stuff of a scene.

    Attributes:
        label: its name in the benchmark's table.
        is_object: it is told apart from others of its label.
        is_group: several objects of its label that are not told apart.
        unusual: paint it in a colour that its class never has.
    """

    label: str
    is_object: bool = False
    is_group: bool = False
    unusual: bool = False


@dataclass(frozen=True, slots=True)
class Paint:
    """What one stroke puts on its pixels; the fields are the arguments of ``Canvas.polygon``."""

    colour: Colour
    region: int | None
    depth: float
    shade: float
    alpha: float
    part: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an object, e.g. a wheel: its name, the index of the whole's region, and its (H, W) mask."""

    name: str
    whole: int
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scene:
    """A finished picture with everything that the native formats ask of it.

    Attributes:
        photo: (H, W, 3) RGB bytes.
        ids: (H, W) index into ``regions`` of what is visible; 0 is unannotated.
        regions: the regions by index.
        extents: (H, W) mask of every region as if nothing stood in front of it, by index.
        parts: the parts of objects, occluded pixels left out.
        depth: (H, W) metres, infinite in the sky.
    """

    photo: NDArray[np.uint8]
    ids: NDArray[np.int16]
    regions: tuple[Region, ...]
    extents: tuple[NDArray[np.bool_], ...]
    parts: tuple[Part, ...]
    depth: NDArray[np.float32]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        height, width = self.ids.shape
        return height, width


class Canvas:
    """The picture being painted.

    Args:
        size: (height, width) of the finished picture.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self._shape = (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING)
        self.colour = np.zeros((*self._shape, 3), dtype=np.float32)
        self._ids = np.zeros(self._shape, dtype=np.int16)
        self._depth = np.full(self._shape, np.inf, dtype=np.float32)
        self._regions: list[Region] = []
        self._extents: list[NDArray[np.bool_]] = []
        self._parts: list[Part] = []
        self.add(Region("unlabeled"))

    def add(self, region: Region) -> int:
        """Enter a region and return its index for ``polygon`` and ``ellipse``."""
        self._regions.append(region)
        self._extents.append(np.zeros(self._shape, dtype=np.bool_))
        return len(self._regions) - 1

    def region(self, index: int) -> Region:
        """The region of an index."""
        return self._regions[index]

    def is_free(self, box: tuple[float, float, float, float]) -> bool:
        """Whether no object is visible yet in the box (x0, y0, x1, y1)."""
        x0, y0, x1, y1 = (max(0, int(v * OVERSAMPLING)) for v in box)
        seen = np.unique(self._ids[y0:y1, x0:x1])
        return not any(self._regions[i].is_object for i in seen)

    def set_row_depth(self, rows: NDArray[np.bool_], depth: NDArray[np.floating]) -> None:
        """Give whole canvas rows, chosen by a mask, one distance in metres each."""
        self._depth[rows] = depth[:, None]

    def polygon(
        self, points: Sequence[Point], colour: Colour, region: int | None, depth: float = np.inf, *,
        shade: float = 0.0, alpha: float = 1.0, part: str | None = None,
    ) -> None:  # fmt: skip
        """Paint a polygon.

        Args:
            points: its corners.
            colour: its colour halfway down.
            region: index of the region it belongs to; None paints the photo alone, as light and shadow do.
            depth: distance in metres.
            shade: how much brighter its top is than its bottom, as a share of the colour.
            alpha: opacity of the colour.
            part: name of the part of the object that it shows.
        """
        x, y = np.asarray(points, dtype=np.float64).T * OVERSAMPLING
        self._paint(polygon_cover(x, y, self._shape), Paint(colour, region, depth, shade, alpha, part))

    def rectangle(
        self, corner: Point, opposite: Point, colour: Colour, region: int | None, depth: float = np.inf, *,
        shade: float = 0.0, alpha: float = 1.0, part: str | None = None,
    ) -> None:  # fmt: skip
        """Paint an upright rectangle between two opposite corners; the rest is as with ``polygon``."""
        (xa, ya), (xb, yb), s = corner, opposite, OVERSAMPLING
        cover = rectangle_cover((xa * s, ya * s), (xb * s, yb * s), self._shape)
        self._paint(cover, Paint(colour, region, depth, shade, alpha, part))

    def lattice(
        self, corner: Point, opposite: Point, pitch: Point, colour: Colour, region: int, depth: float = np.inf
    ) -> None:
        """Paint the panes of a lattice, one in every cell of pitch (x, y), between two corners: a front's windows."""
        (xa, ya), (xb, yb), (dx, dy), s = corner, opposite, pitch, OVERSAMPLING
        cover = lattice_cover((xa * s, ya * s), (xb * s, yb * s), (dx * s, dy * s), self._shape)
        self._paint(cover, Paint(colour, region, depth, 0.0, 1.0, None))

    def ellipse(
        self, centre: Point, radii: Point, colour: Colour, region: int | None, depth: float = np.inf, *,
        shade: float = 0.0, alpha: float = 1.0, part: str | None = None,
    ) -> None:  # fmt: skip
        """Paint an upright ellipse; the arguments are those of ``polygon``."""
        (x, y), (rx, ry) = centre, radii
        s = OVERSAMPLING
        cover = ellipse_cover((x * s, y * s), (max(rx * s, 0.6), max(ry * s, 0.6)), self._shape)
        self._paint(cover, Paint(colour, region, depth, shade, alpha, part))

    def finish(self, rng: np.random.Generator, *, light: float = 1.0, noise: float = 4.0) -> Scene:
        """Develop the picture: smooth edges, exposure and the camera's noise (standard deviation in grey levels)."""
        s = OVERSAMPLING
        # Four strided sums are several times faster than a mean over two axes.
        photo = sum((self.colour[i::s, j::s] for i in range(s) for j in range(s)), np.float32(0)) * (light / s**2)
        photo = photo + rng.standard_normal((*self.size, 1), dtype=np.float32) * noise
        regions = tuple(self._regions)
        extents = tuple(mask[::s, ::s] for mask in self._extents)
        ids = without_slivers(self._ids[::s, ::s], regions)
        parts = tuple(Part(p.name, p.whole, p.mask[::s, ::s] & (ids == p.whole)) for p in self._parts)
        photo = np.clip(photo, 0, 255).astype(np.uint8)
        return Scene(photo, ids, regions, extents, tuple(p for p in parts if p.mask.any()), self._depth[::s, ::s])

    def _paint(self, cover: Cover, paint: Paint) -> None:
        if not cover.mask.size:
            return
        colour = np.asarray(paint.colour, dtype=np.float32)
        if paint.shade:
            rows = cover.mask.shape[0]
            brightness = 1 + paint.shade * (0.5 - np.arange(rows, dtype=np.float32) / max(rows - 1, 1))
            colour = colour * brightness[:, None, None]
        picture = self.colour[cover.window]
        if paint.alpha < 1:
            colour = paint.alpha * colour + (1 - paint.alpha) * picture
        np.copyto(picture, colour, where=cover.mask[..., None])
        if paint.region is not None:
            self._mark(cover, paint.region, paint.depth, paint.part)

    def _mark(self, cover: Cover, region: int, depth: float, part: str | None) -> None:
        """Note whose pixels these are now, and how far away."""
        np.copyto(self._ids[cover.window], region, where=cover.mask)
        np.copyto(self._depth[cover.window], depth, where=cover.mask)
        self._extents[region][cover.window] |= cover.mask
        if part is not None:
            mask = np.zeros(self._shape, dtype=np.bool_)
            mask[cover.window] = cover.mask
            self._parts.append(Part(part, region, mask))


def without_slivers(ids: NDArray[np.int16], regions: Sequence[Region]) -> NDArray[np.int16]:
    """The ids with every object of fewer than MIN_VISIBLE pixels turned into unannotated ground."""
    counts = np.bincount(ids.ravel(), minlength=len(regions))
    keep = [not region.is_object or n >= MIN_VISIBLE for region, n in zip(regions, counts, strict=True)]
    table = np.where(keep, np.arange(len(regions)), 0).astype(np.int16)
    return table[ids]


def vary(rng: np.random.Generator, colour: Colour, amount: float = 14.0) -> Colour:
    """A colour near the given one: another brightness, a slightly other hue."""
    brightness, hues = rng.normal(0, amount), rng.normal(0, amount / 3, 3).tolist()
    r, g, b = (min(max(v + brightness + hue, 4.0), 251.0) for v, hue in zip(colour, hues, strict=True))
    return r, g, b


def pick(rng: np.random.Generator, colours: Sequence[Colour], amount: float = 14.0) -> Colour:
    """One of the colours, varied."""
    return vary(rng, colours[int(rng.integers(len(colours)))], amount)


def dim(colour: Colour, factor: float) -> Colour:
    """The colour in another light; a factor above 1 brightens it."""
    r, g, b = (min(v * factor, 255.0) for v in colour)
    return r, g, b
