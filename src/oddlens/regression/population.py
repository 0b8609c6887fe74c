"""What many lenses of one population say together of its mean.

A population is the prior of the training images, tilted: its density is proportional to prior(t) exp(tilt t), of all
densities with some mean the one nearest to the prior (in relative entropy). Given the population each image has the
likelihood

    integral p(image | t) population(t) dt  ~  sum over bins of (posterior / prior)_k * population_k

up to a constant of the image, and so the logs of N images add up. Posterior means would not do: each is drawn to the
prior, and so is the mean of any number of them.

The image is held to depend on the population through t alone, as it does where populations are drawn by weights from
images of the prior.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax

from oddlens.regression.histograms import FINE, Densities, Scale

GRID = 201
"""Means at which a posterior is known."""
REACH = 1.0
"""How far means lie from the prior's at most, in its standard deviations."""


def tilted(values: np.ndarray, mean: float) -> np.ndarray:
    """Weights [n], summing to 1, that tilt values [n] so that their mean is as given.

    Raises:
        ValueError: the mean lies outside of them.
    """
    if not values.min() < mean < values.max():
        raise ValueError(f"a mean of {mean:g} lies outside of {values.min():g} to {values.max():g}")
    standard = (values - values.mean()) / values.std()
    wanted = (mean - values.mean()) / values.std()

    def excess(tilt: float) -> float:
        return softmax(tilt * standard) @ standard - wanted

    most = 1.0
    while excess(most) < 0 or excess(-most) > 0:
        most *= 2
    return softmax(brentq(excess, -most, most) * standard)


@dataclass(frozen=True)
class Populations:
    """Populations of evenly spaced means [GRID]: `share` [GRID, bins] is the probability of each bin in each."""

    means: np.ndarray
    share: np.ndarray

    @classmethod
    def of(cls, scale: Scale) -> Self:
        """Those whose means lie within `REACH` standard deviations of the prior's."""
        values = (scale.knots[1:] + scale.knots[:-1]) / 2
        means = values.mean() + REACH * values.std() * np.linspace(-1, 1, GRID)
        weights = np.array([tilted(values, mean) for mean in means])
        return cls(means, weights.reshape(GRID, scale.bins, FINE).sum(axis=2))

    def log_likelihood(self, densities: Densities) -> np.ndarray:
        """Of each image in each population, up to a constant of the image, [n, GRID]."""
        return np.log(densities.ratio @ self.share.T)

    def posterior(self, log_likelihood: np.ndarray) -> np.ndarray:
        """The probability of each mean, all equally probable before, from sums over lenses [..., GRID]."""
        return softmax(log_likelihood, axis=-1)


def level(probability: np.ndarray, means: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The posterior probability [n] of a smaller mean than the true one [n]; `probability` is [n, GRID]."""
    upto = np.cumsum(probability, axis=1) - probability / 2
    return np.array([np.interp(t, means, row) for t, row in zip(truth, upto, strict=True)])
