"""Twins of a lens: simulated frames of its best smooth model, with and without a planted mass.

They have the mass, the source and the light of the fit, the mask and the noise map of the frame, and noise with the
correlation that was measured in its sky. Their PSF is that of the frame with a small random error of its width, as the
fits assume that it has one. Through the whole fit, from the search for a first model on, they
show what a smooth lens like this one looks like, and what a mass in it looks like.
"""

from dataclasses import replace

import numpy as np
from scipy import fft
from torch import Tensor

from oddlens.observations.modelling.mass_model import MassPart
from oddlens.observations.modelling.model_error import PSF_WIDTH_ERROR, wider_psf
from oddlens.observations.modelling.observation import Observation, Pixels
from oddlens.observations.modelling.pixel_noise import REACH, PixelNoise
from oddlens.observations.modelling.smooth_lens import SmoothLens

RAYS = 6
"""Rays per pixel side of the simulated images; fits have fewer."""


class TwinMaker:
    """Makes twins of a lens.

    Args:
        pixels: of the frame.
        lens: its smooth fit.
    """

    def __init__(self, pixels: Pixels, lens: SmoothLens):
        self.pixels, self.lens = pixels, lens
        self.seen = Observation(pixels, np.ones(pixels.image.shape, bool), RAYS)
        self.smooth = self.noise_free()

    def noise_free(self, *extra: tuple[MassPart, Tensor]) -> np.ndarray:
        """The image without noise, with more parts of the mass, [h, w]."""
        return self.lens.images(self.seen, extra).sum(dim=0).view(self.pixels.image.shape).numpy()

    def draw(self, generator: np.random.Generator, *extra: tuple[MassPart, Tensor]) -> Pixels:
        """A twin with more parts of the mass, and new noise."""
        image = self.noise_free(*extra) if extra else self.smooth
        image = wider_psf(self.pixels, image, PSF_WIDTH_ERROR * generator.standard_normal())
        noise = correlated_noise(self.pixels.image.shape, self.pixels.noise, generator) * self.pixels.sigma
        return replace(self.pixels, image=np.where(self.pixels.masked, 0.0, image + noise))


def correlated_noise(shape: tuple[int, ...], noise: PixelNoise, generator: np.random.Generator) -> np.ndarray:
    """Noise of a frame [h, w] with the variance and correlation of `noise`, for a noise map of 1."""
    side = 2 * REACH + 1
    kernel = np.zeros(tuple(n + 2 * REACH for n in shape))
    kernel[:side, :side] = noise.correlation
    power = fft.rfft2(np.roll(kernel, (-REACH, -REACH), (0, 1))).real
    white = fft.rfft2(generator.standard_normal(kernel.shape))
    drawn = fft.irfft2(white * np.sqrt(np.clip(power, 0, None)), kernel.shape)
    return np.sqrt(noise.variance) * drawn[: shape[0], : shape[1]]
