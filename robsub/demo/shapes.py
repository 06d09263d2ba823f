"""Which pixels a shape covers: those whose centre lies inside. A window of the canvas, and a mask within it.

``skimage.draw.polygon`` tests every pixel against every edge, which takes ten to thirty times as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Cover:
    """The pixels that a shape covers.

    Attributes:
        window: the rows and columns of the canvas that the mask is about.
        mask: (rows, columns) of the window, True where covered.
    """

    window: tuple[slice, slice]
    mask: NDArray[np.bool_]


def polygon_cover(x: NDArray[np.float64], y: NDArray[np.float64], shape: tuple[int, int]) -> Cover:
    """The pixels inside a polygon with corners (x, y) in pixels, by the even-odd rule, on a canvas of (H, W)."""
    window, rows, columns = _window((float(x.min()), float(x.max())), (float(y.min()), float(y.max())), shape)
    mask = np.zeros((rows.size, columns.size), dtype=np.bool_)
    corners = list(zip(x.tolist(), y.tolist(), strict=True))
    for (xa, ya), (xb, yb) in zip(corners, corners[1:] + corners[:1], strict=True):
        if ya == yb:
            continue
        crossed = (ya <= rows) != (yb <= rows)
        at = np.where(crossed, xa + (rows - ya) * ((xb - xa) / (yb - ya)), np.inf)
        mask ^= at[:, None] <= columns
    return Cover(window, mask)


def ellipse_cover(centre: tuple[float, float], radii: tuple[float, float], shape: tuple[int, int]) -> Cover:
    """The pixels inside an upright ellipse with centre (x, y) and radii (rx, ry) in pixels."""
    (x, y), (rx, ry) = centre, radii
    window, rows, columns = _window((x - rx, x + rx), (y - ry, y + ry), shape)
    return Cover(window, ((rows - y) / ry)[:, None] ** 2 + ((columns - x) / rx) ** 2 <= 1)


def rectangle_cover(corner: tuple[float, float], opposite: tuple[float, float], shape: tuple[int, int]) -> Cover:
    """The pixels inside an upright rectangle between two opposite corners (x, y) in pixels."""
    (xa, ya), (xb, yb) = corner, opposite
    window, rows, columns = _window((min(xa, xb), max(xa, xb)), (min(ya, yb), max(ya, yb)), shape)
    return Cover(window, np.ones((rows.size, columns.size), dtype=np.bool_))


def lattice_cover(
    corner: tuple[float, float], opposite: tuple[float, float], pitch: tuple[float, float], shape: tuple[int, int]
) -> Cover:
    """The panes of a lattice in a rectangle: each is the middle half of a cell of pitch (x, y) in pixels."""
    window, rows, columns = _window((corner[0], opposite[0]), (corner[1], opposite[1]), shape)
    across, down = (columns - corner[0]) / pitch[0] % 1, (rows - corner[1]) / pitch[1] % 1
    return Cover(window, (abs(down - 0.5) < 0.25)[:, None] & (abs(across - 0.5) < 0.25))


def _window(
    x: tuple[float, float], y: tuple[float, float], shape: tuple[int, int]
) -> tuple[tuple[slice, slice], NDArray[np.float64], NDArray[np.float64]]:
    """The window of pixels whose centres are in both ranges, and the centres' rows and columns."""
    down, across = _pixels(y, shape[0]), _pixels(x, shape[1])
    rows, columns = (np.arange(s.start, s.stop, dtype=np.float64) + 0.5 for s in (down, across))
    return (down, across), rows, columns


def _pixels(bounds: tuple[float, float], count: int) -> slice:
    """The pixels of a row of ``count`` whose centres lie within the bounds."""
    start, stop = (min(max(ceil(bound - 0.5), 0), count) for bound in bounds)
    return slice(start, stop)
