"""The smooth lens of an observed image: that of a simulation which fits it, or a ring model of its own light."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import ndimage

from oddlens.lensing.injection import SmoothLens
from oddlens.lensing.ring_model import fit_ring

MAX_UNEXPLAINED = 0.1
"""An image whose model leaves a larger part of the light unexplained has no smooth model."""
MAX_FITTED_UNEXPLAINED = 0.03
"""With `auto`, an image of which the fitted lens leaves a larger part unexplained gets a ring model."""
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
        self.fit = None
        if simulation is not None and model != "ring":
            from oddlens.detectors.evaluation.simulation_fit import SimulationFit  # imports torch

            self.fit = SimulationFit(simulation, seed)

    def __call__(self, observed: Observation) -> SmoothModel:
        """The smooth model of an image.

        Raises:
            ValueError: no smooth model explains it.
        """
        if self.fit is not None:
            lens = self.fit(observed.image, observed.gain, observed.background)
            limit = MAX_FITTED_UNEXPLAINED if self.with_rings else MAX_UNEXPLAINED
            if lens is not None and lens.unexplained <= limit:
                return SmoothModel(lens, self.fit.psf)
        if not self.with_rings:
            found = "converges to no smooth lens" if lens is None else _unexplained(lens)
            raise ValueError(f"the fit {found}")
        ring = fit_ring(observed.image, observed.sigma, observed.pixel_scale_arcsec, observed.psf)
        if not ring.unexplained <= MAX_UNEXPLAINED:
            raise ValueError(f"the smooth model {_unexplained(ring)}")
        return SmoothModel(ring, observed.psf)


def _unexplained(lens: SmoothLens) -> str:
    return f"leaves {100 * lens.unexplained:.0f} % of its light unexplained"
