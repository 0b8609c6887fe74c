"""The noise of pixels: its variance, the deviance of an image, and its whitening.

A pixel of expected brightness m has the noise variance g m + b: a Poisson count in units of g, plus a constant. Its log
likelihood is, up to a constant, minus half the deviance

    D = 2 / g [(d + b/g) log((d + b/g) / (m + b/g)) - (d - m)]          (d - m)^2 / b for g = 0

whose gradient is that of chi-square with fixed weights (McCullagh & Nelder 1989, section 9.2). So the optimum is not
biased towards bright models, as that of chi-square with the variance of the model is.
"""

from typing import NamedTuple

import torch
from torch import Tensor

SMALL_RISE = 0.02
"""Below this value of gain (d - m) / variance the deviance is computed by its series."""


class NoiseModel(NamedTuple):
    """Noise of n images. A pixel of expected brightness m has the variance gain * m + floor, in units of the images.

    Attributes:
        floor: of all pixels, of each [pixels^2], or of each pixel of each image [n, pixels^2]. It is infinite where a
            pixel was not observed; such a pixel has no weight, whatever finite value it has.
        decorrelation: a matrix A [pixels, pixels], if the noise of pixels is correlated: A n A^T is white, where n is
            the noise of an image divided by its standard deviation.
    """

    gain: float
    floor: float | Tensor
    decorrelation: Tensor | None = None

    def variance(self, expected: Tensor) -> Tensor:
        """The variance of pixels of an expected brightness."""
        return self.gain * expected.clamp(min=0) + self.floor

    def exposed(self, expected: Tensor, generator: torch.Generator) -> Tensor:
        """Images [n, pixels^2] of an expected brightness with noise, uncorrelated."""
        noise = torch.randn(expected.shape, generator=generator, device=expected.device)
        return expected + self.variance(expected).sqrt() * noise

    def of(self, images: Tensor | slice) -> "NoiseModel":
        """The noise of some of the images."""
        if isinstance(self.floor, Tensor) and self.floor.dim() == 2:
            return self._replace(floor=self.floor[images])
        return self

    def times(self, factor: float) -> "NoiseModel":
        """Noise of a variance that is larger by a factor."""
        return self._replace(gain=factor * self.gain, floor=factor * self.floor)

    def count_observed(self, data: Tensor) -> Tensor:
        """The number of observed pixels of images [n, pixels^2], [n]."""
        return self.variance(data).isfinite().sum(dim=1)

    def whiten(self, images: Tensor) -> Tensor:
        """Images [..., pixels^2] in units of the standard deviation of the noise, with white noise.

        For masked pixels it is an approximation: their value is 0, which enters the noise of their neighbours. The
        exact solution needs the covariance of the observed pixels, a matrix [pixels^2, pixels^2] to invert for each
        mask. With a column and one pixel in thirty masked, chi-square per pixel is 1 % too large, and significances
        have their scatter of 1.
        """
        if self.decorrelation is None:
            return images
        square = images.unflatten(-1, self.decorrelation.shape)
        return (self.decorrelation @ square @ self.decorrelation.mT).flatten(-2)

    def deviance(self, data: Tensor, expected: Tensor) -> Tensor:
        """The deviance D of each lens [n], from pixels [n, pixels^2].

        With correlated noise it is the sum of squares of the whitened deviance residuals sign(d - m) sqrt(D).
        """
        variance = self.variance(expected)
        rise = (data - expected) / variance
        if self.gain:
            # With x = gain * rise: 2 ((1 + x) log(1 + x) - x) / gain^2, by its series where x is small.
            x = (self.gain * rise).clamp(min=-0.999)
            exact = 2 * ((1 + x) * x.log1p() - x)
            series = x * x * (1 - x / 3 + x * x / 6)
            deviance = torch.where(x.abs() < SMALL_RISE, series, exact) * variance / self.gain**2
        else:
            deviance = rise.square() * variance
        deviance = deviance.masked_fill(variance.isinf(), 0.0)
        if self.decorrelation is not None:
            deviance = self.whiten(rise.sign() * deviance.clamp(min=0).sqrt()).square()
        return deviance.sum(dim=1)
