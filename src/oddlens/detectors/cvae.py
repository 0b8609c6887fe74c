"""Variational autoencoder: reconstruction error of images under a model with normal codes.

After Alexander et al. 2020 (arXiv:2008.12731), whose networks are convolutional; Kingma & Welling 2013
(arXiv:1312.6114). The loss of an image is

    misfit / 2 + w KL(N(mean, deviation^2) || N(0, 1))        summed over pixels, and over the code; divided by pixels

with the misfit in units of the noise, so that w = 1 is the evidence bound. w is 0 in the first `warm_up` of the
training and then rises linearly to `kl_weight` over the next `rise`. (The paper gives the first fifth and no shape; its
code adds a mean squared error to a summed KL, in which w = 1 would suppress all differences between reconstructions.)
"""

from typing import Annotated, Any

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor

from oddlens.detectors.blocks.reconstruction import ReconstructionDetector
from oddlens.detectors.interface.capabilities import Samples
from oddlens.training.objectives import Batch, Objective


class CVAE(ReconstructionDetector, Samples):
    """An encoder to mean and log variance of a code, and a decoder. Scores use the mean of the code."""

    def __init__(
        self,
        pixels: int,
        *,
        kl_weight: NonNegativeFloat = 1.0,
        warm_up: Annotated[float, Field(ge=0, le=1)] = 0.2,
        rise: Annotated[float, Field(gt=0, le=1)] = 0.6,
        **common: Any,
    ):
        super().__init__(pixels, 2, **common)
        self.kl_weight, self.warm_up, self.rise = kl_weight, warm_up, rise

    def code_of(self, inputs: Tensor) -> Tensor:
        """The mean of the code."""
        return self.autoencoder.encoder(inputs).chunk(2, dim=1)[0]

    def reconstruction_objectives(self) -> list[Objective]:
        """The evidence bound."""
        return [Objective("bound", (self.autoencoder,), self._loss, **self.optimisation)]

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Images of codes from N(0, 1), with noise."""
        codes = torch.randn((count, self.latent), generator=generator, device=generator.device)
        return self.decode_samples(codes, generator)

    def _loss(self, batch: Batch) -> Tensor:
        inputs = self.autoencoder.coordinates(batch.images)
        mean, log_variance = self.autoencoder.encoder(inputs).float().chunk(2, dim=1)
        log_variance = log_variance.clamp(-20, 10)
        noise = torch.randn(mean.shape, generator=batch.generator, device=mean.device)
        misfit = self.autoencoder.misfit(batch.images, inputs, mean + noise * (0.5 * log_variance).exp())
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
        weight = self.kl_weight * min(1.0, max(0.0, (batch.progress - self.warm_up) / self.rise))
        return (0.5 * misfit + weight * divergence / self.pixels**2) / self.autoencoder.loss_unit
