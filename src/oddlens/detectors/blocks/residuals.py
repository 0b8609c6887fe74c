"""Squared residuals of images, in units of their noise."""

import math

import torch
from torch import Tensor

KERNEL_RADIUS_SIGMA = 4
"""The radius of a Gaussian kernel in standard deviations. Denormal numbers beyond it would cost much time."""


def squared(residuals: Tensor, blur: float = 0.0) -> Tensor:
    """The squares of residuals [n, 1, h, h] in units of their noise; 1 on average for noise alone.

    With `blur`, residuals are first smoothed with a Gaussian of this standard deviation in pixels and divided by the
    noise that is left. The point-spread function smooths all light, so sharper features are noise. This is the matched
    filter for a signal of unknown position.
    """
    return (smoothed(residuals, blur) / smoothed_noise(blur) if blur else residuals).square()


def smoothed(images: Tensor, blur: float) -> Tensor:
    """Images [n, 1, h, h] convolved with a normalised Gaussian of standard deviation `blur`; zero outside.

    Two matrix products are faster than a convolution.
    """
    kernel = _kernel(blur).to(images)
    index = torch.arange(images.shape[-1], device=images.device)
    offsets = (index[:, None] - index).abs()
    matrix = torch.where(offsets < len(kernel), kernel[offsets.clamp(max=len(kernel) - 1)], 0.0)
    return matrix @ images @ matrix


def smoothed_noise(blur: float) -> float:
    """The standard deviation of white unit noise after `smoothed`: 1 / (2 sqrt(pi) blur) for a wide Gaussian."""
    kernel = _kernel(blur)
    return (2 * kernel.square().sum() - kernel[0] ** 2).item()


def _kernel(blur: float) -> Tensor:
    """A Gaussian at 0, 1, ... pixels from its centre; with both sides its sum is 1."""
    radius = math.floor(KERNEL_RADIUS_SIGMA * blur)
    kernel = torch.exp(-0.5 * (torch.arange(radius + 1, dtype=torch.float64) / blur) ** 2)
    return kernel / (2 * kernel.sum() - kernel[0])


def mean_per_image(values: Tensor) -> Tensor:
    """[n, ...] to [n]."""
    return values.flatten(1).mean(dim=1)
