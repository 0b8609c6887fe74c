"""Errors of the model of a frame that are no noise: of the lens light, and of the point-spread function.

No galaxy is a sum of ellipses, and no PSF is exact. If the noise did not include these errors, the source and the mass
would explain them.
"""

from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from oddlens.observations.modelling.observation import Observation, Pixels

LIGHT_ERROR, CORE_ERROR, CORE_ARCSEC = 0.01, 0.03, 0.3
"""Assumed error of the model of the lens light, relative to its brightness: everywhere, and in the core, where it falls
as a Gaussian of this standard deviation."""
PSF_WIDTH_ERROR = 0.05
"""Assumed relative error of the width of the PSF."""


def relative_light_error(seen: Observation) -> Tensor:
    """The assumed error of the model of the lens light, relative to its brightness, [pixels]."""
    squared = (seen.pixel_y.square() + seen.pixel_x.square()) / CORE_ARCSEC**2
    return LIGHT_ERROR + (CORE_ERROR - LIGHT_ERROR) * torch.exp(-0.5 * squared)


def with_light_error(pixels: Pixels, seen: Observation, light: Tensor) -> Pixels:
    """Pixels whose noise includes the error of the model of the lens light, for that light, [pixels of `seen`]."""
    sigma = pixels.sigma.copy()
    sigma[seen.use] = np.hypot(sigma[seen.use], (relative_light_error(seen) * light).numpy())
    return replace(pixels, sigma=sigma)


def with_psf_error(pixels: Pixels) -> Pixels:
    """Pixels whose noise includes the error of the PSF."""
    curvature = ndimage.gaussian_laplace(np.where(pixels.masked, 0.0, pixels.image), 1.0)
    return replace(pixels, sigma=np.hypot(pixels.sigma, PSF_WIDTH_ERROR * _psf_variance(pixels) * curvature))


def wider_psf(pixels: Pixels, image: np.ndarray, fraction: float) -> np.ndarray:
    """An image without noise [h, w], as if the PSF was wider by a small fraction.

    A PSF of a variance w^2 whose width is larger by a fraction e changes an image I by e w^2 times the Laplacian of I.
    """
    return image + fraction * _psf_variance(pixels) * ndimage.laplace(image)


def _psf_variance(pixels: Pixels) -> float:
    """The variance of a Gaussian with the peak of the PSF, in pixels^2."""
    return 1 / (2 * np.pi * float(pixels.psf.max()))
