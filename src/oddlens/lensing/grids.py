"""Positions on a square: y up and x right, from its middle; row 0 is the top."""

import numpy as np


def centres(count: int, side: float) -> np.ndarray:
    """Centres of `count` equal cells that fill the interval of length `side` about 0."""
    return ((np.arange(count) + 0.5) / count - 0.5) * side


def grid(count: int, side: float) -> tuple[np.ndarray, np.ndarray]:
    """y and x of the centres of count x count cells of a square, float32; row 0 is the top (+y)."""
    y, x = np.meshgrid(-centres(count, side), centres(count, side), indexing="ij")
    return y.astype(np.float32), x.astype(np.float32)
