"""How the point-spread function changes with its width: a parameter of fits that do not trust the stated width."""

import numpy as np
from scipy import ndimage

from oddlens.lensing.camera import psf_kernels, typical_psf
from oddlens.lensing.simulation import Camera

LOG_STEP = 0.02
"""Step of the numerical derivative."""


def by_log_width(camera: Camera) -> np.ndarray:
    """The derivative of the typical kernel of a camera with respect to the logarithm of its width, [k, k]."""
    wider, narrower = (_of_width(camera, np.exp(step)) for step in (LOG_STEP, -LOG_STEP))
    return (wider - narrower) / (2 * LOG_STEP)


def _of_width(camera: Camera, ratio: float) -> np.ndarray:
    """The kernel with its width multiplied by a ratio, with the sum 1, [k, k]. That of a file is interpolated."""
    typical = typical_psf(camera)
    if camera.psf.profile is not None:
        return psf_kernels(camera, {**typical, "psf_fwhm_arcsec": typical["psf_fwhm_arcsec"] * ratio})[0]
    kernel = psf_kernels(camera, typical)[0]
    middle = len(kernel) // 2
    offset = (np.arange(len(kernel)) - middle) / ratio + middle
    stretched = ndimage.map_coordinates(kernel, np.meshgrid(offset, offset, indexing="ij"), order=3)
    return stretched / stretched.sum()
