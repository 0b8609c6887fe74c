"""The light of the lens galaxy: fitted to a frame, and subtracted from it."""

import warnings

import numpy as np
from astropy.modeling import fitting, models
from threadpoolctl import threadpool_limits

from oddlens.observations.frames import Frame
from oddlens.observations.masks import CORE_ARCSEC

FIT_INNER_ARCSEC, FIT_OUTER_ARCSEC = 0.2, 5.0
"""The lens light is fitted between these radii; a Sersic profile has its cusp inside the first."""
FIT_PIXELS = 5000
"""The fit uses pixels on a regular lattice, about this number."""
MODEL_ERROR = 0.03
"""Assumed error of the fitted model as a fraction of its brightness: no galaxy is exactly two Sersic profiles."""
MAX_ITERATIONS = 8


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
    model = models.Const2D(0.0) + _sersic(0.1, 2.0, 1.0) + _sersic(1.0, 0.3, 3.0)
    used, total = usable, sigma
    for _ in range(MAX_ITERATIONS):
        with warnings.catch_warnings(), threadpool_limits(1):  # BLAS threads slow each other down on a busy machine
            warnings.simplefilter("ignore")  # about convergence: the figure of the lens shows the quality of the fit
            fitter = fitting.TRFLSQFitter()
            model = fitter(model, x[used], y[used], image[used], weights=1 / total[used], maxiter=100, acc=1e-4)
        light = model(x, y)
        total = np.hypot(sigma, MODEL_ERROR * np.abs(light))
        before, used = used, usable & (image - light < 2 * total) & (image - light > -4.5 * total)
        if (used != before).sum() < 0.002 * usable.sum():
            break
    return light * unit


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


def _sersic(amplitude: float, radius_arcsec: float, index: float) -> models.Sersic2D:
    bounds = {"amplitude": (0, None), "r_eff": (0.02, 20), "n": (0.3, 8), "ellip": (0, 0.8)}
    bounds |= {"x_0": (-0.6, 0.6), "y_0": (-0.6, 0.6)}
    return models.Sersic2D(amplitude, radius_arcsec, index, 0, 0, 0.2, 1.0, bounds=bounds)
