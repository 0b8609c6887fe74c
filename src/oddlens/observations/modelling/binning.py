"""Frames with pixels of twice the size, for the search of a first model."""

import numpy as np
from scipy import signal

from oddlens.observations.modelling.observation import Pixels
from oddlens.observations.modelling.pixel_noise import white_noise


def binned(pixels: Pixels) -> Pixels:
    """Pixels in means of 2 x 2, with white noise. A pixel of which one part is masked is masked."""
    row, column = (round(each) % 2 for each in pixels.centre)
    height, width = ((n - first) // 2 for n, first in zip(pixels.image.shape, (row, column), strict=True))

    def parts(array: np.ndarray) -> np.ndarray:
        own = array[row : row + 2 * height, column : column + 2 * width]
        return own.reshape(height, 2, width, 2).swapaxes(1, 2).reshape(height, width, 4)

    masked = parts(pixels.masked).any(axis=-1)
    image = np.where(masked, 0.0, parts(pixels.image).mean(axis=-1))
    sigma = np.where(masked, 1.0, np.sqrt((parts(pixels.sigma) ** 2).sum(axis=-1)) / 4)
    centre = (pixels.centre[0] - row - 0.5) / 2, (pixels.centre[1] - column - 0.5) / 2
    return Pixels(image, sigma, masked, _binned_psf(pixels.psf), 2 * pixels.scale_arcsec, centre, white_noise())


def _binned_psf(psf: np.ndarray) -> np.ndarray:
    """The PSF of pixels of twice the size: light of a large pixel, spread by the PSF, and gathered by large pixels."""
    spread = signal.convolve2d(psf, np.full((2, 2), 0.25))  # an even side: the centre is between two pixels
    side = 2 * (len(spread) // 4) + 1  # odd, and at least as wide
    padded = np.pad(spread, side - len(spread) // 2)
    kernel = padded.reshape(side, 2, side, 2).sum(axis=(1, 3))
    return kernel / kernel.sum()
