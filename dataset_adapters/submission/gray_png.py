"""Reading gray PNG masks whose pixels are mostly background: only the rows and columns of the object are decoded.

Pillow takes 6 ms for a mask of 1024 x 2048, however small its object. zlib-ng inflates blank rows at memory speed, and
what PNG's filters predict from blank pixels is blank. Whatever is not plain is left to Pillow.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.png import inflate

Crop = tuple[int, int, NDArray[np.uint8]]
"""Top, left and (h, w) gray values of a box around an object."""

NONE, SUB, UP, AVERAGE, PAETH = range(5)
"""The filters of a row (PNG specification, section 9)."""
MAX_SLOW_PIXELS = 20_000
"""Average and Paeth go pixel by pixel: a file that has more of theirs is read faster by Pillow."""


def decode_gray(data: bytes, height: int, width: int, depth: int) -> Crop | None:
    """The object of a mask; all pixels outside of the box are 0.

    Args:
        data: a gray PNG, not interlaced.
        height, width, depth: its size in pixels and its 1 or 8 bits a pixel, as its header says.

    Returns:
        None if the file is damaged or too slow to read here: it is Pillow's then.
    """
    stride = 1 + (width * depth + 7) // 8
    inflated = inflate(data, height * stride)
    if inflated is None:
        return None
    rows = np.frombuffer(inflated, np.uint8).reshape(height, stride)
    written = np.flatnonzero(rows[:, 1:].any(axis=1))
    if not len(written):
        return 0, 0, np.zeros((0, 0), np.uint8)
    top, last = int(written[0]), int(written[-1])
    columns = np.flatnonzero(rows[top : last + 1, 1:].any(axis=0))
    left, right = int(columns[0]), int(columns[-1]) + 2  # a column beyond the last that was written
    values = _unfiltered(rows[top:, 0], rows[top:, 1 + left : 1 + right], last - top)
    if values is not None and right < stride and values[:, -1].any():  # it goes on, up to the border
        values = _unfiltered(rows[top:, 0], rows[top:, 1 + left :], last - top)
    if values is None:
        return None
    return (top, left, values) if depth == 8 else (top, 8 * left, _unpacked(values, width - 8 * left))


def _unfiltered(filters: NDArray[np.uint8], rows: NDArray[np.uint8], last: int) -> NDArray[np.uint8] | None:
    """Undo the filters of (n, w) rows above and left of which all is 0, down to where nothing more is drawn.

    Args:
        filters: (n,) the filter of each row.
        rows: (n, w) the filtered bytes.
        last: the last row with a byte that is not 0; below it, rows can only repeat what is above them.
    """
    if filters.max() > PAETH or np.isin(filters, (AVERAGE, PAETH)).sum() * rows.shape[1] > MAX_SLOW_PIXELS:
        return None
    values, above = np.empty(rows.shape, np.uint8), np.zeros(rows.shape[1], np.uint8)
    changes = np.flatnonzero(np.diff(filters)) + 1
    for begin, end in pairwise((0, *changes.tolist(), len(rows))):
        if begin > last and not above.any():
            return values[:begin]
        _unfilter(int(filters[begin]), rows[begin:end], above, values[begin:end])
        above = values[end - 1]
    return values


def _unfilter(kind: int, rows: NDArray[np.uint8], above: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Undo one filter of (n, w) neighbouring rows, below the (w,) pixels ``above`` and right of zeros."""
    if kind == NONE:
        out[:] = rows
    elif kind == SUB:
        np.cumsum(rows, axis=1, dtype=np.uint8, out=out)
    elif kind == UP:
        np.cumsum(rows, axis=0, dtype=np.uint8, out=out)
        out += above
    else:
        predict = _average if kind == AVERAGE else _paeth
        upper = above.tolist()
        for number, row in enumerate(rows.tolist()):
            left = corner = 0
            for column, byte in enumerate(row):
                row[column] = left = byte + predict(left, upper[column], corner) & 255
                corner = upper[column]
            out[number], upper = row, row


def _average(left: int, up: int, corner: int) -> int:
    return (left + up) // 2


def _paeth(left: int, up: int, corner: int) -> int:
    """Whichever of the three is nearest to left + up - corner, in this order where two are as near."""
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    if to_left <= to_up and to_left <= to_corner:
        return left
    return up if to_up <= to_corner else corner


def _unpacked(values: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Bytes of eight pixels as (h, w) gray values."""
    return np.unpackbits(values, axis=1)[:, :width] * np.uint8(255)
