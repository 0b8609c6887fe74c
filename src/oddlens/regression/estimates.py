"""The estimates of a model of the regression for the test images, with the truth: a file between two stages (HDF5).

class                        int64 [n]              the index of each image's class in `classes`
index                        int64 [n]              its index in its class
types/probability, prior     float [n, classes]     the probability of each class, and [classes] the prior
<class or any>/<number>/...  knots [n knots]        the scale; probability [n, bins]; truth [n], NaN without a value
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
    """The estimates of one row of the regression for the test images of one data set."""

    dataset: str
    row: str
    classes: tuple[str, ...]
    cls: np.ndarray
    """The index of each image's class in `classes`, [n]."""
    index: np.ndarray
    """The index of each image in its class, [n]."""
    numbers: Mapping[tuple[str, str], Densities]
    """The densities of each target, by class (or `any`) and name."""
    truths: Mapping[tuple[str, str], np.ndarray]
    """The true values of each target, [n]."""
    types: np.ndarray
    """The probability of each class, [n, classes]."""
    prior: np.ndarray
    """The fraction of each class in the training images, [classes]."""

    def of(self, target: tuple[str, str], cls: str) -> tuple[Densities, np.ndarray]:
        """The densities of a target for images of a class, and the truth, where it exists."""
        truth = self.truths[target]
        chosen = np.flatnonzero((self.cls == self.classes.index(cls)) & np.isfinite(truth))
        return self.numbers[target][chosen], truth[chosen]

    def write(self, path: Path | str) -> None:
        """Write the file."""
        arrays = {"class": self.cls, "index": self.index}
        arrays |= {f"{TYPES}/probability": self.types, f"{TYPES}/prior": self.prior}
        for (cls, name), densities in self.numbers.items():
            group = f"{cls}/{name}"
            arrays[f"{group}/knots"] = densities.scale.knots
            arrays[f"{group}/probability"] = densities.probability.astype(np.float32)
            arrays[f"{group}/truth"] = self.truths[cls, name]
        about = {"dataset": self.dataset, "row": self.row, "classes": ",".join(self.classes), "kind": "estimates"}
        write_arrays(path, arrays, **about)

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read and verify the file.

        Raises:
            DamagedFile: the file is truncated, altered, or holds no estimates.
        """
        arrays, about = read_arrays(path)
        if about.get("kind") != "estimates":
            raise DamagedFile(path, "it is HDF5, but holds no estimates")
        targets = [(of, name) for of, name, _ in (key.split("/") for key in arrays if key.count("/") == 2)]
        groups = {target: "/".join(target) for target in dict.fromkeys(targets)}
        return cls(
            about["dataset"],
            about["row"],
            tuple(about["classes"].split(",")),
            arrays["class"],
            arrays["index"],
            {t: Densities(Scale(arrays[f"{g}/knots"]), arrays[f"{g}/probability"]) for t, g in groups.items()},
            {t: arrays[f"{g}/truth"] for t, g in groups.items()},
            arrays[f"{TYPES}/probability"],
            arrays[f"{TYPES}/prior"],
        )
