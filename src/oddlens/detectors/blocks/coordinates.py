"""Linear maps between images and the inputs of a network."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from oddlens.detectors.blocks.components import PrincipalComponents
from oddlens.detectors.blocks.residuals import mean_per_image
from oddlens.training.images import TrainingImages, total

N_COMPONENTS = 200
"""Principal components of a dense network. The variance outside them is noise."""


class Coordinates(nn.Module, ABC):
    """A linear map of images, in general one that scales their pixels."""

    unit: Tensor
    """Images whose coordinates differ by 1 differ by this."""

    @abstractmethod
    def learn(self, images: TrainingImages, generator: torch.Generator, symmetric: bool) -> None:
        """Fix the map by the training images; if `symmetric`, by all eight orientations of them."""

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Images [n, 1, pixels, pixels] to coordinates [n, ...]."""

    @abstractmethod
    def inverse(self, coordinates: Tensor) -> Tensor:
        """Coordinates to images."""

    def mean_squared_error(self, images: Tensor, inputs: Tensor, outputs: Tensor) -> Tensor:
        """The mean over pixels of (images - inverse(outputs))^2, [n], without the inverse.

        Args:
            inputs: the coordinates of the images.
        """
        return mean_per_image((self.unit * (inputs - outputs)).square())


class ComponentCoordinates(Coordinates):
    """Principal components, all in one unit: a tenth of the scatter of the first.

    Weak components keep small values, as most of their variance is noise.
    """

    def __init__(self, pixels: int):
        super().__init__()
        self.principal = PrincipalComponents(pixels, N_COMPONENTS)

    def learn(self, images: TrainingImages, generator: torch.Generator, symmetric: bool) -> None:
        """Compute the components of the training images."""
        self.principal.learn(images, generator, symmetric=symmetric)

    @property
    def count(self) -> int:
        """The number of coordinates."""
        return self.principal.count

    @property
    def unit(self) -> Tensor:  # type: ignore[override]
        """A tenth of the scatter of the first component."""
        return 0.1 * self.principal.scatter[0]

    def forward(self, images: Tensor) -> Tensor:
        """Images to coordinates [n, count]."""
        return self.principal(images) / self.unit

    def inverse(self, coordinates: Tensor) -> Tensor:
        """Coordinates to images."""
        return self.principal.inverse(coordinates * self.unit)

    def mean_squared_error(self, images: Tensor, inputs: Tensor, outputs: Tensor) -> Tensor:
        """See the base class. Axes are orthonormal, so the part of an image outside them adds its square."""
        whole = (images.flatten(1) - self.principal.mean).square().sum(dim=1)
        inside = (self.unit * inputs).square().sum(dim=1)
        error = (self.unit * (inputs - outputs)).square().sum(dim=1)
        return (whole - inside + error) / len(self.principal.mean)


class Standardised(Coordinates):
    """Images minus the mean training image, over their scatter. Lenses differ from each other by little."""

    mean: Tensor
    unit: Tensor

    def __init__(self, pixels: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, 1, pixels, pixels))
        self.register_buffer("unit", torch.ones(()))

    def learn(self, images: TrainingImages, generator: torch.Generator, symmetric: bool) -> None:
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


class UpToOne(Coordinates):
    """Images over the brightest training pixel, for networks with a tanh at the end."""

    peak: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("peak", torch.ones(()))

    def learn(self, images: TrainingImages, generator: torch.Generator, symmetric: bool) -> None:
        """Find the brightest pixel."""
        self.find_peak(images)

    def find_peak(self, images: TrainingImages) -> None:
        """The same; it needs no random numbers."""
        self.peak.fill_(max(batch.max().item() for batch in images.batches()))

    @property
    def unit(self) -> Tensor:  # type: ignore[override]
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
    def unit(self) -> Tensor:  # type: ignore[override]
        """Half of the brightest pixel."""
        return super().unit / 2
