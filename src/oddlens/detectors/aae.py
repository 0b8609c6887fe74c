"""Adversarial autoencoder: reconstruction error of an autoencoder whose codes a discriminator draws to a normal prior.

After Alexander et al. 2020 (arXiv:2008.12731) and Makhzani et al. 2015 (arXiv:1511.05644). Each batch serves three
steps: encoder and decoder lower the misfit; the discriminator learns to separate codes from samples of the prior,
`prior_scale`
* N(0, 1); the encoder learns to deceive the discriminator.
"""

from typing import Any

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor, nn

from oddlens.detectors.blocks.reconstruction import ReconstructionDetector
from oddlens.detectors.interface.capabilities import Samples
from oddlens.training.objectives import Batch, Objective


class AAE(ReconstructionDetector, Samples):
    """Encoder, decoder, and a discriminator of codes with two hidden layers."""

    def __init__(
        self,
        pixels: int,
        *,
        prior_scale: PositiveFloat = 1.0,
        adversarial_rate: PositiveFloat = 2e-4,
        **common: Any,
    ):
        super().__init__(pixels, **common)
        self.discriminator = nn.Sequential(
            nn.Linear(self.latent, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1)
        )
        self.prior_scale, self.adversarial_rate = prior_scale, self.schedule(adversarial_rate)

    def reconstruction_objectives(self) -> list[Objective]:
        """Reconstruction, discrimination, regularisation, in this order."""
        encoder = (self.autoencoder.encoder,)
        return [
            Objective("reconstruction", (self.autoencoder,), self.reconstruction_loss, **self.optimisation),
            Objective("discrimination", (self.discriminator,), self._discrimination_loss, self.adversarial_rate),
            Objective("regularisation", encoder, self._regularisation_loss, self.adversarial_rate),
        ]

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Images of codes from the prior, with noise."""
        return self.decode_samples(self._prior(count, generator), generator)

    def _prior(self, count: int, generator: torch.Generator) -> Tensor:
        """Codes from `prior_scale` * N(0, 1)."""
        return self.prior_scale * torch.randn((count, self.latent), generator=generator, device=generator.device)

    def _discrimination_loss(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            codes = self.code(batch.images)
        real, fake = self.discriminator(self._prior(len(codes), batch.generator)), self.discriminator(codes)
        return 0.5 * (F.softplus(-real) + F.softplus(fake)).mean()  # binary cross-entropy

    def _regularisation_loss(self, batch: Batch) -> Tensor:
        return F.softplus(-self.discriminator(self.code(batch.images))).mean()
