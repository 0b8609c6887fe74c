"""Test and validation images and, if they are simulated, their twins: the images of the same lens, source and noise
without substructure."""

import numpy as np

from oddlens.data import splits
from oddlens.data.pools import UNLABELLED
from oddlens.data.shards import Pool


class Twins:
    """The images of the test and validation pools, and what the simulator knows of them.

    The user's own images have no twins: `exist` says whether there are any.

    Args:
        pool: their shards.
        smooth: the normal class.
    """

    def __init__(self, pool: Pool, smooth: str):
        self.table, self.images, self.variants = pool.table, pool.images, pool.variants
        self.exist = {"noise_free", "sigma"} <= pool.pixels.keys()
        if self.exist:
            self.noise_free, self.sigma = pool.pixels["noise_free"], pool.pixels["sigma"]
            of_class = {name: variant.twin for name, variant in pool.variants.items()}
            twins = pool.table["class"].map(lambda cls: of_class.get(cls, smooth))
            self.twin = splits.rows_of(pool.table, pool.table[splits.IDENTITY].assign(**{"class": twins}))
        order = {smooth: 0, UNLABELLED: 2} | dict.fromkeys(self.decoys, 3)
        tested = set(pool.table.loc[pool.table["pool"] == "test", "class"])
        self.classes = sorted(tested, key=lambda cls: (order.get(cls, 1), cls))
        self.smooth = smooth
        self.validation = np.flatnonzero(pool.table["pool"] == "validation")

    @property
    def anomalies(self) -> list[str]:
        """The anomaly classes of the test images."""
        return [cls for cls in self.classes if cls not in (self.smooth, UNLABELLED, *self.decoys)]

    @property
    def decoys(self) -> list[str]:
        """The classes of test images without substructure that must not be flagged, besides the normal one."""
        return sorted(name for name, variant in self.variants.items() if variant.decoy)

    def test_rows(self, cls: str, count: int) -> np.ndarray:
        """The rows of the first test images of a class."""
        return np.flatnonzero((self.table["pool"] == "test") & (self.table["class"] == cls))[:count]

    def normal_rows(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows of some normal images, and of as many others: test and validation images or, without normal test
        images, every second validation image."""
        if self.smooth in self.classes:
            return self.test_rows(self.smooth, count), self.validation[:count]
        return self.validation[::2][:count], self.validation[1::2][:count]

    def truth(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The noise-free smooth twins of images, and the standard deviation of the noise of each pixel."""
        return self.noise_free[self.twin[rows]], self.sigma[rows]

    def difference(self, rows: np.ndarray) -> np.ndarray:
        """The noise-free images minus their noise-free smooth twins."""
        return self.noise_free[rows] - self.noise_free[self.twin[rows]]
