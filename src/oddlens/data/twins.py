"""Test and validation images with their twins: the smooth images of the same lens, source and noise."""

import numpy as np

from oddlens.data import splits
from oddlens.data.shards import Pool


class Twins:
    """The images of the test and validation pools, and what the simulator knows of them.

    Args:
        pool: their shards.
        smooth: the normal class.
    """

    def __init__(self, pool: Pool, smooth: str):
        self.table, self.images, self.sigma = pool.table, pool.images, pool.pixels["sigma"]
        self.noise_free = pool.pixels["noise_free"]
        self.twin = splits.rows_of(pool.table, pool.table[splits.IDENTITY].assign(**{"class": smooth}))
        self.classes = [smooth, *sorted(set(pool.table["class"]) - {smooth})]
        self.validation = np.flatnonzero(pool.table["pool"] == "validation")

    def test_rows(self, cls: str, count: int) -> np.ndarray:
        """The rows of the first test images of a class."""
        return np.flatnonzero((self.table["pool"] == "test") & (self.table["class"] == cls))[:count]

    def truth(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The noise-free smooth twins of images, and the standard deviation of the noise of each pixel."""
        return self.noise_free[self.twin[rows]], self.sigma[rows]

    def difference(self, rows: np.ndarray) -> np.ndarray:
        """The noise-free images minus their noise-free smooth twins."""
        return self.noise_free[rows] - self.noise_free[self.twin[rows]]
