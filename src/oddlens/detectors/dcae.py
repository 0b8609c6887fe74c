"""Deep autoencoder: what it cannot draw anew from a short code is odd.

After Alexander et al. 2020 (arXiv:2008.12731), whose networks are convolutional; docs/detectors.md has what differs.
"""

from typing import Any, Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from oddlens.detectors.blocks import cosine, mean_per_image, one_cycle
from oddlens.detectors.blocks.autoencoder import Autoencoder
from oddlens.detectors.blocks.reconstruction import ReconstructionDetector
from oddlens.training import Batch, Objective


class DCAE(ReconstructionDetector):
    """Encoder, code, decoder; the loss is the misfit."""

    def __init__(
        self,
        pixels: int,
        *,
        network: Literal["components", "convolutional", "published"] = "components",
        latent: PositiveInt = 12,
        width: PositiveInt = 256,
        depth: PositiveInt = 3,
        batch_norm: bool = False,
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
        self.norm = nn.BatchNorm1d(latent) if batch_norm else nn.Identity()
        rate = (cosine if schedule == "cosine" else one_cycle)(learning_rate)
        self.optimisation: Any = {"learning_rate": rate, "optimiser": optimiser, "weight_decay": weight_decay}

    def code(self, images: Tensor) -> Tensor:
        """The code, in the published network normalised over the batch while training."""
        return self.norm(self.autoencoder.encode(images))

    def objectives(self) -> list[Objective]:
        """The reconstruction error."""
        return [Objective("reconstruction", (self.autoencoder, self.norm), self._loss, **self.optimisation)]

    def _loss(self, batch: Batch) -> Tensor:
        return mean_per_image(self.misfit(batch.images, self._draw(batch.images)))
