"""Deep autoencoder: reconstruction error of images from a short code.

After Alexander et al. 2020 (arXiv:2008.12731), whose networks are convolutional. docs/detectors-autoencoders.md lists
the differences.
"""

from typing import Any

from torch import Tensor, nn

from oddlens.detectors.blocks.reconstruction import ReconstructionDetector
from oddlens.training.objectives import Objective


class DCAE(ReconstructionDetector):
    """Encoder, code, decoder. The loss is the misfit."""

    def __init__(
        self,
        pixels: int,
        *,
        batch_norm: bool = False,
        **common: Any,
    ):
        super().__init__(pixels, **common)
        self.norm = nn.BatchNorm1d(self.latent) if batch_norm else nn.Identity()

    def code_of(self, inputs: Tensor) -> Tensor:
        """The code. With `batch_norm`, as in the published network, the training normalises it over the batch."""
        return self.norm(self.autoencoder.encoder(inputs))

    def reconstruction_objectives(self) -> list[Objective]:
        """The reconstruction error."""
        networks = (self.autoencoder, self.norm)
        return [Objective("reconstruction", networks, self.reconstruction_loss, **self.optimisation)]
