"""Positions on square pixel grids: y up and x right, from the centre of the grid; row 0 is the top."""

import numpy as np

SCALE_TOLERANCE = 0.01
"""Pixel scales that differ by a smaller fraction are equal."""


def centres(count: int, side: float) -> np.ndarray:
    """Centres of `count` equal cells that fill an interval of length `side` about 0."""
    return ((np.arange(count) + 0.5) / count - 0.5) * side


def grid(count: int, side: float) -> tuple[np.ndarray, np.ndarray]:
    """y and x of the centres of count x count cells of a square, float32; row 0 is the top (+y)."""
    y, x = np.meshgrid(-centres(count, side), centres(count, side), indexing="ij")
    return y.astype(np.float32), x.astype(np.float32)


def pixel_means(values: np.ndarray, rays: int) -> np.ndarray:
    """Means over pixels [side, side] of values at rays [side * rays, side * rays]."""
    side = len(values) // rays
    return values.reshape(side, rays, side, rays).mean(axis=(1, 3))
