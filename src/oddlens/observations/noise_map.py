"""Noise maps as observers estimate them: from the image itself and the known properties of the camera."""

from collections.abc import Mapping

import numpy as np
from scipy import signal

from oddlens.lensing import camera as cameras
from oddlens.lensing import ray_tracing
from oddlens.lensing.grids import pixel_means
from oddlens.lensing.simulation import Camera

RAYS = 8
"""Rays per pixel side of the subtracted lens light."""

COMMENTS = (
    "NOISE is estimated from this noisy image, as an observer would: its counts where they are positive, the sky, "
    "the read noise, and the lens light that was subtracted. Where camera.noise is none, it is what the noise would "
    "have been. Correlated noise has the same variance.",
)


def noise_map(image: np.ndarray, truth: Mapping[str, float], camera: Camera, psf: np.ndarray) -> np.ndarray:
    """Standard deviation of the noise of an observed image, float32 [pixels, pixels], electrons / s.

    Args:
        image: [pixels, pixels], sky-subtracted, electrons / s.
        truth: the sampled parameters of the image.
        psf: its point-spread function [k, k].
    """
    q = {name: np.asarray(value) for name, value in truth.items()}
    light = image.astype(np.float64) + subtracted_light(q, camera, psf)
    read = float(q.get("read_noise_electrons", np.asarray(0.0)))
    return cameras.noise_sigma(light, q["exposure_s"], cameras.sky(camera, q), read).astype(np.float32)


def subtracted_light(q: dict[str, np.ndarray], camera: Camera, psf: np.ndarray) -> np.ndarray | float:
    """The lens-light model that was subtracted from an image, [pixels, pixels], electrons / s; 0 without one."""
    if "subtraction_intensity_ratio" not in q:
        return 0.0
    count, scale = camera.pixels + len(psf) - 1, camera.pixel_scale_arcsec  # with the margin that the PSF reaches into
    # In float64, unlike `grids.grid`.
    position = ((np.arange(count * RAYS) + 0.5) / RAYS - count / 2) * scale
    y, x = np.meshgrid(-position, position, indexing="ij")
    means = pixel_means(ray_tracing.subtracted_light(q, y, x, np), RAYS)
    return cameras.electrons_per_flux(q) * scale**2 * signal.fftconvolve(means, psf, mode="valid")
