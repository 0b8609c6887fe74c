"""The mean substructure fraction of a population from many lenses, tested on populations that are drawn from the test
images with weights."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from oddlens.data.randomness import stream
from oddlens.regression.estimates import Estimates
from oddlens.regression.population import Populations, pit, tilted
from oddlens.regression.targets import FRACTION
from oddlens.results.tables.regression import INTERVALS, coverages

LENSES = (1, 3, 10, 30, 100)
"""Numbers of lenses in a sample. A sample of a few hundred would contain most of the test images."""
N_POPULATIONS = 400
"""How many populations are drawn. Their means are uniform, which is also the prior of the posterior."""
COLUMNS = ["dataset", "row", "class", "lenses", "populations", "spread", "rmse", "bias", "posterior_std", "slope"]
COLUMNS += ["rmse_of_means", "slope_of_means"]
COLUMNS += [f"coverage{name}{end}" for name in INTERVALS for end in ("", "_low", "_high")]


@dataclass(frozen=True)
class PopulationTest:
    """Populations [p] and the posteriors of their means from samples of each size in `LENSES`."""

    means: np.ndarray
    """The grid of means of the posteriors, [grid]."""
    truth: np.ndarray
    """True means, [p]."""
    posterior: np.ndarray
    """Posterior probabilities, [sizes, p, grid]."""
    means_of_estimates: np.ndarray
    """The mean of the posterior means of the single lenses, [sizes, p]: the naive estimate."""

    def estimate(self) -> np.ndarray:
        """Posterior means, [sizes, p]."""
        return self.posterior @ self.means

    def posterior_std(self) -> np.ndarray:
        """Posterior standard deviations, [sizes, p]."""
        return np.sqrt(np.maximum(self.posterior @ self.means**2 - self.estimate() ** 2, 0))


def anomaly_classes(estimates: Estimates) -> list[str]:
    """The classes of a data set whose substructure fraction is estimated."""
    return [cls for cls, name in estimates.numbers if name == FRACTION]


def draw_populations(estimates: Estimates, cls: str) -> PopulationTest:
    """Draw populations of lenses of a class, with replacement, from its test images, and infer their means.

    The true mean is that of the weighted test images, so that their number does not limit the test.
    """
    densities, truth = estimates.of((cls, FRACTION), cls)
    populations = Populations.of(densities.scale)
    rng = stream(0, "fractions", estimates.dataset, estimates.row, cls)
    inside = (populations.means > truth.min()) & (populations.means < truth.max())
    lowest, highest = populations.means[inside][[0, -1]]
    means = rng.uniform(lowest, highest, N_POPULATIONS)
    weights = [tilted(truth, mean) for mean in means]
    lenses = np.array([rng.choice(len(truth), LENSES[-1], p=w) for w in weights])  # [p, lenses]
    sums = populations.log_likelihood(densities)[lenses].cumsum(axis=1)  # [p, lenses, grid]
    sums_of_estimates = densities.mean()[lenses].cumsum(axis=1)
    sizes = np.array(LENSES)
    posterior = populations.posterior(sums[:, sizes - 1].swapaxes(0, 1))
    return PopulationTest(populations.means, means, posterior, sums_of_estimates[:, sizes - 1].T / sizes[:, None])


def fractions_table(estimates: Iterable[Estimates]) -> pd.DataFrame:
    """`fractions.csv`: a line for each class and sample size.

    `rmse` and `bias` are those of the posterior mean, `posterior_std` is the mean posterior standard deviation, and
    `slope` that of the estimate against the truth. `rmse_of_means` and `slope_of_means` are those of the mean of the
    single lenses' estimates, which is biased towards the prior for any number of lenses. `spread` is the standard
    deviation of the true means. Populations share test images, so that the intervals of the coverage are slightly too
    narrow.
    """
    lines = []
    for of_row in estimates:
        for cls in anomaly_classes(of_row):
            test = draw_populations(of_row, cls)
            parts = zip(LENSES, test.estimate(), test.posterior_std(), test.posterior, strict=True)
            for (size, estimate, std, posterior), naive in zip(parts, test.means_of_estimates, strict=True):
                error = estimate - test.truth
                line = {
                    **{"dataset": of_row.dataset, "row": of_row.row, "class": cls, "lenses": size},
                    **{"populations": len(error), "spread": test.truth.std(), "bias": error.mean()},
                    **{"rmse": np.sqrt(np.mean(error**2)), "posterior_std": std.mean()},
                    "slope": np.polyfit(test.truth, estimate, 1)[0],
                    "rmse_of_means": np.sqrt(np.mean((naive - test.truth) ** 2)),
                    "slope_of_means": np.polyfit(test.truth, naive, 1)[0],
                }
                lines.append(line | coverages(pit(posterior, test.means, test.truth)))
    return pd.DataFrame(lines, columns=COLUMNS)
