"""The best smooth lens of a single image among those of a simulation: the fit of `lensfit`, without its scan."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from oddlens.detectors.interface.image_module import seeded_generator
from oddlens.detectors.lensfit import LensFit
from oddlens.lensing.fitted_lens import FittedLens

TRIES = 4
"""Fits of each image, from the most similar lenses of a library; the best one counts."""


class SimulationFit:
    """Fits the smooth lenses of a simulation to images, without training.

    Args:
        simulation: of the lenses, their sources and the camera (`Simulation.plain`); its substructure is ignored.
        seed: of the lenses of the library.
    """

    @torch.no_grad()
    def __init__(self, simulation: Mapping[str, Any], seed: int):
        pixels, plain = int(simulation["camera"]["pixels"]), dict(simulation)
        self.lensfit = LensFit.build(pixels, seed=seed, simulation=plain, library_tries=TRIES).eval()
        self.lensfit.sample_lenses(seeded_generator(seed, "inject", "cpu"))

    @property
    def psf(self) -> np.ndarray:
        """The point-spread function of the simulation, [k, k]."""
        return self.lensfit.lens_model.kernel

    @torch.no_grad()
    def __call__(self, image: np.ndarray, gain: float, background: float) -> FittedLens | None:
        """The best lens of an image [p, p], NaN where it is masked; None if no fit converged.

        Args:
            gain: a pixel of brightness m has the noise variance gain m + background.
        """
        for buffer, value in ((self.lensfit.gain, gain), (self.lensfit.background, background)):
            buffer.fill_(value)
        images = torch.from_numpy(image.astype(np.float32))[None, None]
        fitted = self.lensfit.fit_lenses(images)
        if not fitted.converged:
            return None
        noise, data = self.lensfit.noise(images), images.flatten(1).nan_to_num()
        count = noise.count_observed(data)
        model_image = self.lensfit.lens_model(fitted.parameters)
        left, power = (noise.deviance(data, expected) - count for expected in (model_image, torch.zeros_like(data)))
        return FittedLens(
            self.lensfit.lens_model,
            fitted.parameters.double(),
            chi_square=float(fitted.objective / count),
            unexplained=float(left.clamp(min=0) / power.clamp(min=1)),
        )
