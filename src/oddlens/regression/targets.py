"""The targets of the regression: numbers of the lens, numbers of the dark matter of one class, and the class.

No target changes when an image is turned or flipped, so training images can be, and estimates are averaged over all
orientations. Directions come from the lens fit (`lensfit`), with their covariance. A number of one class is estimated
under the assumption that the image belongs to this class, and the class has a probability of its own: together they are
the joint posterior.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from oddlens.regression.histograms import Densities, Scale

LENS = (
    *("einstein_radius_arcsec", "lens_axis_ratio", "lens_slope", "shear_magnitude"),
    *("source_offset_arcsec", "source_effective_radius_arcsec", "source_axis_ratio", "source_sersic_index"),
)
"""Targets of the lens and its source: columns of the truth."""
FRACTION = "substructure_fraction"
DARK_MATTER = (FRACTION, "heaviest_mass_msun", "vortex_length_arcsec", "axion_mass_1e22_ev")
"""Targets of the dark matter."""
LOGARITHMIC = {"heaviest_mass_msun", "vortex_length_arcsec", "axion_mass_1e22_ev"}
"""Targets whose decimal logarithm is estimated."""
ANY = "any"
"""Replaces a class in the key of a target that all classes have."""
MIN_RELATIVE_SPREAD = 1e-6
"""A number with a smaller relative spread is fixed by the priors and is no target."""


@dataclass(frozen=True)
class Targets:
    """The scale of each target, by (class, column), and the classes with their prior probabilities."""

    scales: Mapping[tuple[str, str], Scale]
    classes: tuple[str, ...]
    prior: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame, bins: int) -> Self:
        """All numbers that vary among training images; `table` holds their `class` and their truth."""
        classes = tuple(dict.fromkeys(table["class"]))
        candidates = [(ANY, name) for name in LENS] + [(c, name) for c in classes for name in DARK_MATTER]
        scales = {}
        for target in candidates:
            values = truth(table, *target)
            values = values[np.isfinite(values)]
            if len(values) and np.ptp(values) > MIN_RELATIVE_SPREAD * np.abs(values).max():
                scales[target] = Scale.of(values, bins)
        return cls(scales, classes, table["class"].value_counts(normalize=True)[list(classes)].to_numpy())

    @property
    def bins(self) -> list[int]:
        """The number of bins of each target, and last the number of classes."""
        return [*(scale.bins for scale in self.scales.values()), len(self.classes)]

    def labels(self, table: pd.DataFrame) -> np.ndarray:
        """The bin of each target of each image, then its class, [n, targets + 1]; NaN without a value."""
        numbers = [scale.bin(truth(table, *target)) for target, scale in self.scales.items()]
        return np.stack([*numbers, table["class"].map(self.classes.index).to_numpy(float)], axis=1)

    def densities(self, target: tuple[str, str], probability: np.ndarray) -> Densities:
        """The probabilities [n, bins] of a target with its scale."""
        return Densities(self.scales[target], probability)

    def plain(self) -> dict[str, Any]:
        """The targets as plain data for JSON."""
        scales = [[*target, scale.knots.tolist()] for target, scale in self.scales.items()]
        return {"scales": scales, "classes": list(self.classes), "prior": self.prior.tolist()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `plain`."""
        scales = {(of, name): Scale(np.array(knots)) for of, name, knots in plain["scales"]}
        return cls(scales, tuple(plain["classes"]), np.array(plain["prior"]))


def truth(table: pd.DataFrame, cls: str, name: str) -> np.ndarray:
    """The true value of a target of each image, or its logarithm; NaN for images of other classes or without a
    value."""
    if name not in table:
        return np.full(len(table), np.nan)
    values = table[name].to_numpy(float)
    if name in LOGARITHMIC:
        values = np.log10(values, out=np.full(len(values), np.nan), where=values > 0)
    return np.where((cls == ANY) | (table["class"] == cls), values, np.nan)


def column_name(name: str) -> str:
    """The name of a target in tables."""
    return f"log10_{name}" if name in LOGARITHMIC else name
