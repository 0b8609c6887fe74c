"""Principal components of the training images."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from oddlens.training.images import TrainingImages, total
from oddlens.training.symmetries import augmented

N_ITERATIONS = 8
"""Of subspace iteration."""
N_EXTRA_DIRECTIONS = 20
"""Directions that the iteration follows beyond the components asked for. With these numbers, 200 components miss 1e-5
of the variance that they could hold."""


class PrincipalComponents(nn.Module):
    """The leading principal components of the training images, turned and flipped if `symmetric`.

    Subspace iteration (Halko et al. 2011, arXiv:0909.4061, algorithm 4.4) reads the images in batches and never stores
    the covariance of their pixels, which takes 4 GB for 150 x 150 pixels.
    """

    mean: Tensor
    axes: Tensor
    scatter: Tensor

    def __init__(self, pixels: int, count: int):
        super().__init__()
        self.count = min(count, pixels**2)
        self.register_buffer("mean", torch.zeros(pixels**2))
        self.register_buffer("axes", torch.zeros(pixels**2, self.count))
        self.register_buffer("scatter", torch.ones(self.count))

    def learn(self, images: TrainingImages, generator: torch.Generator, *, symmetric: bool = False) -> None:
        """Compute mean, axes and standard deviations of the training images. Components are in order of variance."""

        def batches() -> Iterator[Tensor]:
            for batch in images.batches():
                yield (augmented(batch) if symmetric else batch).flatten(1)

        self.mean.copy_(total(batch.double().sum(dim=0) for batch in batches()) / len(images))
        size = min(self.count + N_EXTRA_DIRECTIONS, len(self.mean))
        axes = torch.randn(len(self.mean), size, generator=generator, device=self.mean.device)
        for _ in range(N_ITERATIONS):
            axes = torch.linalg.qr(total((b - self.mean).T @ ((b - self.mean) @ axes) for b in batches()))[0]
        projected = ((b - self.mean) @ axes for b in batches())
        variances, rotation = torch.linalg.eigh(total((b.double().T @ b.double()) for b in projected) / len(images))
        self.axes.copy_((axes.double() @ rotation).flip(1)[:, : self.count])
        self.scatter.copy_(variances.flip(0)[: self.count].clamp(min=1e-12).sqrt())

    def forward(self, images: Tensor) -> Tensor:
        """Images [n, 1, pixels, pixels] to coordinates [n, count] with the standard deviations `scatter`."""
        with torch.autocast(images.device.type, enabled=False):
            return (images.flatten(1).float() - self.mean) @ self.axes

    def inverse(self, coordinates: Tensor) -> Tensor:
        """Coordinates [n, count] to images [n, 1, pixels, pixels]."""
        pixels = math.isqrt(len(self.mean))
        with torch.autocast(coordinates.device.type, enabled=False):
            return (self.mean + coordinates.float() @ self.axes.T).unflatten(1, (1, pixels, pixels))
