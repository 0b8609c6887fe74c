"""Pieces that detectors share: convolutional encoder and decoder, the weight of Poisson noise, learning rates."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

COARSEST = 8
"""Convolutions halve the image until a side has at most this many pixels; the rest is left to dense layers."""


def _sizes(pixels: int) -> list[int]:
    sizes = [pixels]
    while sizes[-1] > COARSEST:
        sizes.append(sizes[-1] // 2)
    return sizes


class Encoder(nn.Module):
    """Images [n, 1, pixels, pixels] to vectors [n, outputs]."""

    def __init__(self, pixels: int, outputs: int, *, channels: int, hidden: int):
        super().__init__()
        layers: list[nn.Module] = []
        width, sizes = 1, _sizes(pixels)
        for level in range(len(sizes) - 1):
            layers += [nn.Conv2d(width, channels * 2**level, 4, stride=2, padding=1), nn.GELU()]
            width = channels * 2**level
        dense = [nn.Linear(width * sizes[-1] ** 2, hidden), nn.GELU(), nn.Linear(hidden, outputs)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), *dense)

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        return self.layers(images)


class Decoder(nn.Module):
    """Vectors [n, inputs] to images [n, 1, pixels, pixels]: the encoder in reverse."""

    def __init__(self, pixels: int, inputs: int, *, channels: int, hidden: int):
        super().__init__()
        sizes = _sizes(pixels)
        widths = [1] + [channels * 2**level for level in range(len(sizes) - 1)]
        flat = widths[-1] * sizes[-1] ** 2
        layers: list[nn.Module] = [nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, flat)]
        layers.append(nn.Unflatten(1, (widths[-1], sizes[-1], sizes[-1])))
        for level in reversed(range(len(sizes) - 1)):
            odd = sizes[level] % 2  # the row that halving dropped
            layers += [
                nn.GELU(),
                nn.ConvTranspose2d(widths[level + 1], widths[level], 4, stride=2, padding=1, output_padding=odd),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, codes: Tensor) -> Tensor:
        """See the class."""
        return self.layers(codes)


def poisson_weight(expected: Tensor, floor: float) -> Tensor:
    """One over the noise variance of each pixel, up to a factor: photon noise grows with brightness.

    `floor` stands for the sky, in units of the detector's `scale`.
    """
    return 1 / (expected.clamp(min=0) + floor)


def mean_per_image(values: Tensor) -> Tensor:
    """[n, ...] to [n]."""
    return values.flatten(1).mean(dim=1)


def cosine(peak: float, warm_up: float = 0.05) -> Callable[[float], float]:
    """A learning rate that rises linearly to `peak` and falls to zero as a half cosine."""

    def rate(progress: float) -> float:
        if progress < warm_up:
            return peak * (0.01 + 0.99 * progress / warm_up)
        return peak * 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))

    return rate


class PrincipalComponents(nn.Module):
    """The leading principal components of the training images: the linear coordinates of lenses."""

    mean: Tensor
    axes: Tensor
    scatter: Tensor

    def __init__(self, pixels: int, count: int):
        super().__init__()
        self.count = min(count, pixels**2)
        self.register_buffer("mean", torch.zeros(pixels**2))
        self.register_buffer("axes", torch.zeros(pixels**2, self.count))
        self.register_buffer("scatter", torch.ones(self.count))

    def learn(self, images: Tensor) -> None:
        """Mean image, and leading eigenvectors and eigenvalues of the pixel covariance, in float64."""
        flat = images.flatten(1).double()
        centred = flat - flat.mean(dim=0)
        variances, axes = torch.linalg.eigh(centred.T @ centred / len(flat))
        self.mean.copy_(flat.mean(dim=0))
        self.axes.copy_(axes[:, -self.count :])
        self.scatter.copy_(variances[-self.count :].clamp(min=1e-12).sqrt())

    def forward(self, images: Tensor) -> Tensor:
        """Images [n, 1, pixels, pixels] to coordinates [n, count], which have the standard deviations `scatter`."""
        return (images.flatten(1) - self.mean) @ self.axes

    def inverse(self, coordinates: Tensor) -> Tensor:
        """And back, to images [n, 1, pixels, pixels]."""
        pixels = math.isqrt(len(self.mean))
        return (self.mean + coordinates @ self.axes.T).unflatten(1, (1, pixels, pixels))


class Standardise(nn.Module):
    """Subtracts the mean training image and divides by the overall scatter: one lens differs from another by little.

    Without it an autoencoder spends most of a short training on the mean ring.
    """

    mean: Tensor
    scatter: Tensor

    def __init__(self, pixels: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, 1, pixels, pixels))
        self.register_buffer("scatter", torch.ones(()))

    def learn(self, images: Tensor) -> None:
        """Take mean and scatter from the training images."""
        self.mean.copy_(images.mean(dim=0, keepdim=True))
        self.scatter.copy_((images - self.mean).square().mean().sqrt())

    def forward(self, images: Tensor) -> Tensor:
        """Images to standardised images."""
        return (images - self.mean) / self.scatter

    def inverse(self, standardised: Tensor) -> Tensor:
        """And back."""
        return self.mean + self.scatter * standardised
