"""What a model of regression says of the test images, with the truth beside it: a file between its stages (HDF5).

class                        int64 [n]              the place of each image's class among `classes`
index                        int64 [n]              its number in its class
types/probability, prior     float [n, classes]     of its class, and the prior by the training images
<class or any>/<number>/...  knots [FINE bins + 1]  its scale; probability [n, bins]; truth [n], NaN where it has none
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from oddlens.files.artefacts import DamagedFile, read_arrays, write_arrays
from oddlens.regression.histograms import Densities, Scale

TYPES = "types"


@dataclass(frozen=True)
class Estimates:
    """The test images of one data set as one row of the regression sees them."""

    dataset: str
    row: str
    classes: tuple[str, ...]
    cls: np.ndarray
    """[n], by place in `classes`."""
    index: np.ndarray
    """[n]"""
    numbers: Mapping[tuple[str, str], Densities]
    """By class (or `any`) and name of a number."""
    truths: Mapping[tuple[str, str], np.ndarray]
    types: np.ndarray
    """The probability of each class, [n, classes]."""
    prior: np.ndarray
    """[classes], of the training images."""

    def of(self, target: tuple[str, str], cls: str) -> tuple[Densities, np.ndarray]:
        """What is said of a number of the images of a class, and its truth, where they have it."""
        truth = self.truths[target]
        there = np.flatnonzero((self.cls == self.classes.index(cls)) & np.isfinite(truth))
        return self.numbers[target][there], truth[there]

    def write(self, path: Path | str) -> None:
        """Write the file."""
        arrays = {"class": self.cls, "index": self.index}
        arrays |= {f"{TYPES}/probability": self.types, f"{TYPES}/prior": self.prior}
        for (cls, name), found in self.numbers.items():
            place = f"{cls}/{name}"
            arrays[f"{place}/knots"] = found.scale.knots
            arrays[f"{place}/probability"] = found.probability.astype(np.float32)
            arrays[f"{place}/truth"] = self.truths[cls, name]
        about = {"dataset": self.dataset, "row": self.row, "classes": ",".join(self.classes), "kind": "estimates"}
        write_arrays(path, arrays, **about)

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read and verify it.

        Raises:
            DamagedFile: if it is truncated, altered, or something else.
        """
        arrays, about = read_arrays(path)
        if about.get("kind") != "estimates":
            raise DamagedFile(path, "it is HDF5, but holds no estimates")
        targets = [(of, name) for of, name, _ in (key.split("/") for key in arrays if key.count("/") == 2)]
        places = {t: "/".join(t) for t in dict.fromkeys(targets)}
        return cls(
            about["dataset"],
            about["row"],
            tuple(about["classes"].split(",")),
            arrays["class"],
            arrays["index"],
            {t: Densities(Scale(arrays[f"{p}/knots"]), arrays[f"{p}/probability"]) for t, p in places.items()},
            {t: arrays[f"{p}/truth"] for t, p in places.items()},
            arrays[f"{TYPES}/probability"],
            arrays[f"{TYPES}/prior"],
        )
