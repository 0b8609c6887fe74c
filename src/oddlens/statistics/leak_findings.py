"""What leak checks find, and the images that they look at.

* `duplicates`: images of one pool that are in another, too, and equal images of two classes.
* `container`: facts of files, such as their type, that tell classes apart, or training from test images.
* `pixels`: trivial statistics of the pixels that do.
* `provenance`: columns that the user named as a nuisance.
* `scaling`: images that were scaled one by one, or have grey steps that are coarser than their noise.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from oddlens.data.pools import UNLABELLED
from oddlens.data.severity import NONE
from oddlens.statistics.separation import Separation


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    kind: str
    check: str
    compared: str
    """The pools or classes that are compared."""
    severity: str = NONE
    count: int = 0
    """Pairs of images."""
    separation: Separation | None = None
    example: str = ""
    """The files of the first pair, or typical values of both groups."""
    remedy: str = ""


@dataclass(frozen=True)
class PoolImages:
    """The images of a pool, of all classes."""

    table: pd.DataFrame
    """Per image: `class`, `file`, `lens`, further columns, and `container/...`."""
    images: np.ndarray
    """[n, pixels, pixels]."""
    digests: np.ndarray
    """Of the pixels, [n]."""
    statistics: pd.DataFrame
    """Trivial statistics of the pixels of each image, as `pixels/...`."""

    def of(self, chosen: np.ndarray) -> pd.DataFrame:
        """The table of some images."""
        return self.table[chosen]

    def is_class(self, cls: str) -> np.ndarray:
        """Which images belong to a class, [n]."""
        return (self.table["class"] == cls).to_numpy()


def odd_classes(tested: PoolImages, smooth: str) -> list[str]:
    """The anomaly classes of test images, if there are normal ones, too."""
    classes = list(dict.fromkeys(tested.table["class"]))
    return [cls for cls in classes if cls not in (smooth, UNLABELLED)] if smooth in classes else []
