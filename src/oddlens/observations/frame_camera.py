"""The camera of a real frame, as settings of a simulation: lenses are then simulated as that frame shows them.

The noise map gives the variance of a pixel of brightness m, in units of the frame,

    sigma^2 = background + gain m

and the sky of the frame its scatter in single pixels and the correlation of neighbours (`modelling/pixel_noise.py`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from oddlens.lensing.camera import correlation_width
from oddlens.observations.frames import Frame
from oddlens.observations.modelling.frame_pixels import pixels_of_frame
from oddlens.observations.modelling.pixel_noise import REACH, PixelNoise

BRIGHT_SIGMA = 3.0
"""Pixels brighter than this tell the gain."""
MIN_BRIGHT_PIXELS = 20
MIN_CORRELATION = 0.02
"""A smaller correlation of neighbours is taken for none."""


@dataclass(frozen=True)
class FrameCamera:
    """The camera of a frame.

    Attributes:
        pixels: side of the largest square about the lens, odd.
        pixel_scale_arcsec: of the frame.
        psf: on its pixels, [k, k], with the sum 1.
        exposure_s: in which an electron per second has the measured noise; drizzling makes it longer than the exposure.
        sky: electrons / s / pixel, including all noise that does not depend on brightness.
        noise_correlation_pixels: standard deviation of the Gaussian that correlates neighbours; None if they are not.
        notes: sentences about what was assumed.
    """

    pixels: int
    pixel_scale_arcsec: float
    psf: np.ndarray
    exposure_s: float
    sky: float
    noise_correlation_pixels: float | None
    notes: tuple[str, ...] = ()

    def settings(self, zero_point_mag: float, psf_file: str, pixels: int | None = None) -> dict[str, Any]:
        """The section `camera` of a data set.

        Args:
            zero_point_mag: AB magnitude of 1 electron / s.
            psf_file: where the PSF is.
            pixels: of the simulated images, if not those of the frame.
        """
        per_flux = 10 ** (0.4 * (zero_point_mag - 25))
        return {
            "pixels": pixels or self.pixels,
            "pixel_scale_arcsec": self.pixel_scale_arcsec,
            "psf": {
                **dict.fromkeys(("profile", "fwhm_arcsec", "moffat_beta", "width_ratio", "pixels"), None),
                "file": psf_file,
            },
            "zero_point_mag": zero_point_mag,
            "exposure_s": float(f"{self.exposure_s:.4g}"),
            "sky_per_arcsec2": float(f"{self.sky / per_flux / self.pixel_scale_arcsec**2:.4g}"),
            "read_noise_electrons": None,
            "noise": "poisson",
            "noise_correlation_pixels": self.noise_correlation_pixels,
        }


def camera_of_frame(frame: Frame, exposure_s: float | None = None) -> FrameCamera:
    """The camera of a frame in electrons per second.

    Args:
        exposure_s: for frames whose noise map does not depend on the brightness, or that have none.

    Raises:
        ValueError: if the gain is unknown.
    """
    pixels, notes = pixels_of_frame(frame)
    background = float(np.median(pixels.sigma[~pixels.masked & (np.abs(pixels.image) < pixels.sigma)] ** 2))
    gain = 1 / exposure_s if exposure_s is not None else _gain(frame.name, pixels.image, pixels.sigma, ~pixels.masked)
    room = min(min(c, n - 1 - c) for c, n in zip(pixels.centre, pixels.image.shape, strict=True))
    return FrameCamera(
        pixels=2 * int(room) + 1,
        pixel_scale_arcsec=pixels.scale_arcsec,
        psf=pixels.psf,
        exposure_s=1 / (gain * pixels.noise.variance),
        sky=background / gain,
        noise_correlation_pixels=_width(pixels.noise),
        notes=(*frame.notes, *notes),
    )


def _gain(name: str, image: np.ndarray, sigma: np.ndarray, use: np.ndarray) -> float:
    """The increase of the variance per unit of brightness."""
    dark = np.median(sigma[use & (np.abs(image) < sigma)] ** 2)
    bright = use & (image > BRIGHT_SIGMA * np.sqrt(dark))
    gains = (sigma[bright] ** 2 - dark) / image[bright]
    gain = float(np.median(gains)) if bright.sum() >= MIN_BRIGHT_PIXELS else 0.0
    if not gain > 0:
        raise ValueError(
            f"{name}: its noise does not depend on its brightness, so the exposure is unknown: give a noise map that "
            "includes the noise of the light, or the exposure in seconds"
        )
    return gain


def _width(noise: PixelNoise) -> float | None:
    """The width of the Gaussian that gives neighbours their correlation."""
    middle, beside = REACH, (REACH - 1, REACH + 1)
    neighbours = [noise.correlation[k, middle] for k in beside] + [noise.correlation[middle, k] for k in beside]
    correlation = float(np.mean(neighbours))
    return round(correlation_width(correlation), 3) if correlation > MIN_CORRELATION else None
