"""The linear coordinates of lenses: principal components of the training images."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from oddlens.training.images import Images, Seen, total
from oddlens.training.symmetries import turned

PASSES, SPARE = 8, 20
"""Of subspace iteration, and directions beyond those asked for: 200 components then miss 1e-5 of the variance that
they could hold."""


class PrincipalComponents(nn.Module):
    """The leading principal components of the training images, turned and flipped if `symmetric`.

    By subspace iteration (Halko et al. 2011, arXiv:0909.4061, algorithm 4.4), which reads the images a few at a time
    and never holds the covariance of their pixels: 150 x 150 of them would take 4 GB.
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

    def learn(self, images: Images | Seen, generator: torch.Generator, *, symmetric: bool = False) -> None:
        """Take mean, axes and standard deviations from the training images; more components come with smaller ones."""

        def batches() -> Iterator[Tensor]:
            for batch in images.batches():
                yield (turned(batch) if symmetric else batch).flatten(1)

        self.mean.copy_(total(batch.double().sum(dim=0) for batch in batches()) / len(images))
        size = min(self.count + SPARE, len(self.mean))
        axes = torch.randn(len(self.mean), size, generator=generator, device=self.mean.device)
        for _ in range(PASSES):
            axes = torch.linalg.qr(total((b - self.mean).T @ ((b - self.mean) @ axes) for b in batches()))[0]
        inside = ((b - self.mean) @ axes for b in batches())
        variances, turn = torch.linalg.eigh(total((b.double().T @ b.double()) for b in inside) / len(images))
        self.axes.copy_((axes.double() @ turn).flip(1)[:, : self.count])
        self.scatter.copy_(variances.flip(0)[: self.count].clamp(min=1e-12).sqrt())

    def forward(self, images: Tensor) -> Tensor:
        """Images [n, 1, pixels, pixels] to coordinates [n, count], which have the standard deviations `scatter`."""
        with torch.autocast(images.device.type, enabled=False):
            return (images.flatten(1).float() - self.mean) @ self.axes

    def inverse(self, coordinates: Tensor) -> Tensor:
        """And back, to images [n, 1, pixels, pixels]."""
        pixels = math.isqrt(len(self.mean))
        with torch.autocast(coordinates.device.type, enabled=False):
            return (self.mean + coordinates.float() @ self.axes.T).unflatten(1, (1, pixels, pixels))
