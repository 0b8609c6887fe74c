"""Adversarial autoencoder: an autoencoder whose codes are held to a normal prior by a discriminator.

After Alexander et al. 2020 (arXiv:2008.12731) and Makhzani et al. 2015 (arXiv:1511.05644). Three steps on each batch:
encoder and decoder lower the misfit; the discriminator learns to tell codes from draws of the prior, `prior_scale` *
N(0, 1); the encoder learns to fool it.
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from oddlens.detectors.blocks import cosine, mean_per_image, one_cycle
from oddlens.detectors.blocks.autoencoder import Autoencoder
from oddlens.detectors.blocks.reconstruction import ReconstructionDetector
from oddlens.training import Batch, Objective


class AAE(ReconstructionDetector):
    """Encoder, decoder, and a discriminator of codes with two hidden layers."""

    def __init__(
        self,
        pixels: int,
        *,
        network: Literal["components", "convolutional", "published"] = "components",
        latent: PositiveInt = 12,
        width: PositiveInt = 256,
        depth: PositiveInt = 3,
        prior_scale: PositiveFloat = 1.0,
        adversarial_rate: PositiveFloat = 2e-4,
        weighting: Literal["noise", "uniform"] = "noise",
        score: Literal["matched", "error"] = "matched",
        symmetric: bool = True,
        optimiser: Literal["muon", "adam"] = "muon",
        learning_rate: PositiveFloat = 4e-3,
        schedule: Literal["cosine", "one_cycle"] = "cosine",
        weight_decay: NonNegativeFloat = 0.0,
    ):
        autoencoder = Autoencoder(network, pixels, latent, width=width, depth=depth)
        super().__init__(pixels, autoencoder, weighting=weighting, score=score, symmetric=symmetric)
        self.discriminator = nn.Sequential(
            nn.Linear(latent, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1)
        )
        shape = cosine if schedule == "cosine" else one_cycle
        rate = shape(learning_rate)
        self.optimisation: Any = {"learning_rate": rate, "optimiser": optimiser, "weight_decay": weight_decay}
        self.prior_scale, self.adversarial_rate = prior_scale, shape(adversarial_rate)

    def objectives(self) -> list[Objective]:
        """Reconstruction, discrimination, regularisation: in this order on each batch."""
        encoder = (self.autoencoder.encoder,)
        return [
            Objective("reconstruction", (self.autoencoder,), self._misfit, **self.optimisation),
            Objective("discrimination", (self.discriminator,), self._discrimination, self.adversarial_rate),
            Objective("regularisation", encoder, self._regularisation, self.adversarial_rate),
        ]

    def _misfit(self, batch: Batch) -> Tensor:
        return mean_per_image(self.misfit(batch.images, self._draw(batch.images)))

    def _discrimination(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            codes = self.code(batch.images)
        prior = self.prior_scale * torch.randn(codes.shape, generator=batch.generator, device=codes.device)
        real, fake = self.discriminator(prior), self.discriminator(codes)
        return 0.5 * (F.softplus(-real) + F.softplus(fake)).mean()  # binary cross-entropy

    def _regularisation(self, batch: Batch) -> Tensor:
        return F.softplus(-self.discriminator(self.code(batch.images))).mean()
