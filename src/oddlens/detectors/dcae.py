"""Deep autoencoder: what it cannot draw anew from a short code is odd.

After Alexander et al. 2020 (arXiv:2008.12731), whose networks are convolutional; docs/detectors.md has what differs.
"""

from typing import Any

from torch import Tensor, nn

from oddlens.detectors.blocks.reconstruction import ReconstructionDetector
from oddlens.training.loop import Objective


class DCAE(ReconstructionDetector):
    """Encoder, code, decoder; the loss is the misfit."""

    def __init__(
        self,
        pixels: int,
        *,
        batch_norm: bool = False,
        **common: Any,
    ):
        super().__init__(pixels, **common)
        self.norm = nn.BatchNorm1d(self.latent) if batch_norm else nn.Identity()

    def code(self, seen: Tensor) -> Tensor:
        """The code, in the published network normalised over the batch while training."""
        return self.norm(self.autoencoder.encode(seen))

    def drawing(self) -> list[Objective]:
        """The reconstruction error."""
        return [Objective("reconstruction", (self.autoencoder, self.norm), self.reconstruction, **self.optimisation)]
