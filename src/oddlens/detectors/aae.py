"""Adversarial autoencoder: an autoencoder whose codes are held to a normal prior by a discriminator.

After Alexander et al. 2020 (arXiv:2008.12731) and Makhzani et al. 2015 (arXiv:1511.05644). Three steps on each batch:
encoder and decoder lower the misfit; the discriminator learns to tell codes from draws of the prior, `prior_scale` *
N(0, 1); the encoder learns to fool it.
"""

from typing import Any

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor, nn

from oddlens.detectors.blocks.reconstruction import ReconstructionDetector
from oddlens.training.loop import Batch, Objective


class AAE(ReconstructionDetector):
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
        self.prior_scale, self.adversarial_rate = prior_scale, self.rate(adversarial_rate)

    def drawing(self) -> list[Objective]:
        """Reconstruction, discrimination, regularisation: in this order on each batch."""
        encoder = (self.autoencoder.encoder,)
        return [
            Objective("reconstruction", (self.autoencoder,), self.reconstruction, **self.optimisation),
            Objective("discrimination", (self.discriminator,), self._discrimination, self.adversarial_rate),
            Objective("regularisation", encoder, self._regularisation, self.adversarial_rate),
        ]

    def prior(self, count: int, generator: torch.Generator) -> Tensor:
        """N(0, 1), stretched."""
        return self.prior_scale * torch.randn((count, self.latent), generator=generator, device=generator.device)

    def _discrimination(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            codes = self.code(self.seen(batch.images))
        real, fake = self.discriminator(self.prior(len(codes), batch.generator)), self.discriminator(codes)
        return 0.5 * (F.softplus(-real) + F.softplus(fake)).mean()  # binary cross-entropy

    def _regularisation(self, batch: Batch) -> Tensor:
        return F.softplus(-self.discriminator(self.code(self.seen(batch.images)))).mean()
