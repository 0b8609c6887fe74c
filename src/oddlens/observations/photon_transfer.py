"""Photon transfer: the noise variance of images against their brightness (Janesick 2001, Scientific CCDs, ch. 2).

The noise is measured by second differences along both axes, in which smooth light cancels (Immerkaer 1996, CVIU 64,
300). Their squares are fitted by a line in the brightness, the mean of 3 x 3 pixels, with which differences of white
noise do not correlate. Images of lenses hardly have pixels without light, so the line replaces the scatter of a border.
Pixels are left out where the differences of the brightness, too, exceed their noise: there light does not cancel.

* The noise of subtracted lens light remains when the light is gone. It depends on the distance from the middle, so each
  ring of pixels has its own intercept. The background is that of the outermost ring.
* Exposures differ, so each image has its own factor of the variance, 1 for the median image.
* Correlated noise, as after drizzling, has smaller differences. Its correlation follows from that of neighbouring
  differences, in the faintest pixels, for noise that was smoothed with a Gaussian: rho(k) = rho(1)^(k^2).
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

RINGS = 8
"""The number of rings, with equally many pixels each."""
FAINT = 0.3
"""The part of the pixels, the faintest of each image, in which the correlation of the noise is measured."""
CLIP_SIGMA = 3.0
"""Larger differences belong to sharp features of light, or to bad pixels."""
CLIPPED_VARIANCE = float(special.gammainc(1.5, CLIP_SIGMA**2 / 2) / special.gammainc(0.5, CLIP_SIGMA**2 / 2))
"""The variance of standard normal numbers that are at most `CLIP_SIGMA`."""
ITERATIONS = 12
MIN_VARIANCE = 0.1
"""The least variance that a line may give a pixel, in units of the mean square of the differences."""
MAX_CORRELATION = 0.95
"""The largest correlation of neighbouring pixels that is told apart from smooth light."""


@dataclass(frozen=True)
class NoisePixels:
    """What is measured of the noise of n images; NaN where a pixel or a neighbour is unknown."""

    differences: np.ndarray
    """Second differences along both axes; those of white noise have its variance. [n, h, w]."""
    brightness: np.ndarray
    """Mean of 3 x 3 pixels, [n, h, w]."""
    structure: np.ndarray
    """Second differences of the brightness, to which light contributes as to the others, and noise far less."""
    ring: np.ndarray
    """The number of each pixel's ring, from the middle, [h, w]."""

    @classmethod
    def of(cls, images: np.ndarray) -> "NoisePixels":
        """Those of images [n, h + 4, w + 4], float64."""
        brightness = _three_by_three(images, 1.0) / 9
        differences = _three_by_three(images, -2.0) / 6
        structure = _three_by_three(brightness, -2.0) / 6
        y, x = (np.arange(n) - (n - 1) / 2 for n in structure.shape[1:])
        distance = np.hypot(y[:, None] / len(y), x / len(x))
        edges = np.quantile(distance, np.arange(1, RINGS) / RINGS)
        inner = np.s_[:, 1:-1, 1:-1]
        return cls(differences[inner], brightness[inner], structure, np.searchsorted(edges, distance, side="right"))

    def take(self, part: slice) -> "NoisePixels":
        """Those of some of the images."""
        return NoisePixels(self.differences[part], self.brightness[part], self.structure[part], self.ring)

    @property
    def faint(self) -> np.ndarray:
        """Whether a pixel is among the faintest of its image, [n, h, w]."""
        rows = self.brightness.reshape(len(self.brightness), -1)
        rank = np.argsort(np.argsort(rows, axis=1), axis=1)  # NaN last
        known = np.isfinite(rows).sum(axis=1, keepdims=True)
        return (rank < FAINT * known).reshape(self.brightness.shape)


def _three_by_three(images: np.ndarray, weight: float) -> np.ndarray:
    """The sum of 3 x 3 neighbours [n, h - 2, w - 2], the middle one of each axis weighted."""
    for axis in (1, 2):
        before, middle, after = (np.moveaxis(images, axis, 0)[k : images.shape[axis] - 2 + k] for k in range(3))
        images = np.moveaxis(before + weight * middle + after, 0, axis)
    return images


@dataclass(frozen=True)
class NoiseLine:
    """Noise variance against brightness, as the differences have it: not corrected for correlation."""

    gain: float
    """Increase of the variance per unit of brightness."""
    intercepts: np.ndarray
    """The variance without brightness in each ring, [rings]."""
    factor: np.ndarray
    """The factor of each image, [n], with the median 1."""

    @property
    def background(self) -> float:
        """The intercept of the outermost ring."""
        return float(self.intercepts[-1])

    @classmethod
    def fitted(cls, pixels: NoisePixels) -> "NoiseLine":
        """The line that fits the squares of the differences best, by weighted least squares without outliers."""
        known = np.isfinite(pixels.structure)
        image, ring = (np.broadcast_to(a, known.shape)[known] for a in (_numbers(known), pixels.ring))
        squares, structure = pixels.differences[known] ** 2, pixels.structure[known] ** 2
        brightness, faint = pixels.brightness[known], pixels.faint[known]
        factor, variance = np.ones(len(known)), np.full(len(squares), squares.mean())
        for _ in range(ITERATIONS):
            of_noise = _clipped_variance(np.sqrt(structure[faint] / variance[faint]))
            kept = (squares < CLIP_SIGMA**2 * variance) & (structure <= CLIP_SIGMA**2 * of_noise * variance)
            scale = factor[image]
            weight = kept * (scale / variance) ** 2
            gain, intercepts = _line(brightness, squares / scale / CLIPPED_VARIANCE, ring, weight)
            line = intercepts[ring] + gain * brightness
            line = np.maximum(line, MIN_VARIANCE * squares[kept].mean())
            factor = _factors(image, np.where(kept, squares / line / CLIPPED_VARIANCE, np.nan), len(known))
            variance = line * factor[image]
        return cls(gain, intercepts, factor)

    def lag1_correlation(self, pixels: NoisePixels) -> float:
        """The correlation between the noise of neighbouring pixels."""
        line = self.intercepts[pixels.ring] + self.gain * pixels.brightness
        faint = pixels.faint & (line > 0)
        scale = np.sqrt(self.factor[:, None, None] * line, out=np.ones_like(line), where=faint)
        noise = np.where(faint, pixels.differences / scale, np.nan)
        pairs = [(noise[:, 1:], noise[:, :-1]), (noise[:, :, 1:], noise[:, :, :-1])]
        sums, differences = (
            _clipped_variance(np.concatenate([(a + sign * b).ravel() for a, b in pairs])) for sign in (1, -1)
        )
        return _pixel_correlation((sums - differences) / (sums + differences))


def _numbers(known: np.ndarray) -> np.ndarray:
    """The number of each image, [n, 1, 1]."""
    return np.arange(len(known)).reshape(-1, 1, 1)


def _factors(image: np.ndarray, ratio: np.ndarray, count: int) -> np.ndarray:
    """The mean ratio of each of `count` images, with the median 1; 1 for images without a known ratio."""
    known = np.isfinite(ratio)
    number = np.bincount(image, known, count)
    mean = np.bincount(image, np.where(known, ratio, 0), count) / np.maximum(number, 1)
    usable = mean > 0
    return np.where(usable, mean / np.median(mean[usable]), 1.0) if usable.any() else np.ones(count)


def _line(x: np.ndarray, y: np.ndarray, ring: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """The slope and the intercept of each ring of the lines y = intercept + slope * x that fit best."""
    total = np.maximum(np.bincount(ring, weight, RINGS), 1e-300)
    mean_x, mean_y = (np.bincount(ring, weight * values, RINGS) / total for values in (x, y))
    offset = x - mean_x[ring]
    spread = np.sum(weight * offset**2)
    slope = float(np.sum(weight * offset * y) / spread) if spread > 0 else 0.0
    return slope, mean_y - slope * mean_x


def _clipped_variance(values: np.ndarray) -> float:
    """The variance of numbers around 0, some of which are NaN, without outliers."""
    squares = values[np.isfinite(values)] ** 2
    variance = squares.mean()
    for _ in range(ITERATIONS):
        kept = squares[squares < CLIP_SIGMA**2 * variance]
        variance = kept.mean() / CLIPPED_VARIANCE if len(kept) else variance
    return float(variance)


def _moments(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance of second differences along an axis, and covariance of neighbouring ones, for pixels of variance 1.

    Args:
        correlation: that of neighbouring pixels.
    """
    rho = [correlation ** (k * k) for k in range(4)]
    weights = {0: 6, 1: -4, 2: 1}  # of the differences with themselves, shifted by 0, 1, 2 pixels

    def covariance(lag: int) -> np.ndarray:
        return np.sum([weights[abs(shift)] * rho[abs(lag - shift)] for shift in range(-2, 3)], axis=0)

    return covariance(0), covariance(1)


def variance_factor(correlation: float) -> float:
    """What the correlation of neighbouring pixels leaves of the variance of the differences: 1 for white noise."""
    return float(_moments(np.array(correlation))[0] / 6) ** 2


def block_factor(correlation: float, side: float) -> float:
    """Variance of noise in the means of blocks, each times its pixels, in units of that in the differences.

    Args:
        correlation: that of neighbouring pixels.
        side: the side of the blocks in pixels.
    """
    lags = np.arange(1, max(1, round(side)))
    along = 1 + 2 * np.sum((1 - lags / side) * correlation ** (lags**2.0))
    return float(along**2) / variance_factor(correlation)


def _pixel_correlation(of_differences: float) -> float:
    """The correlation of neighbouring pixels from that of neighbouring differences, -2 / 3 for white noise."""
    grid = np.linspace(-0.3, MAX_CORRELATION, 1000)
    variance, covariance = _moments(grid)
    return float(np.interp(of_differences, covariance / variance, grid))
