"""The noise of an image as its observer would tell it: from the image itself and what is known of the camera."""

from collections.abc import Mapping

import numpy as np
from scipy import signal

from oddlens.lensing import camera as cameras
from oddlens.lensing import profiles
from oddlens.lensing.simulation import Camera

_RAYS = 8  # per pixel side, of the lens light that was subtracted

COMMENTS = (
    "NOISE is estimated from this noisy image, as an observer would: its counts where they are positive, the sky, "
    "the read noise, and the lens light that was subtracted. Where camera.noise is none, it is what the noise would "
    "have been. Correlated noise has the same variance.",
)


def noise_map(image: np.ndarray, truth: Mapping[str, float], camera: Camera, psf: np.ndarray) -> np.ndarray:
    """Standard deviation of the noise of an observed image, float32 [pixels, pixels], electrons / s.

    Args:
        image: [pixels, pixels], sky-subtracted, electrons / s.
        truth: the scalars that were drawn for it.
        psf: its point-spread function [k, k].
    """
    q = {name: np.asarray(value) for name, value in truth.items()}
    light = image.astype(np.float64) + subtracted_light(q, camera, psf)
    read = float(q.get("read_noise_electrons", np.asarray(0.0)))
    return cameras.noise_sigma(light, q["exposure_s"], cameras.sky(camera, q), read).astype(np.float32)


def subtracted_light(q: Mapping[str, np.ndarray], camera: Camera, psf: np.ndarray) -> np.ndarray | float:
    """The model of the lens galaxy's light that was subtracted from an image, [pixels, pixels], electrons / s, or 0."""
    if "subtraction_intensity_ratio" not in q:
        return 0.0
    count, scale = camera.pixels + len(psf) - 1, camera.pixel_scale_arcsec  # with the rim that the PSF brings in
    position = ((np.arange(count * _RAYS) + 0.5) / _RAYS - count / 2) * scale
    y, x = np.meshgrid(-position, position, indexing="ij")
    brightness = profiles.sersic(
        y,
        x,
        q["light_intensity_per_arcsec2"] * q["subtraction_intensity_ratio"],
        q["light_effective_radius_arcsec"] * q["subtraction_radius_ratio"],
        q["light_sersic_index"],
        q["light_axis_ratio"],
        np.deg2rad(q["light_angle_deg"]),
        np,
    )
    mean = brightness.reshape(count, _RAYS, count, _RAYS).mean(axis=(1, 3))
    return cameras.electrons_per_flux(dict(q)) * scale**2 * signal.fftconvolve(mean, psf, mode="valid")
