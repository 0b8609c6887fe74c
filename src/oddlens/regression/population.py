"""The mean of a population, from the posteriors of many of its lenses.

A population is the prior of the training images, tilted: its density is proportional to prior(t) exp(tilt t). Of all
densities with a given mean, this one is nearest to the prior (in relative entropy). Given the population, an image has
the likelihood

    integral p(image | t) population(t) dt  ~  sum over bins of (posterior / prior)_k * population_k

up to a constant of the image, and the logarithms of N images add up. A mean of posterior means would be biased: each is
drawn to the prior, and so is the mean of any number of them.

The image is assumed to depend on the population through t alone. This holds where populations are drawn by weights from
images of the prior.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax

from oddlens.regression.histograms import STEPS_PER_BIN, Densities, Scale

N_MEANS = 201
"""The number of means at which a posterior is computed."""
MAX_OFFSET_SIGMA = 1.0
"""The largest distance of these means from the prior's, in its standard deviations."""


def tilted(values: np.ndarray, mean: float) -> np.ndarray:
    """Weights [n] with sum 1 that tilt values [n] to a given mean.

    Raises:
        ValueError: the mean lies outside the values.
    """
    if not values.min() < mean < values.max():
        raise ValueError(f"a mean of {mean:g} lies outside of {values.min():g} to {values.max():g}")
    standard = (values - values.mean()) / values.std()
    target = (mean - values.mean()) / values.std()

    def excess(tilt: float) -> float:
        return softmax(tilt * standard) @ standard - target

    bound = 1.0
    while excess(bound) < 0 or excess(-bound) > 0:
        bound *= 2
    return softmax(brentq(excess, -bound, bound) * standard)


@dataclass(frozen=True)
class Populations:
    """Populations with evenly spaced means [N_MEANS]; `share` [N_MEANS, bins] is the probability of each bin in
    each."""

    means: np.ndarray
    share: np.ndarray

    @classmethod
    def of(cls, scale: Scale) -> Self:
        """Populations whose means lie within `MAX_OFFSET_SIGMA` standard deviations of the prior's."""
        values = (scale.knots[1:] + scale.knots[:-1]) / 2
        means = values.mean() + MAX_OFFSET_SIGMA * values.std() * np.linspace(-1, 1, N_MEANS)
        weights = np.array([tilted(values, mean) for mean in means])
        return cls(means, weights.reshape(N_MEANS, scale.bins, STEPS_PER_BIN).sum(axis=2))

    def log_likelihood(self, densities: Densities) -> np.ndarray:
        """The log likelihood of each image in each population, up to a constant of the image, [n, N_MEANS]."""
        return np.log(densities.ratio @ self.share.T)

    def posterior(self, log_likelihood: np.ndarray) -> np.ndarray:
        """The probability of each mean, with a uniform prior, from sums over lenses [..., N_MEANS]."""
        return softmax(log_likelihood, axis=-1)


def pit(probability: np.ndarray, means: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The posterior probability [n] of a mean below the true one [n]; `probability` is [n, N_MEANS]."""
    cumulated = np.cumsum(probability, axis=1) - probability / 2
    return np.array([np.interp(t, means, row) for t, row in zip(truth, cumulated, strict=True)])
