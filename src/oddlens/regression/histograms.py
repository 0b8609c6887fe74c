"""A probability density as a histogram over the ranks of its prior.

A number t is replaced by its rank u = F(t) in [0, 1] among training images, where its prior is uniform, and a
density is the probability of each of K equal bins of u. Then K times the probability of a bin is at once posterior over
prior and, up to a constant of the image, the likelihood: what lenses tell can be multiplied. Within a bin the density
has the shape of the prior. A classifier of the bins learns it by its cross-entropy (the histogram loss of Imani & White
2018, arXiv:1806.04613), whatever the posterior's shape.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

FINE = 16
"""Steps within a bin between which the quantile function of the prior is linear."""
LEAST = 1e-6
"""No bin is held to be less probable: a logarithm must not be ruled by what nothing was learned about."""


@dataclass(frozen=True)
class Scale:
    """The quantile function of a prior, from rank to number, at equal steps of rank: `knots` [FINE bins + 1]."""

    knots: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, bins: int) -> Self:
        """The scale of training values [n].

        Raises:
            ValueError: there are fewer values than bins, so that some bin would never be seen.
        """
        if len(values) < bins:
            raise ValueError(f"{len(values)} images cannot fill {bins} bins: lower bins, or raise the images")
        return cls(np.quantile(values, np.linspace(0, 1, FINE * bins + 1)))

    @property
    def bins(self) -> int:
        """How many there are."""
        return (len(self.knots) - 1) // FINE

    def rank(self, values: np.ndarray) -> np.ndarray:
        """The part of the prior below values, in [0, 1]; NaN where they are."""
        return np.interp(values, self.knots, np.linspace(0, 1, len(self.knots)))

    def value(self, rank: np.ndarray) -> np.ndarray:
        """And back."""
        return np.interp(rank, np.linspace(0, 1, len(self.knots)), self.knots)

    def bin(self, values: np.ndarray) -> np.ndarray:
        """The number of the bin that holds each value, as floats; NaN where there is none."""
        return np.minimum(np.floor(self.rank(values) * self.bins), self.bins - 1)

    def mean(self, function=lambda values: values) -> np.ndarray:
        """The prior mean of a function of the number within each bin, [bins] (or [..., bins])."""
        middles = (self.knots[1:] + self.knots[:-1]) / 2
        values = function(middles)
        return values.reshape(*values.shape[:-1], self.bins, FINE).mean(axis=-1)


@dataclass(frozen=True)
class Densities:
    """What is known of one number in each of n images: `probability` [n, bins] on a scale."""

    scale: Scale
    probability: np.ndarray

    def __post_init__(self) -> None:
        if self.probability.shape[-1:] != (self.scale.bins,):
            raise ValueError(f"{self.probability.shape} probabilities do not fit {self.scale.bins} bins")

    def __getitem__(self, chosen) -> "Densities":
        """Those of some images."""
        return Densities(self.scale, self.probability[chosen])

    @property
    def ratio(self) -> np.ndarray:
        """Posterior over prior in each bin, [n, bins]: the likelihood up to a constant of each image."""
        bins = self.scale.bins
        return (1 - LEAST) * self.probability * bins + LEAST

    def mean(self) -> np.ndarray:
        """[n], the estimate with the least mean square error."""
        return self.probability @ self.scale.mean()

    def deviation(self) -> np.ndarray:
        """The standard deviation, [n]."""
        square = self.probability @ self.scale.mean(np.square)
        return np.sqrt(np.maximum(square - self.mean() ** 2, 0))

    def _cumulated(self) -> np.ndarray:
        total = np.cumsum(self.probability, axis=1, dtype=float)
        return np.concatenate([np.zeros((len(total), 1)), total / total[:, -1:]], axis=1)

    def quantile(self, level: float) -> np.ndarray:
        """[n], the number below which it lies with probability `level`."""
        total = self._cumulated()
        below = np.minimum((total[:, 1:] < level).sum(axis=1), self.scale.bins - 1)
        rows = np.arange(len(total))
        start, end = total[rows, below], total[rows, below + 1]
        within = np.divide(level - start, end - start, out=np.zeros(len(total)), where=end > start)
        return self.scale.value((below + within) / self.scale.bins)

    def level(self, truth: np.ndarray) -> np.ndarray:
        """[n], the posterior probability of less than the truth: uniform if what is claimed is so."""
        total, place = self._cumulated(), self.scale.rank(truth) * self.scale.bins
        below = np.minimum(place.astype(int), self.scale.bins - 1)
        rows = np.arange(len(total))
        return total[rows, below] + (place - below) * (total[rows, below + 1] - total[rows, below])

    def score(self, truth: np.ndarray) -> np.ndarray:
        """[n], the log of posterior over prior at the truth, in nats: 0 for who knows the prior alone.

        Its mean is at most the mutual information of image and number, and equal to it for the true posterior.
        """
        return np.log(self.ratio[np.arange(len(truth)), self.scale.bin(truth).astype(int)])


def covered(level: np.ndarray, part: float) -> np.ndarray:
    """Whether the central interval of probability `part` holds the truth, from what `Densities.level` says."""
    return np.abs(level - 0.5) <= part / 2
