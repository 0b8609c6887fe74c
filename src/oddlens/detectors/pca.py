"""Reconstruction error of the leading principal components of the training images.

A linear autoencoder in closed form. Lenses lie on a curved surface which few components do not follow, so it should be
hardly better than chance; what a network gains over it is what its nonlinearity is worth.
"""

import torch
from pydantic import PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.components import PrincipalComponents
from oddlens.detectors.blocks.residuals import mean_per_image
from oddlens.detectors.interface.base import Detector
from oddlens.training.images import Images


class PCA(Detector):
    """Mean squared residual of the projection on `components` directions."""

    role = "control"

    def __init__(self, pixels: int, *, components: PositiveInt = 40):
        super().__init__(pixels)
        self.principal = PrincipalComponents(pixels, components)

    def prepare(self, images: Images, generator: torch.Generator) -> None:
        """All there is to learn."""
        self.principal.learn(images, generator)

    def anomaly(self, images: Tensor) -> Tensor:
        """Mean squared residual."""
        return mean_per_image((images - self.reconstruct(images)).square())

    def reconstruct(self, images: Tensor) -> Tensor:
        """The projection."""
        return self.principal.inverse(self.principal(images))
