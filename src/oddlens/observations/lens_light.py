"""The light of the lens galaxy: fitted to a frame, and subtracted from it."""

import numpy as np
from astropy.modeling.models import Sersic2D
from scipy.optimize import least_squares
from threadpoolctl import threadpool_limits

from oddlens.observations.frames import Frame
from oddlens.observations.masks import CORE_ARCSEC

FIT_INNER_ARCSEC, FIT_OUTER_ARCSEC = 0.2, 5.0
"""The lens light is fitted between these radii; a Sersic profile has its cusp inside the first."""
FIT_PIXELS = 5000
"""The fit uses pixels on a regular lattice, about this number."""
MODEL_ERROR = 0.03
"""Assumed error of the fitted model as a fraction of its brightness: no galaxy is exactly two Sersic profiles."""
MAX_ITERATIONS, MAX_EVALUATIONS = 8, 100
START = ((0.1, 2.0, 1.0, 0.0, 0.0, 0.2, 1.0), (1.0, 0.3, 3.0, 0.0, 0.0, 0.2, 1.0))
"""Start of the fit: amplitude (in units of bright pixels), radius, index, centre x and y, ellipticity and angle of both
profiles; arcsec, radians."""
LOWEST, HIGHEST = (0, 0.02, 0.3, -0.6, -0.6, 0, -np.inf), (np.inf, 20, 8, 0.6, 0.6, 0.8, np.inf)
"""Their bounds."""


def lens_light(frame: Frame, centre: tuple[int, int]) -> np.ndarray:
    """The lens light of a frame, [h, w]: as given, or as fitted; zero if the frame has an annulus.

    Raises:
        ValueError: if too few pixels are usable for a fit.
    """
    if frame.annulus_arcsec:
        return np.zeros(frame.image.shape)
    return fit_lens_light(frame, centre) if frame.lens_light is None else frame.lens_light


def subtract_lens_light(frame: Frame, centre: tuple[int, int], light: np.ndarray) -> np.ndarray:
    """The image minus lens light [h, w]; zero where masked, in the core, and outside the annulus if there is one."""
    radius = np.hypot(*frame.offsets_arcsec(centre))
    inner, outer = frame.annulus_arcsec or (CORE_ARCSEC, np.inf)
    return np.where((radius < inner) | (radius > outer) | frame.masked, 0.0, frame.image - light)


def fit_lens_light(frame: Frame, centre: tuple[int, int]) -> np.ndarray:
    """The sum of two Sersic profiles and a constant, fitted to the frame, [h, w], in its units.

    Arcs lie above the fit. Pixels more than two sigma above it (or 4.5 below) are therefore left out, and the fit is
    repeated until this choice hardly changes. Sigma includes `MODEL_ERROR`.

    Raises:
        ValueError: if too few pixels are usable, or if they show no light.
    """
    y, x = frame.offsets_arcsec(centre)
    usable = _fit_pixels(frame, np.hypot(y, x))
    unit = float(np.percentile(frame.image[usable], 99))
    if unit <= 0:
        raise ValueError(f"{frame.name}: no light above the sky around the middle: check the image and its mask")
    image, sigma = frame.image / unit, frame.sigma / unit
    parameters, used, total = np.concatenate([[0.0], *START]), usable, sigma
    for _ in range(MAX_ITERATIONS):
        parameters = _fit(image[used], total[used], x[used], y[used], parameters)
        light = _profiles(parameters, x, y)
        total = np.hypot(sigma, MODEL_ERROR * np.abs(light))
        before, used = used, usable & (image - light < 2 * total) & (image - light > -4.5 * total)
        if (used != before).sum() < 0.002 * usable.sum():
            break
    return light * unit


def _fit(image: np.ndarray, sigma: np.ndarray, x: np.ndarray, y: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The parameters of the best fit to pixels [n].

    Two profiles are often nearly degenerate. Steps are therefore scaled by the derivatives, and these are central
    differences: else rounding errors of the image decide which of two fits is found.
    """
    bounds = ([-np.inf, *LOWEST, *LOWEST], [np.inf, *HIGHEST, *HIGHEST])
    with threadpool_limits(1), np.errstate(all="ignore"):  # BLAS threads slow each other down on a busy machine
        return least_squares(
            lambda parameters: (_profiles(parameters, x, y) - image) / sigma,
            start,
            jac="3-point",
            bounds=bounds,
            x_scale="jac",
            xtol=1e-6,
            max_nfev=MAX_EVALUATIONS,
        ).x


def _profiles(parameters: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The sum of a constant and two Sersic profiles at positions in arcsec."""
    constant, *profiles = parameters
    return constant + sum(Sersic2D.evaluate(x, y, *profile) for profile in np.reshape(profiles, (2, -1)))


def _fit_pixels(frame: Frame, radius: np.ndarray) -> np.ndarray:
    """The pixels that the fit may use, [h, w]: unmasked, between the two radii, on a lattice."""
    usable = ~frame.masked & (radius > FIT_INNER_ARCSEC) & (radius < FIT_OUTER_ARCSEC)
    usable &= (np.indices(radius.shape) % max(1, round(np.sqrt(usable.sum() / FIT_PIXELS))) == 0).all(axis=0)
    if usable.sum() < 100:
        raise ValueError(
            f"{frame.name}: {usable.sum()} usable pixels around the lens are too few to fit its light; at least 100 "
            "are needed: mask less, or give a larger cut-out"
        )
    return usable
