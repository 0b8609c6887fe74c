"""The centre of the lens in a frame: the brightest point, or the centre of symmetry where that point is masked."""

import numpy as np
from scipy import ndimage, signal

from oddlens.observations.background import smoothed

CENTRE_ARCSEC = 0.7
"""The lens centre is the brightest point within this distance of the middle of the frame."""
SMOOTHING_ARCSEC = 0.1
"""Standard deviation of the Gaussian that smooths the frame before."""
SYMMETRY_ARCSEC = 1.0
"""The symmetry is that of the pixels within this distance of the brightest usable point."""
MIN_OVERLAP = 0.3
"""Least part of these pixels that must lie opposite to usable ones."""


def find_centre(image: np.ndarray, usable: np.ndarray, pixel_scale_arcsec: float) -> tuple[int, int]:
    """Row and column of the lens in an image [h, w], of which some pixels are `usable`; the others are ignored.

    A core that is saturated or masked leaves a hole, and the brightest usable point lies beside it. If unusable pixels
    are near the middle, the centre is the pixel among them, or next to the brightest point, about which the light is
    most symmetric.
    """
    peak = _brightest(image, usable, pixel_scale_arcsec)
    holes = ~usable & _near_middle(image.shape, pixel_scale_arcsec)
    if not holes.any():
        return peak
    distance = _distance(image.shape, peak)
    symmetry = _symmetry(image, usable & (distance * pixel_scale_arcsec < SYMMETRY_ARCSEC))
    row, column = np.unravel_index(np.argmax(np.where(holes | (distance < 1.5), symmetry, -np.inf)), image.shape)
    return int(row), int(column)


def is_peak(image: np.ndarray, usable: np.ndarray, pixel_scale_arcsec: float, point: tuple[int, int]) -> bool:
    """Whether the smoothed image is nowhere brighter than at a pixel among the usable pixels next to it.

    If it is not, the brightest point near the middle lies at the limit of `CENTRE_ARCSEC`, and the galaxy beyond.
    """
    smooth = np.where(usable, _smooth(image, usable, pixel_scale_arcsec), -np.inf)
    row, column = point
    around = smooth[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
    return not usable[point] or bool(smooth[point] >= around.max())


def _brightest(image: np.ndarray, usable: np.ndarray, pixel_scale_arcsec: float) -> tuple[int, int]:
    """The brightest usable pixel near the middle, after smoothing."""
    smooth = _smooth(image, usable, pixel_scale_arcsec)
    near = _near_middle(image.shape, pixel_scale_arcsec)
    allowed = near & usable if (near & usable).any() else usable
    row, column = np.unravel_index(np.argmax(np.where(allowed, smooth, -np.inf)), image.shape)
    return int(row), int(column)


def _smooth(image: np.ndarray, usable: np.ndarray, pixel_scale_arcsec: float) -> np.ndarray:
    sigma = SMOOTHING_ARCSEC / pixel_scale_arcsec
    return smoothed(image, usable, lambda array: ndimage.gaussian_filter(array, sigma, mode="constant"))


def _symmetry(image: np.ndarray, used: np.ndarray) -> np.ndarray:
    """The correlation of the used pixels with their opposites about each pixel, [h, w]; -1 where few have one."""
    weight, light = used.astype(float), np.where(used, image, 0.0)

    def opposite(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The sum over pixels of `a` times the opposite pixel of `b`, about each pixel."""
        return signal.fftconvolve(a, b)[::2, ::2]

    pairs = opposite(weight, weight)
    enough = pairs > MIN_OVERLAP * weight.sum()
    pairs = np.where(enough, pairs, 1.0)
    mean = opposite(light, weight) / pairs
    variance = opposite(light**2, weight) / pairs - mean**2
    enough &= variance > 0
    return np.where(enough, (opposite(light, light) / pairs - mean**2) / np.where(enough, variance, 1.0), -1.0)


def _near_middle(shape: tuple[int, ...], pixel_scale_arcsec: float) -> np.ndarray:
    height, width = shape
    return _distance(shape, ((height - 1) / 2, (width - 1) / 2)) * pixel_scale_arcsec <= CENTRE_ARCSEC


def _distance(shape: tuple[int, ...], point: tuple[float, float]) -> np.ndarray:
    """The distance of each pixel from a row and a column, in pixels."""
    return np.hypot(*(np.indices(shape) - np.reshape(point, (2, 1, 1))))
