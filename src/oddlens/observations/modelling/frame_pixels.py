"""Frames as pixels to be fitted: their noise is measured, and their point-spread function is checked."""

from dataclasses import replace

import numpy as np

from oddlens.observations.centre import CENTRE_ARCSEC, is_peak
from oddlens.observations.frames import Frame, lens_centre
from oddlens.observations.modelling.observation import Pixels
from oddlens.observations.modelling.pixel_noise import measure_pixel_noise, white_noise

SKY_ARCSEC, SKY_PART = 3.8, 0.75
"""The sky begins at this distance from the lens, or at this part of the way to an edge of the frame."""
ASSUMED_FWHM_PIXELS, ASSUMED_PSF_SIDE = 2.0, 15
"""The Gaussian that is assumed for a frame without a PSF."""
REPORTED_OUTSIDE = 0.1
"""A larger part of the circle about the lens that has no usable pixels is reported."""
POINT_LIKE = 1.5
"""A frame shows a star if the light within the radius of the PSF over that of the central pixel is below this, in units
of the same ratio of the PSF. Stars have 1, and 42 SLACS lenses 5 or more."""
MAX_PSF_SIDE = 61
"""Light beyond this side of a PSF is left out; it would be a constant near the lens."""


def pixels_of_frame(frame: Frame) -> tuple[Pixels, list[str]]:
    """The pixels of a frame about its lens, and sentences about what was assumed.

    Raises:
        ValueError: if the PSF has no light, or no galaxy is in the middle of the frame, but nothing or a star.
    """
    psf, notes = _psf(frame)
    frame = _without_empty_border(frame)
    centre, scale = lens_centre(frame), frame.pixel_scale_arcsec
    if not is_peak(frame.image, ~frame.masked, scale, centre):
        raise ValueError(
            f'{frame.name}: no galaxy has its centre within {CENTRE_ARCSEC}" of the middle of the frame: the light '
            f"gets brighter beyond row {centre[0]} and column {centre[1]}. Cut out the lens so that it is in the "
            "middle, mask brighter neighbours, and do not subtract the light of the lens galaxy"
        )
    pixels = Pixels(frame.image, frame.sigma, frame.masked, psf, scale, centre, white_noise())
    if frame.psf is not None and (ratio := _concentration(pixels)) < POINT_LIKE:
        raise ValueError(
            f"{frame.name}: the light in the middle is that of a star: for the same peak its sum is {ratio:.2g} times "
            f"that of the PSF, and a galaxy has {POINT_LIKE:g} or more. Cut out a lens, or check the PSF"
        )
    sky_arcsec = min(SKY_ARCSEC, SKY_PART * pixels.room_arcsec)
    sky = ~frame.masked & (np.hypot(*pixels.positions) > sky_arcsec)
    noise = measure_pixel_noise(frame.image, frame.sigma, sky, scale)
    if not noise.pixels:
        notes.append("The sky is too small to measure the correlation of the noise, which is taken for white.")
    if np.ptp(frame.sigma[~frame.masked]) == 0:
        notes.append("The noise is taken to be the same in all pixels. In a noise map bright pixels have more.")
    outside = 1 - pixels.within(sky_arcsec).sum() * scale**2 / (np.pi * sky_arcsec**2)
    if outside > REPORTED_OUTSIDE:
        notes.append(f'{outside:.0%} of the circle of {sky_arcsec:.2g}" about the lens is masked or beyond the frame.')
    return replace(pixels, noise=noise), notes


def _concentration(pixels: Pixels) -> float:
    """The light within the radius of the PSF over that of the central pixel, in units of the same ratio of the PSF.

    Infinite if that pixel is masked.
    """
    row, column = pixels.centre
    if pixels.masked[int(row), int(column)]:
        return np.inf
    near = pixels.within(len(pixels.psf) // 2 * pixels.scale_arcsec)
    return float(pixels.image[near].sum() / pixels.image[int(row), int(column)] * pixels.psf.max())


def _without_empty_border(frame: Frame) -> Frame:
    """The frame without rows and columns at its edges in which no pixel is usable."""
    kept = []
    for axis in (1, 0):
        used = np.flatnonzero((~frame.masked).any(axis=axis))
        kept.append(slice(used[0], used[-1] + 1))
    at = tuple(kept)
    light = None if frame.lens_light is None else frame.lens_light[at]
    return replace(frame, image=frame.image[at], sigma=frame.sigma[at], masked=frame.masked[at], lens_light=light)


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
