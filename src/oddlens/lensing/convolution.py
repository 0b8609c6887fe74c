"""Point-spread functions and wider pixels, for images of any origin; NumPy alone."""

import numpy as np
from scipy import linalg

from oddlens.lensing.grids import pixel_means

SIGMA_PER_FWHM = 1 / np.sqrt(8 * np.log(2))
TOLERANCE = 1e-3
"""Singular values of a point-spread function below this part of the largest one are left out."""


def gaussian_psf(fwhm_pixels: float) -> np.ndarray:
    """A Gaussian point-spread function [k, k] with the sum 1; one pixel if its width is 0 (unknown)."""
    if not fwhm_pixels > 0:
        return np.ones((1, 1))
    sigma = fwhm_pixels * SIGMA_PER_FWHM
    reach = int(np.ceil(3.5 * sigma))
    axis = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.outer(axis, axis) / axis.sum() ** 2


class Convolution:
    """Convolution of images with a point-spread function; dark outside.

    It is a sum of products of matrices, from the singular value decomposition of the function.

    Args:
        psf: [k, k], k odd.
        pixels: side of the images.
    """

    def __init__(self, psf: np.ndarray, pixels: int):
        u, s, v = np.linalg.svd(psf)
        self.terms = [
            (_convolving(s[k] * u[:, k], pixels), _convolving(v[k], pixels).T)
            for k in np.flatnonzero(s > TOLERANCE * s[0])
        ]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Images [..., pixels, pixels], convolved."""
        return sum((y @ images @ x for y, x in self.terms), start=np.zeros(()))


def _convolving(kernel: np.ndarray, pixels: int) -> np.ndarray:
    """The matrix [pixels, pixels] that convolves with a kernel [k] about its central element."""
    after, before = np.zeros(pixels), np.zeros(pixels)
    half = len(kernel) // 2
    reach = min(half + 1, pixels)
    after[:reach], before[:reach] = kernel[half : half + reach], kernel[half::-1][:reach]
    return linalg.toeplitz(after, before)


def wider_pixels(
    image: np.ndarray, sigma: np.ndarray, psf: np.ndarray, block: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, noise and point-spread function in pixels that are `block` times as wide; without the rest at the border.

    The point-spread function becomes a Gaussian of the same second moment.
    """
    if block == 1:
        return image, sigma, psf
    kept = len(image) // block * block
    part = (slice((len(image) - kept) // 2, (len(image) - kept) // 2 + kept),) * 2
    offset = np.arange(len(psf)) - len(psf) // 2
    variance = float((psf.sum(axis=0) * offset**2).sum()) / block**2
    return (
        pixel_means(image[part], block),
        np.sqrt(pixel_means(sigma[part] ** 2, block)) / block,
        gaussian_psf(np.sqrt(max(variance, 0.0)) / SIGMA_PER_FWHM),
    )
