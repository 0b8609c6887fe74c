"""The background of a frame: the level of the sky, the noise of its pixels, and whether it is flat.

All three are measured in the border, the outermost usable pixels, after galaxies and stars are clipped. A constant that
is added to the image changes the level by that constant, and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy.stats import sigma_clipped_stats
from scipy import ndimage

BORDER_PART = 0.36
"""The part of the usable pixels that are the border: the outer tenth on each side, if all pixels are usable."""
CLIP_SIGMA = 3
"""Border pixels that deviate more from the median, in units of 1.4826 times their median absolute deviation, show other
galaxies or stars."""
SMOOTH_ARCSEC, SMOOTH_MIN_PIXELS = 0.55, 7
"""The noise is measured relative to the mean of a box of this side. The light of galaxies hardly varies in it, and the
noise of resampled pixels is correlated over shorter distances."""


@dataclass(frozen=True)
class Background:
    """The background of a frame, in its units."""

    level: float
    """The level of the sky."""
    noise: float
    """Standard deviation of the noise of a pixel."""
    change: float
    """The change of the sky across the frame, from corner to corner, if it is a plane."""


def measure_background(image: np.ndarray, usable: np.ndarray, pixel_scale_arcsec: float) -> Background:
    """The background of an image [h, w], of which some pixels are `usable` [h, w]; the others may have any value."""
    outer = border(usable)
    level, _, spread = _clipped(image[outer])
    flat = np.where(usable, image - level, 0.0)
    empty = usable & (np.abs(flat) <= CLIP_SIGMA * spread)
    empty = empty if (outer & empty).any() else usable  # a sky of equal values, whose mean is rounded
    side = max(SMOOTH_MIN_PIXELS, round(SMOOTH_ARCSEC / pixel_scale_arcsec))
    means = smoothed(flat, empty, lambda array: ndimage.uniform_filter(array, side, mode="constant"))
    _, _, noise = _clipped((flat - means)[outer & empty])
    return Background(level, noise, _change(flat, outer & empty))


def sky_level(image: np.ndarray, usable: np.ndarray) -> float:
    """The mean of the border, with other objects clipped."""
    return _clipped(image[border(usable)])[0]


def _clipped(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, median and standard deviation of values [n] without outliers."""
    mean, median, deviation = sigma_clipped_stats(values, sigma=CLIP_SIGMA, stdfunc="mad_std")
    return float(mean), float(median), float(deviation)


def border(usable: np.ndarray) -> np.ndarray:
    """The outermost usable pixels [h, w], by their distance from the middle in units of the height and the width."""
    offsets = [np.abs(np.arange(n) - (n - 1) / 2) / n for n in usable.shape]
    distance = np.maximum(*np.meshgrid(*offsets, indexing="ij"))
    return usable & (distance >= np.quantile(distance[usable], 1 - BORDER_PART))


def smoothed(image: np.ndarray, usable: np.ndarray, smooth: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """An image [h, w] after linear smoothing that ignores unusable pixels (normalised convolution).

    Zero where no usable pixel is near.

    Args:
        smooth: smooths an array [h, w], which is zero beyond its edges.
    """
    weight = smooth(usable.astype(float))
    near = weight > 1e-3
    return np.where(near, smooth(np.where(usable, image, 0.0)) / np.where(near, weight, 1), 0.0)


def _change(image: np.ndarray, sky: np.ndarray) -> float:
    """The change across the frame, from corner to corner, of the plane that fits the `sky` pixels [h, w] best."""
    y, x = (np.indices(image.shape) / np.reshape(image.shape, (2, 1, 1)))[:, sky]
    _, *slopes = np.linalg.lstsq(np.stack([np.ones(len(y)), y, x], axis=1), image[sky], rcond=None)[0]
    return float(np.abs(slopes).sum())
