"""The background of a frame: the level of the sky, the noise of its pixels, and whether it is flat and empty.

It is measured in the border, the outermost usable pixels, after galaxies and stars are clipped. A constant that is
added to the image changes the level by that constant, and nothing else.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

BORDER_PART = 0.36
"""The part of the usable pixels that are the border: the outer tenth on each side, if all pixels are usable."""
CLIP_SIGMA = 3
"""Border pixels that deviate more from the median, in units of 1.4826 times their median absolute deviation, show other
galaxies or stars."""
SMOOTH_ARCSEC, SMOOTH_MIN_PIXELS = 0.55, 7
"""The noise is measured relative to the mean of a box of this side. The light of galaxies hardly varies in it, and the
noise of resampled pixels is correlated over shorter distances."""


REPORTED_LEVEL, REPORTED_CHANGE = 3, 2
"""A level, or a change across the frame, is reported if it is larger in units of the noise. Halos of real lenses reach
the first, and neighbours of real lenses the second."""
REPORTED_CROWDING, REPORTED_CUT = 0.1, 0.2
"""Larger parts of the border with other objects, or with equal lowest values, are reported."""


@dataclass(frozen=True)
class Background:
    """The background of a frame, in its units."""

    level: float
    """The level of the sky."""
    noise: float
    """Standard deviation of the noise of a pixel."""
    spread: float
    """Standard deviation of the border, with halos and gradients."""
    change: float
    """The change of the sky across the frame, from corner to corner, if it is a plane."""
    crowding: float
    """The part of the border that shows other objects."""
    cut: float
    """The part of the border that has its lowest value."""

    def notes(self, noise: float) -> Iterator[str]:
        """Sentences about what deviates from an empty sky; `noise` is that of a pixel."""
        if abs(self.level) > REPORTED_LEVEL * noise:
            yield f"A sky of {self.level:.3g}, {self.level / noise:,.1f} times the noise, was subtracted."
        if self.change > REPORTED_CHANGE * noise:
            yield (
                f"The sky changes by {self.change / noise:,.1f} times the noise across the frame, but only a constant "
                "was subtracted: subtract the gradient, or mask the neighbour that causes it."
            )
        if self.cut > REPORTED_CUT:
            yield f"{self.cut:.0%} of the border has the same lowest value: fainter pixels seem to be cut off."
        elif self.crowding > REPORTED_CROWDING:
            yield f"{self.crowding:.0%} of the border shows other objects: mask those near the lens."


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
    crowding, cut = 1 - float(empty[outer].mean()), float((image[outer] == image[outer].min()).mean())
    return Background(level, noise, spread, _change(flat, outer & empty), crowding, cut)


def sky_level(image: np.ndarray, usable: np.ndarray) -> float:
    """The mean of the border, with other objects clipped; 0 if no pixel is usable."""
    return _clipped(image[border(usable)])[0] if usable.any() else 0.0


def _clipped(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, median and standard deviation of values [n] without outliers."""
    from astropy.stats import sigma_clipped_stats  # takes long to import, and images that are read may not need it

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
