"""Linear maps between images and the inputs of a network. Images whose coordinates differ by 1 differ by `unit`."""

import torch
from torch import Tensor, nn

from oddlens.detectors.blocks.components import PrincipalComponents
from oddlens.training.images import StabilisedImages, TrainingImages, total

N_COMPONENTS = 200
"""Principal components of a dense network. The variance outside them is noise."""


class ComponentCoordinates(nn.Module):
    """Principal components, all in one unit: a tenth of the scatter of the first.

    Weak components keep small values, as most of their variance is noise.
    """

    def __init__(self, pixels: int):
        super().__init__()
        self.principal = PrincipalComponents(pixels, N_COMPONENTS)

    def learn(self, images: TrainingImages | StabilisedImages, generator: torch.Generator, symmetric: bool) -> None:
        """Compute the components of the training images."""
        self.principal.learn(images, generator, symmetric=symmetric)

    @property
    def count(self) -> int:
        """The number of coordinates."""
        return self.principal.count

    @property
    def unit(self) -> Tensor:
        """A tenth of the scatter of the first component."""
        return 0.1 * self.principal.scatter[0]

    def forward(self, images: Tensor) -> Tensor:
        """Images to coordinates [n, count]."""
        return self.principal(images) / self.unit

    def inverse(self, coordinates: Tensor) -> Tensor:
        """Coordinates to images."""
        return self.principal.inverse(coordinates * self.unit)


class Standardised(nn.Module):
    """Images minus the mean training image, over their scatter. Lenses differ from each other by little."""

    mean: Tensor
    unit: Tensor

    def __init__(self, pixels: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, 1, pixels, pixels))
        self.register_buffer("unit", torch.ones(()))

    def learn(self, images: TrainingImages | StabilisedImages, generator: torch.Generator, symmetric: bool) -> None:
        """Compute mean and scatter of the training images."""
        self.mean.copy_(total(batch.sum(dim=0, keepdim=True) for batch in images.batches()) / len(images))
        squares = total((batch - self.mean).square().mean(dim=(1, 2, 3)).sum() for batch in images.batches())
        self.unit.copy_((squares / len(images)).sqrt())

    def forward(self, images: Tensor) -> Tensor:
        """Images to standardised images."""
        return (images - self.mean) / self.unit

    def inverse(self, standardised: Tensor) -> Tensor:
        """Standardised images to images."""
        return self.mean + self.unit * standardised


class UpToOne(nn.Module):
    """Images over the brightest training pixel, for networks with a tanh at the end."""

    peak: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("peak", torch.ones(()))

    def learn(self, images: TrainingImages | StabilisedImages, generator: torch.Generator, symmetric: bool) -> None:
        """Find the brightest pixel."""
        self.peak.fill_(max(batch.max().item() for batch in images.batches()))

    @property
    def unit(self) -> Tensor:
        """The brightest pixel."""
        return self.peak

    def forward(self, images: Tensor) -> Tensor:
        """Images to values in [0, 1], apart from noise."""
        return images / self.peak

    def inverse(self, values: Tensor) -> Tensor:
        """Values in [0, 1] to images."""
        return values * self.peak


class PlusMinusOne(UpToOne):
    """Images scaled to [-1, 1]: 0 is -1, the brightest training pixel is 1."""

    def forward(self, images: Tensor) -> Tensor:
        """Images to values in [-1, 1], apart from noise."""
        return 2 * super().forward(images) - 1

    def inverse(self, values: Tensor) -> Tensor:
        """Values in [-1, 1] to images."""
        return super().inverse((values + 1) / 2)

    @property
    def unit(self) -> Tensor:
        """Half of the brightest pixel."""
        return super().unit / 2


Coordinates = ComponentCoordinates | Standardised | UpToOne
