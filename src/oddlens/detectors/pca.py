"""Reconstruction error of the leading principal components of the training images.

PCA is a linear autoencoder in closed form. Lenses lie on a curved surface that few components do not follow, so its AUC
should hardly exceed 0.5. The gain of a network over PCA is what its nonlinearity contributes.
"""

import torch
from pydantic import PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.components import PrincipalComponents
from oddlens.detectors.blocks.residuals import mean_per_image
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.capabilities import Reconstructs
from oddlens.training.images import TrainingImages


class PCA(Detector, Reconstructs):
    """The mean squared residual of the projection on `components` directions."""

    role = "control"

    def __init__(self, pixels: int, *, components: PositiveInt = 40):
        super().__init__(pixels)
        self.principal = PrincipalComponents(pixels, components)

    def prepare(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Compute the components."""
        self.principal.learn(images, generator)

    def anomaly_score(self, images: Tensor) -> Tensor:
        """The mean squared residual."""
        return mean_per_image((images - self.reconstruct(images)).square())

    def reconstruct(self, images: Tensor) -> Tensor:
        """The projection."""
        return self.principal.inverse(self.principal(images))
