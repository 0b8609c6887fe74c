"""Images as smooth functions of position: cubic B-splines, in NumPy or JAX."""

from types import ModuleType

import numpy as np
from scipy import ndimage

MARGIN = 8
"""Pixels of zeros around an image: the coefficients of its spline have fallen to zero at the edge."""


def coefficients(image: np.ndarray, side: int) -> np.ndarray:
    """The spline coefficients [side, side] of an image [h, w] in the middle of zeros.

    The centre of pixel (row, column) of the image is at (row + (side - h) // 2, column + (side - w) // 2).
    """
    before = [(side - length) // 2 for length in image.shape]
    after = [side - length - first for length, first in zip(image.shape, before, strict=True)]
    found = ndimage.spline_filter(np.pad(image, list(zip(before, after, strict=True))), order=3, mode="mirror")
    rim = MARGIN // 2
    inner = np.zeros_like(found)
    inner[rim:-rim, rim:-rim] = found[rim:-rim, rim:-rim]
    return inner


def value(spline, row, column, xp: ModuleType):
    """The spline with coefficients [side, side] at positions in pixels; zero outside.

    It is twice continuously differentiable.
    """
    side = spline.shape[0]
    flat = spline.reshape(-1)
    (row, down), (column, right) = (_cell(position, side, xp) for position in (row, column))
    first = (row - 1) * side + column - 1
    total = 0.0
    for j, weight in enumerate(_weights(down)):
        along = sum(w * xp.take(flat, first + (j * side + i)) for i, w in enumerate(_weights(right)))
        total = total + weight * along
    return total


def _cell(position, side: int, xp: ModuleType):
    """The pixel whose centre is before a position, and the distance from it; the edge for positions outside."""
    position = xp.clip(position, 1.0, side - 2.5)
    before = xp.floor(position)
    return before.astype(xp.int32), position - before


def _weights(t):
    """The four cubic B-splines that are not zero at a distance t, 0 to 1, from a node."""
    s = 1 - t
    return s**3 / 6, (4 - 6 * t**2 + 3 * t**3) / 6, (4 - 6 * s**2 + 3 * s**3) / 6, t**3 / 6
