"""What an image has that it was not expected to have, in units of its noise."""

import math

import torch
from torch import Tensor

REACH = 4
"""Standard deviations to which a Gaussian reaches; denormal numbers beyond would cost much time."""


def squared(deviations: Tensor, blur: float = 0.0) -> Tensor:
    """The squares of deviations that are in units of their noise, [n, 1, h, h]; 1 on average if they are noise alone.

    With `blur`, after smoothing the deviations with a Gaussian of that standard deviation (in pixels) and bringing the
    noise back to 1. The camera's point-spread function smooths all light, so nothing that is sharper comes from the
    sky: the matched filter for something of unknown place.
    """
    return (smoothed(deviations, blur) / noise_left(blur) if blur else deviations).square()


def smoothed(images: Tensor, blur: float) -> Tensor:
    """Images [n, 1, h, h] under a Gaussian of standard deviation `blur` that keeps their light; zeros lie beyond.

    As products with a matrix on either side, which is faster than a convolution.
    """
    kernel = _kernel(blur).to(images)
    here = torch.arange(images.shape[-1], device=images.device)
    offsets = (here[:, None] - here).abs()
    matrix = torch.where(offsets < len(kernel), kernel[offsets.clamp(max=len(kernel) - 1)], 0.0)
    return matrix @ images @ matrix


def noise_left(blur: float) -> float:
    """The standard deviation of white unit noise after `smoothed`: 1 / (2 sqrt(pi) blur) for a wide Gaussian."""
    kernel = _kernel(blur)
    return (2 * kernel.square().sum() - kernel[0] ** 2).item()


def _kernel(blur: float) -> Tensor:
    """A Gaussian at 0, 1, ... pixels from its middle; with both sides its sum is 1."""
    kernel = torch.exp(-0.5 * (torch.arange(math.floor(REACH * blur) + 1, dtype=torch.float64) / blur) ** 2)
    return kernel / (2 * kernel.sum() - kernel[0])


def mean_per_image(values: Tensor) -> Tensor:
    """[n, ...] to [n]."""
    return values.flatten(1).mean(dim=1)
