"""What many lenses together tell of the mean substructure fraction of their population, tested on populations that are
drawn from the test images by weights."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from oddlens.data.randomness import stream
from oddlens.regression.estimates import Estimates
from oddlens.regression.histograms import covered
from oddlens.regression.population import Populations, level, tilted
from oddlens.regression.targets import FRACTION
from oddlens.results.tables.regression import PARTS, rate

LENSES = (1, 3, 10, 30, 100)
"""How many lenses a sample has; a population of a few hundred would be most of the test images."""
POPULATIONS = 400
"""How many populations are drawn; their means are uniform, as the posterior takes for granted."""
COLUMNS = ["dataset", "row", "class", "lenses", "populations", "spread", "rmse", "bias", "deviation", "slope"]
COLUMNS += ["rmse_of_means", "slope_of_means"]
COLUMNS += [f"coverage{part}{end}" for part in PARTS for end in ("", "_low", "_high")]


@dataclass(frozen=True)
class Drawn:
    """Populations [p] and what samples of each size in `LENSES` say of their means."""

    means: np.ndarray
    """At which posteriors are known, [GRID]."""
    truth: np.ndarray
    """[p]"""
    posterior: np.ndarray
    """[sizes, p, GRID]"""
    of_means: np.ndarray
    """The mean of the posterior means of the single lenses, [sizes, p]: what one might do instead."""

    def estimate(self) -> np.ndarray:
        """Posterior means [sizes, p]."""
        return self.posterior @ self.means

    def deviation(self) -> np.ndarray:
        """And deviations."""
        return np.sqrt(np.maximum(self.posterior @ self.means**2 - self.estimate() ** 2, 0))


def odd_classes(estimates: Estimates) -> list[str]:
    """The classes of a data set whose fraction is estimated."""
    return [cls for cls, name in estimates.numbers if name == FRACTION]


def drawn(estimates: Estimates, cls: str) -> Drawn:
    """Draw populations of lenses of a class, with repetition, from its test images, and infer their means.

    The true mean is that of the weighted test images, so that their number does not limit the test.
    """
    densities, truth = estimates.of((cls, FRACTION), cls)
    populations = Populations.of(densities.scale)
    rng = stream(0, "fractions", estimates.dataset, estimates.row, cls)
    inside = (populations.means > truth.min()) & (populations.means < truth.max())
    least, most = populations.means[inside][[0, -1]]
    means = rng.uniform(least, most, POPULATIONS)
    weights = [tilted(truth, mean) for mean in means]
    lenses = np.array([rng.choice(len(truth), LENSES[-1], p=w) for w in weights])  # [p, most]
    sums = populations.log_likelihood(densities)[lenses].cumsum(axis=1)  # [p, most, GRID]
    of_means = densities.mean()[lenses].cumsum(axis=1)
    sizes = np.array(LENSES)
    posterior = populations.posterior(sums[:, sizes - 1].swapaxes(0, 1))
    return Drawn(populations.means, means, posterior, of_means[:, sizes - 1].T / sizes[:, None])


def fractions_table(found: Iterable[Estimates]) -> pd.DataFrame:
    """`fractions.csv`: a line for each class and size of a sample.

    `rmse` and `bias` are of the posterior mean of the population's mean, `deviation` is the deviation that the
    posterior claims, and `slope` that of estimate against truth. `of_means` are the same of the mean of the single
    lenses' estimates, which is drawn to the prior however many lenses there are. `spread` is that of the true means.
    Populations share test images, so the intervals of the coverage are a little too narrow.
    """
    lines = []
    for estimates in found:
        for cls in odd_classes(estimates):
            made = drawn(estimates, cls)
            parts = zip(LENSES, made.estimate(), made.deviation(), made.posterior, made.of_means, strict=True)
            for size, estimate, deviation, posterior, of_means in parts:
                error, below = estimate - made.truth, level(posterior, made.means, made.truth)
                line = {
                    **{"dataset": estimates.dataset, "row": estimates.row, "class": cls, "lenses": size},
                    **{"populations": len(error), "spread": made.truth.std(), "bias": error.mean()},
                    **{"rmse": np.sqrt(np.mean(error**2)), "deviation": deviation.mean()},
                    "slope": np.polyfit(made.truth, estimate, 1)[0],
                    "rmse_of_means": np.sqrt(np.mean((of_means - made.truth) ** 2)),
                    "slope_of_means": np.polyfit(made.truth, of_means, 1)[0],
                }
                for name, part in PARTS.items():
                    line |= rate(f"coverage{name}", covered(below, part))
                lines.append(line)
    return pd.DataFrame(lines, columns=COLUMNS)
