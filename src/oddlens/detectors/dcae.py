"""Deep convolutional autoencoder: what it cannot rebuild through a narrow latent space is odd.

After Alexander et al. 2020 (arXiv:2008.12731). Departures, each because a short training gains from it: images are
standardised by the mean training image, the latent space is narrow (a smooth lens of model A has seven parameters, of
model B nine), and errors are weighted by photon noise (`weighting: none` is the paper's plain squared error).
"""

from typing import Literal

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from oddlens.detectors.base import Detector
from oddlens.detectors.blocks import Decoder, Encoder, Standardise, cosine, mean_per_image, poisson_weight
from oddlens.training import Objective


class DCAE(Detector):
    """Encoder, latent vector, decoder; loss and score are the (weighted) squared error per pixel."""

    def __init__(
        self,
        pixels: int,
        *,
        latent: PositiveInt = 12,
        channels: PositiveInt = 8,
        hidden: PositiveInt = 256,
        weighting: Literal["poisson", "none"] = "poisson",
        noise_floor: PositiveFloat = 0.02,
        learning_rate: PositiveFloat = 3e-3,
    ):
        super().__init__(pixels)
        self.standardise = Standardise(pixels)
        self.encoder = Encoder(pixels, latent, channels=channels, hidden=hidden)
        self.decoder = Decoder(pixels, latent, channels=channels, hidden=hidden)
        self.weighting, self.noise_floor, self.learning_rate = weighting, noise_floor, learning_rate

    def prepare(self, images: Tensor, generator: torch.Generator) -> None:
        """Learn the mean image."""
        self.standardise.learn(images)

    def objectives(self) -> list[Objective]:
        """The reconstruction error."""
        networks = (self.encoder, self.decoder)
        return [Objective("reconstruction", networks, self._loss, cosine(self.learning_rate))]

    def _loss(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return self._error(images, self.reconstruct(images), weigh_by=images).mean()

    def anomaly(self, images: Tensor) -> Tensor:
        """Mean weighted squared error per pixel."""
        rebuilt = self.reconstruct(images)
        return self._error(images, rebuilt, weigh_by=rebuilt)

    def _error(self, images: Tensor, rebuilt: Tensor, weigh_by: Tensor) -> Tensor:
        error = (images - rebuilt).square()
        if self.weighting == "poisson":
            error = error * poisson_weight(weigh_by, self.noise_floor)
        return mean_per_image(error)

    def reconstruct(self, images: Tensor) -> Tensor:
        """Through the latent space and back."""
        return self.standardise.inverse(self.decoder(self.encoder(self.standardise(images))))
