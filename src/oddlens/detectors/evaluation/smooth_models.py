"""The smooth lens of an observed image: that of a simulation which fits it, or a ring model of its own light."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import ndimage

from oddlens.detectors.evaluation.simulation_fit import SimulationFit
from oddlens.lensing.injection import SmoothLens
from oddlens.lensing.ring_model import fit_ring

MAX_UNEXPLAINED = 0.1
"""An image whose model leaves a larger part of the light unexplained has no smooth model."""
MAX_FITTED_UNEXPLAINED, GOOD_CHI_SQUARE = 0.01, 1.3
"""With `auto`, an image gets a ring model if the fitted lens leaves a larger part unexplained, unless chi-square is
good: noise alone is a large part of faint light. For lenses more complex than the simulation (docs/injection.md), the
change of fitted lenses is nearer to the truth below this part, and that of ring models above it."""
MIN_LIGHT_SIGMA = 5.0
"""The least power of an image beyond that of noise, in units of its scatter; a fainter image shows no lens."""
MIN_BLUR_PIXELS = 1.0
"""The light that determines the noise of pixels is smoothed by this."""


class Observation(NamedTuple):
    """An image and what is known of its camera.

    Attributes:
        image: [p, p], NaN where it is masked.
        gain: a pixel of brightness m has the noise variance gain m + background.
        background: see `gain`.
        pixel_scale_arcsec: side of a pixel.
        psf: the point-spread function, [k, k].
    """

    image: np.ndarray
    gain: float
    background: float
    pixel_scale_arcsec: float
    psf: np.ndarray

    @property
    def sigma(self) -> np.ndarray:
        """The standard deviation of the noise of each pixel, [p, p]."""
        light = ndimage.gaussian_filter(np.nan_to_num(self.image), MIN_BLUR_PIXELS, mode="constant").clip(min=0)
        return np.sqrt(self.background + self.gain * light)

    @property
    def light_sigma(self) -> float:
        """The power of the image beyond that of noise, in units of the scatter of the power of white noise."""
        squares = np.square(self.image / self.sigma)
        return float(np.nansum(squares - 1) / np.sqrt(2 * max(1, np.isfinite(squares).sum())))


class SmoothModel(NamedTuple):
    """The smooth lens of an image, and the point-spread function [k, k] that it was fitted with."""

    lens: SmoothLens
    psf: np.ndarray


class SmoothModels:
    """Smooth models of images.

    Args:
        model: `lensfit`: the best lens of a simulation; `ring`: a ring model; `auto`: the first if it explains the
            image, else the second.
        simulation: what lenses are assumed to be (`Simulation.plain`); None: nothing, so that `auto` is `ring`.
        seed: the master seed.
    """

    def __init__(
        self, model: Literal["auto", "lensfit", "ring"], simulation: Mapping[str, Any] | None, seed: int
    ) -> None:
        self.with_rings = model != "lensfit"
        self.fit = SimulationFit(simulation, seed) if simulation is not None and model != "ring" else None

    def __call__(self, observed: Observation) -> SmoothModel:
        """The smooth model of an image.

        Raises:
            ValueError: no smooth model explains it.
        """
        if not observed.light_sigma >= MIN_LIGHT_SIGMA:
            raise ValueError("it shows no light beyond its noise")
        lens = self.fit(observed.image, observed.gain, observed.background) if self.fit else None
        if lens is not None and self.fit is not None and self._is_good(lens):
            return SmoothModel(lens, self.fit.psf)
        if not self.with_rings:
            raise ValueError("no fit converges" if lens is None else _unexplained(lens))
        ring = fit_ring(observed.image, observed.sigma, observed.pixel_scale_arcsec, observed.psf)
        if not ring.unexplained <= MAX_UNEXPLAINED:
            raise ValueError(_unexplained(ring))
        return SmoothModel(ring, observed.psf)

    def _is_good(self, fitted: SmoothLens) -> bool:
        if not self.with_rings:
            return fitted.unexplained <= MAX_UNEXPLAINED
        return fitted.unexplained <= MAX_FITTED_UNEXPLAINED or fitted.chi_square <= GOOD_CHI_SQUARE


def _unexplained(lens: SmoothLens) -> str:
    return f"the smooth model leaves {100 * lens.unexplained:.0f} % of its light unexplained"
