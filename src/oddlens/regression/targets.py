"""What is estimated: numbers of the lens that all classes have, numbers of the dark matter of one class, and the class.

None of them changes when an image is turned or flipped, so that training images can be, and estimates do not; for
directions there is the fit of physics (`lensfit`), which has them with their covariance. A number of one class is
estimated as if the image were of that class, and the class has a probability of its own: together they are the
posterior of both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from oddlens.regression.histograms import Densities, Scale

LENS = (
    *("einstein_radius_arcsec", "lens_axis_ratio", "shear_magnitude"),
    *("source_offset_arcsec", "source_effective_radius_arcsec", "source_axis_ratio", "source_sersic_index"),
)
"""Of the lens and its source, by the columns of the truth."""
FRACTION = "substructure_fraction"
DARK = (FRACTION, "heaviest_mass_msun", "vortex_length_arcsec", "axion_mass_1e22_ev")
"""Of the dark matter."""
DECADES = {"heaviest_mass_msun", "vortex_length_arcsec", "axion_mass_1e22_ev"}
"""Numbers that are estimated by their decimal logarithm."""
ANY = "any"
"""In the place of a class: a number that all classes have."""
LEAST_SPREAD = 1e-6
"""A number whose relative spread is less is fixed by the priors, and nothing is left to estimate."""


@dataclass(frozen=True)
class Targets:
    """The numbers that are estimated, as (class, column), each with its scale; and the classes with their prior."""

    scales: Mapping[tuple[str, str], Scale]
    classes: tuple[str, ...]
    prior: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame, bins: int) -> Self:
        """All numbers that vary among training images; `table` has their `class` and their truth."""
        classes = tuple(dict.fromkeys(table["class"]))
        wanted = [(ANY, name) for name in LENS] + [(c, name) for c in classes for name in DARK]
        found = {}
        for target in wanted:
            values = truth(table, *target)
            values = values[np.isfinite(values)]
            if len(values) and np.ptp(values) > LEAST_SPREAD * np.abs(values).max():
                found[target] = Scale.of(values, bins)
        return cls(found, classes, table["class"].value_counts(normalize=True)[list(classes)].to_numpy())

    @property
    def bins(self) -> list[int]:
        """Of each number, and last how many classes there are."""
        return [*(scale.bins for scale in self.scales.values()), len(self.classes)]

    def labels(self, table: pd.DataFrame) -> np.ndarray:
        """The bin that holds each number of each image, then its class, [n, targets]; NaN where it has none."""
        numbers = [scale.bin(truth(table, *target)) for target, scale in self.scales.items()]
        return np.stack([*numbers, table["class"].map(self.classes.index).to_numpy(float)], axis=1)

    def densities(self, target: tuple[str, str], probability: np.ndarray) -> Densities:
        """What the probabilities [n, bins] of a number are of."""
        return Densities(self.scales[target], probability)

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        scales = [[*target, scale.knots.tolist()] for target, scale in self.scales.items()]
        return {"scales": scales, "classes": list(self.classes), "prior": self.prior.tolist()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """And back."""
        scales = {(of, name): Scale(np.array(knots)) for of, name, knots in plain["scales"]}
        return cls(scales, tuple(plain["classes"]), np.array(plain["prior"]))


def truth(table: pd.DataFrame, cls: str, name: str) -> np.ndarray:
    """The true number of each image, or its logarithm; NaN where the image is of another class or has none."""
    if name not in table:
        return np.full(len(table), np.nan)
    values = table[name].to_numpy(float)
    if name in DECADES:
        values = np.log10(values, out=np.full(len(values), np.nan), where=values > 0)
    return np.where((cls == ANY) | (table["class"] == cls), values, np.nan)


def written(name: str) -> str:
    """A number as tables name it."""
    return f"log10_{name}" if name in DECADES else name
