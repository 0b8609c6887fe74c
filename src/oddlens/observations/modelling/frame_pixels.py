"""Frames as pixels to be fitted: their noise is measured, and their point-spread function is checked."""

import numpy as np

from oddlens.observations.frames import Frame, lens_centre
from oddlens.observations.modelling.observation import Pixels
from oddlens.observations.modelling.pixel_noise import measure_pixel_noise

SKY_ARCSEC, SKY_PART = 3.8, 0.75
"""The sky begins at this distance from the lens, or at this part of the way to the nearest edge of the frame."""
ASSUMED_FWHM_PIXELS, ASSUMED_PSF_SIDE = 2.0, 15
"""The Gaussian that is assumed for a frame without a PSF."""
MAX_PSF_SIDE = 61
"""Light beyond this side of a PSF is left out; it would be a constant near the lens."""


def pixels_of_frame(frame: Frame) -> tuple[Pixels, list[str]]:
    """The pixels of a frame about its lens, and sentences about what was assumed.

    Raises:
        ValueError: if the PSF has no light.
    """
    centre = lens_centre(frame)
    psf, notes = _psf(frame)
    edge = min(min(c, n - 1 - c) for c, n in zip(centre, frame.image.shape, strict=True)) * frame.pixel_scale_arcsec
    radius = np.hypot(*frame.offsets_arcsec(centre))
    sky = ~frame.masked & (radius > min(SKY_ARCSEC, SKY_PART * edge))
    noise = measure_pixel_noise(frame.image, frame.sigma, sky, frame.pixel_scale_arcsec)
    if not noise.pixels:
        notes.append("The sky is too small to measure the correlation of the noise, which is taken for white.")
    pixels = Pixels(frame.image, frame.sigma, frame.masked, psf, frame.pixel_scale_arcsec, centre, noise)
    return pixels, notes


def _psf(frame: Frame) -> tuple[np.ndarray, list[str]]:
    """The PSF with an odd number of pixels, its brightest one in the centre, and the sum 1."""
    if frame.psf is None:
        axis = np.arange(ASSUMED_PSF_SIDE) - ASSUMED_PSF_SIDE // 2
        along = np.exp(-4 * np.log(2) * (axis / ASSUMED_FWHM_PIXELS) ** 2)
        psf = np.outer(along, along)
        return psf / psf.sum(), [f"No PSF was given; a Gaussian of {ASSUMED_FWHM_PIXELS:g} pixels FWHM is assumed."]
    given = np.nan_to_num(frame.psf.astype(float))
    row, column = (int(k) for k in np.unravel_index(given.argmax(), given.shape))
    half = min(row, column, *(n - 1 - k for n, k in zip(given.shape, (row, column), strict=True)), MAX_PSF_SIDE // 2)
    psf, notes = given[row - half : row + half + 1, column - half : column + half + 1], []
    if not psf.sum() > 0:
        raise ValueError(f"{frame.name}: the PSF has no light")
    if len(psf) < min(min(given.shape) - 1, MAX_PSF_SIDE):
        notes.append(f"The PSF is not centred: {len(psf)} of {given.shape[0]} pixels about its peak are used.")
    return psf / psf.sum(), notes
