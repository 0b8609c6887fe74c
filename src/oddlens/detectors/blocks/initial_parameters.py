"""Initial parameters of lens fits: predicted by a network, or taken from a library of similar lenses."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from oddlens.detectors.blocks.coordinates import ComponentCoordinates
from oddlens.detectors.blocks.networks import residual_network
from oddlens.lensing.model import LensModel
from oddlens.training.images import TrainingImages

MAX_COMPONENT_LENSES = 4096
"""Lenses from which the principal components of a network are learned, at most."""
MAX_STANDARDISED = 5.0
"""Standardised parameters that a network predicts are clamped to this absolute value."""
LIBRARY_SIZE = 1024
"""Lenses of a library."""
MIN_BRIGHTNESS_FACTOR = 1e-3
"""The smallest factor that adjusts the brightness of initial parameters to the image."""


class ParameterNetwork(nn.Module):
    """A dense network between principal components that predicts the standardised parameters of a lens from its image.

    It is trained on simulated lenses, with new noise each time.
    """

    lenses: Tensor
    images: Tensor

    def __init__(self, pixels: int, outputs: int, width: int, depth: int):
        super().__init__()
        self.coordinates = ComponentCoordinates(pixels)
        self.dense = residual_network(self.coordinates.count, outputs, width, depth)
        for name in ("lenses", "images"):
            self.register_buffer(name, torch.zeros(0), persistent=False)

    def learn_components(
        self, images: Tensor, stabilise: Callable[[Tensor], Tensor], generator: torch.Generator
    ) -> None:
        """Learn the principal components of noisy images [n, 1, pixels, pixels] after variance stabilisation."""
        noisy = TrainingImages(images[:, 0].cpu().numpy(), np.arange(len(images)), None, images.device)
        self.coordinates.learn(noisy.through(stabilise), generator, symmetric=True)

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Parameters and noise-free images of some of the simulated lenses."""
        chosen = torch.randint(len(self.lenses), (count,), generator=generator, device=self.lenses.device)
        return self.lenses[chosen], self.images[chosen]

    def forward(self, stabilised: Tensor) -> Tensor:
        """Standardised parameters [n, outputs] of variance-stabilised images [n, 1, pixels, pixels]."""
        return self.dense(self.coordinates(stabilised))

    def predict(self, stabilised: Tensor) -> Tensor:
        """The same, clamped."""
        return self(stabilised).clamp(-MAX_STANDARDISED, MAX_STANDARDISED)


class LensLibrary(nn.Module):
    """Simulated lenses, from which those most similar to an image are chosen."""

    lenses: Tensor
    images: Tensor

    def __init__(self, pixels: int, parameters: int):
        super().__init__()
        self.register_buffer("lenses", torch.zeros(LIBRARY_SIZE, parameters))
        self.register_buffer("images", torch.zeros(LIBRARY_SIZE, pixels**2))

    def most_similar(self, data: Tensor, observed: Tensor, count: int) -> list[Tensor]:
        """Parameters [n, parameters] of the `count` lenses whose images leave the smallest residuals at their best
        brightness.

        Args:
            data: images [n, pixels^2], zero where they are masked.
            observed: whether each pixel was observed, [n, pixels^2].
        """
        norm = (observed.to(self.images) @ self.images.mT.square()).sqrt()
        similarity = data @ self.images.mT / norm
        return [self.lenses[k] for k in similarity.topk(count, dim=1).indices.mT]


def fill_gaps(images: Tensor) -> Tensor:
    """Images [n, 1, pixels, pixels] whose NaN are replaced by means of their neighbours, from the edge of a gap
    inwards."""
    while (gaps := images.isnan()).any():
        total, count = (F.avg_pool2d(part, 3, 1, 1) for part in (images.nan_to_num(), (~gaps).to(images)))
        images = images.where(~gaps, total / count)  # 0 / 0 = NaN: a pixel without neighbours waits for them
    return images


def with_best_brightness(model: LensModel, parameters: Tensor, data: Tensor, observed: Tensor) -> Tensor:
    """Parameters [n, p] with the source brightness that fits images [n, pixels^2] best, the others fixed."""
    image = model(parameters).where(observed, 0.0)
    ratio = (image * data).sum(dim=1) / image.square().sum(dim=1)
    parameters[:, model.names.index("log_intensity")] += ratio.clamp(min=MIN_BRIGHTNESS_FACTOR).log()
    return parameters
