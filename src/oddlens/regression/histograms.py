"""Posterior densities as histograms over the ranks of their prior.

A number t is replaced by its rank u = F(t) in [0, 1] among the training images, where its prior is uniform. A density
is the probability of each of K equal bins of u. K times the probability of a bin is then posterior over prior and, up
to a constant of the image, the likelihood, so the information of several lenses can be multiplied. Within a bin the
density has the shape of the prior. A classifier of the bins learns the density by its cross-entropy (the histogram loss
of Imani & White 2018, arXiv:1806.04613), whatever the shape of the posterior.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

STEPS_PER_BIN = 16
"""Steps in a bin between which the quantile function of the prior is linear."""
MIN_RATIO = 1e-6
"""A lower bound of posterior over prior. Without it, a bin with probability 0 would dominate every sum of
logarithms."""


@dataclass(frozen=True)
class Scale:
    """The quantile function of a prior, from rank to number, at equal steps of rank: `knots` [STEPS_PER_BIN bins +
    1]."""

    knots: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, bins: int) -> Self:
        """The scale of training values [n].

        Raises:
            ValueError: there are fewer values than bins, so some bins would be empty.
        """
        if len(values) < bins:
            raise ValueError(f"{len(values)} images cannot fill {bins} bins: lower bins, or raise the images")
        return cls(np.quantile(values, np.linspace(0, 1, STEPS_PER_BIN * bins + 1)))

    @property
    def bins(self) -> int:
        """The number of bins."""
        return (len(self.knots) - 1) // STEPS_PER_BIN

    def rank(self, values: np.ndarray) -> np.ndarray:
        """The prior probability of less than each value, in [0, 1]; NaN for NaN."""
        return np.interp(values, self.knots, np.linspace(0, 1, len(self.knots)))

    def value(self, rank: np.ndarray) -> np.ndarray:
        """The inverse of `rank`."""
        return np.interp(rank, np.linspace(0, 1, len(self.knots)), self.knots)

    def bin(self, values: np.ndarray) -> np.ndarray:
        """The index of the bin of each value, as floats; NaN for NaN."""
        return np.minimum(np.floor(self.rank(values) * self.bins), self.bins - 1)

    def mean(self, function=lambda values: values) -> np.ndarray:
        """The prior mean of a function of the number within each bin, [bins] (or [..., bins])."""
        middles = (self.knots[1:] + self.knots[:-1]) / 2
        values = function(middles)
        return values.reshape(*values.shape[:-1], self.bins, STEPS_PER_BIN).mean(axis=-1)


@dataclass(frozen=True)
class Densities:
    """The posterior densities of one number for n images: `probability` [n, bins] on a scale."""

    scale: Scale
    probability: np.ndarray

    def __post_init__(self) -> None:
        if self.probability.shape[-1:] != (self.scale.bins,):
            raise ValueError(f"{self.probability.shape} probabilities do not fit {self.scale.bins} bins")

    def __getitem__(self, chosen) -> "Densities":
        """The densities of some images."""
        return Densities(self.scale, self.probability[chosen])

    @property
    def ratio(self) -> np.ndarray:
        """Posterior over prior in each bin, [n, bins]: the likelihood up to a constant of each image."""
        bins = self.scale.bins
        return (1 - MIN_RATIO) * self.probability * bins + MIN_RATIO

    def mean(self) -> np.ndarray:
        """The posterior mean, [n]: the estimate with the smallest mean square error."""
        return self.probability @ self.scale.mean()

    def deviation(self) -> np.ndarray:
        """The posterior standard deviation, [n]."""
        square = self.probability @ self.scale.mean(np.square)
        return np.sqrt(np.maximum(square - self.mean() ** 2, 0))

    def _cumulated(self) -> np.ndarray:
        """The posterior probability below each edge of the bins, [n, bins + 1]."""
        total = np.cumsum(self.probability, axis=1, dtype=float)
        return np.concatenate([np.zeros((len(total), 1)), total / total[:, -1:]], axis=1)

    def quantile(self, level: float) -> np.ndarray:
        """The posterior quantile of a probability `level`, [n]."""
        total = self._cumulated()
        below = np.minimum((total[:, 1:] < level).sum(axis=1), self.scale.bins - 1)
        rows = np.arange(len(total))
        start, end = total[rows, below], total[rows, below + 1]
        within = np.divide(level - start, end - start, out=np.zeros(len(total)), where=end > start)
        return self.scale.value((below + within) / self.scale.bins)

    def pit(self, truth: np.ndarray) -> np.ndarray:
        """The posterior probability of less than the truth [n] (probability integral transform), [n].

        It is uniform if the posteriors are calibrated.
        """
        total, position = self._cumulated(), self.scale.rank(truth) * self.scale.bins
        below = np.minimum(position.astype(int), self.scale.bins - 1)
        rows = np.arange(len(total))
        return total[rows, below] + (position - below) * (total[rows, below + 1] - total[rows, below])

    def log_score(self, truth: np.ndarray) -> np.ndarray:
        """The logarithm of posterior over prior at the truth [n], in nats, [n]; 0 if the posterior is the prior.

        Its mean is at most the mutual information of image and number, which the true posterior reaches.
        """
        return np.log(self.ratio[np.arange(len(truth)), self.scale.bin(truth).astype(int)])


def covered(pit: np.ndarray, probability: float) -> np.ndarray:
    """Whether the central interval of a probability contains the truth, from the values of `Densities.pit`."""
    return np.abs(pit - 0.5) <= probability / 2
