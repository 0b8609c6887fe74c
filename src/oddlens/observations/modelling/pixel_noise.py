"""The noise of the pixels of a frame: its size and its correlation, measured in the sky, and its whitening.

Pixels of drizzled frames share the light of detector pixels, so their noise is correlated, and noise maps are often
right for sums over many pixels only. The 42 frames of SLACS lenses in HST images have a scatter of 0.68 of their noise
maps in single pixels, and 1.0 in sums over 4 x 4 (median). So the noise is taken as

    covariance of pixels i and j = variance * sigma_i sigma_j * correlation(i - j)

with the noise map sigma, and variance and correlation as measured in the sky, after its slow changes are subtracted.

Whitening follows Vecchia (1988, JRSS B 50, 297): the residual of each pixel, minus its prediction from the unmasked
pixels near it that come earlier, row by row, is divided by the scatter of this difference. This is exact if a pixel
depends on earlier ones only through those near it. Masked pixels have no part in it.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage, sparse
from torch import Tensor

REACH = 2
"""Pixels further apart than this, in rows or in columns, have independent noise."""
SKY_BOX_ARCSEC, MIN_SKY_BOX = 1.25, 9
"""Slow changes of the sky are the mean of a box of this side, or of this number of pixels."""
OBJECT_SIGMA = 4.5
"""Pixels that deviate by more standard deviations, and those next to them, show other objects."""
MIN_SKY_PIXELS = 1500
"""With fewer pixels of empty sky the correlation has an error of more than 0.03, and the noise map is used as it is."""
MIN_VARIANCE = 1e-3
"""Smallest variance of a pixel, relative to that without neighbours, that is left after the prediction."""


class PixelNoise(NamedTuple):
    """How the noise of pixels relates to a noise map.

    Attributes:
        variance: of single pixels, in units of the noise map squared.
        correlation: of pixels by their distance (rows, columns), [2 reach + 1, 2 reach + 1]; 1 in the centre.
        pixels: the number of pixels of empty sky in which both were measured; 0: white noise, as the map says.
    """

    variance: float
    correlation: np.ndarray
    pixels: int

    @property
    def large_scale_variance(self) -> float:
        """The variance of means over many pixels, in units of that of white noise with the noise map."""
        return self.variance * float(self.correlation.sum())


def white_noise() -> PixelNoise:
    """Noise that is as a noise map says, and independent from pixel to pixel."""
    correlation = np.zeros((2 * REACH + 1, 2 * REACH + 1))
    correlation[REACH, REACH] = 1.0
    return PixelNoise(1.0, correlation, 0)


def measure_pixel_noise(image: np.ndarray, sigma: np.ndarray, sky: np.ndarray, pixel_scale_arcsec: float) -> PixelNoise:
    """The noise of an image [h, w] in its `sky` pixels [h, w], in units of the noise map sigma [h, w]."""
    side = max(MIN_SKY_BOX, round(SKY_BOX_ARCSEC / pixel_scale_arcsec))
    z, empty = np.zeros(image.shape), sky
    for _ in range(3):  # objects raise the scatter by which they are recognised
        z = np.where(empty, (image - _box_mean(image, empty, side)) / np.where(empty, sigma, 1.0), 0.0)
        if empty.sum() < MIN_SKY_PIXELS:
            return white_noise()
        scatter = 1.4826 * np.median(np.abs(z[empty]))
        empty = empty & ~ndimage.binary_dilation(np.abs(z) > OBJECT_SIGMA * scatter, iterations=2)
    z = np.where(empty, z, 0.0)
    covariance = np.array([[_product(z, empty, dy, dx) for dx in _SHIFTS] for dy in _SHIFTS])
    # A box of k pixels contains the pixel itself: white noise keeps 1 - 1 / k of its variance.
    variance = float(covariance[REACH, REACH]) / (1 - 1 / side**2)
    correlation = covariance / covariance[REACH, REACH]
    return PixelNoise(variance, (correlation + correlation[::-1, ::-1]) / 2, int(empty.sum()))


_SHIFTS = range(-REACH, REACH + 1)


def _box_mean(image: np.ndarray, use: np.ndarray, side: int) -> np.ndarray:
    total, count = (
        ndimage.uniform_filter(part, side, mode="constant") for part in (np.where(use, image, 0.0), use.astype(float))
    )
    return total / np.maximum(count, 1e-6)


def _product(z: np.ndarray, use: np.ndarray, dy: int, dx: int) -> float:
    """The mean product of pixels that are dy rows and dx columns apart."""
    a = tuple(slice(max(0, d), n + min(0, d)) for d, n in zip((dy, dx), z.shape, strict=True))
    b = tuple(slice(max(0, -d), n + min(0, -d)) for d, n in zip((dy, dx), z.shape, strict=True))
    return float((z[a] * z[b])[use[a] & use[b]].mean())


def whitening_matrix(rows: np.ndarray, columns: np.ndarray, sigma: np.ndarray, noise: PixelNoise) -> Tensor:
    """The sparse matrix W [n, n] that turns the residuals of pixels into white noise of unit variance.

    Args:
        rows, columns: of the pixels, sorted by rows and then by columns, [n].
        sigma: the noise map of the pixels, [n].
    """
    count, sigma = len(rows), sigma * np.sqrt(noise.variance)
    earlier = np.array([(dy, dx) for dy in range(-REACH, 1) for dx in _SHIFTS if dy < 0 or dx < 0])  # [m, 2]
    number = np.full((np.ptp(rows) + 1 + 2 * REACH, np.ptp(columns) + 1 + 2 * REACH), -1)
    row, column = rows - rows.min() + REACH, columns - columns.min() + REACH
    number[row, column] = np.arange(count)
    neighbours = number[row[:, None] + earlier[:, 0], column[:, None] + earlier[:, 1]]  # [n, m]
    weights, scatter = _predictions(neighbours >= 0, earlier, noise.correlation)
    present = neighbours >= 0
    of_pixel = np.repeat(np.arange(count), present.sum(axis=1))
    values = np.concatenate([(-weights / scatter[:, None])[present], 1 / scatter])
    at = np.concatenate([of_pixel, np.arange(count)]), np.concatenate([neighbours[present], np.arange(count)])
    matrix = sparse.csr_array((values / sigma[at[1]], at), shape=(count, count)).tocoo()
    index = torch.tensor(np.stack(matrix.coords))
    with torch.sparse.check_sparse_tensor_invariants():
        return torch.sparse_coo_tensor(index, matrix.data, matrix.shape, is_coalesced=True)


def _predictions(present: np.ndarray, shifts: np.ndarray, correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights [n, m] with which the neighbours that are `present` predict a pixel, and the scatter that is left, [n].

    Args:
        present: which of the neighbours at m `shifts` a pixel has, [n, m].
    """
    distance = shifts[:, None] - shifts
    near = (np.abs(distance) <= REACH).all(axis=-1)
    at = np.clip(distance, -REACH, REACH) + REACH
    between = np.where(near, correlation[at[..., 0], at[..., 1]], 0.0)
    with_pixel = correlation[shifts[:, 0] + REACH, shifts[:, 1] + REACH]
    patterns, which = np.unique(present, axis=0, return_inverse=True)
    weights, scatter = np.zeros(patterns.shape), np.ones(len(patterns))
    for k, pattern in enumerate(patterns):
        weights[k, pattern] = np.linalg.solve(between[np.ix_(pattern, pattern)], with_pixel[pattern])
        scatter[k] = np.sqrt(max(1 - weights[k] @ with_pixel, MIN_VARIANCE))
    return weights[which.ravel()], scatter[which.ravel()]
