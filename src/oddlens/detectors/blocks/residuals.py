"""What an image has that it was not expected to have, in units of its noise."""

import math

import torch
from torch import Tensor

REACH = 4
"""Standard deviations to which a Gaussian reaches; denormal numbers beyond would cost much time."""


def squared_deviations(images: Tensor, expected: Tensor, variance: Tensor, blur: float = 0.0) -> Tensor:
    """The squared deviation of each pixel in units of its noise, [n, 1, h, w]; 1 on average if only noise is left.

    With `blur`, after smoothing the deviations with a Gaussian of that standard deviation (in pixels) and bringing the
    noise back to 1. The camera's point-spread function smooths all light, so nothing that is sharper comes from the
    sky: the matched filter for something of unknown place.
    """
    deviations = (images - expected) / variance.sqrt()
    return (smoothed(deviations, blur) if blur else deviations).square()


def smoothed(deviations: Tensor, blur: float) -> Tensor:
    """White unit noise [n, 1, h, h] under a Gaussian, still of unit variance; zeros lie beyond the border.

    As products with a matrix on either side, which is faster than a convolution.
    """
    offsets = torch.arange(deviations.shape[-1], device=deviations.device, dtype=deviations.dtype)
    distance = (offsets[:, None] - offsets).abs()
    kernel = torch.exp(-0.5 * (distance / blur) ** 2) * (distance <= REACH * blur)
    far = torch.arange(-math.ceil(REACH * blur), math.ceil(REACH * blur) + 1, device=kernel.device)
    kernel = kernel / torch.exp(-0.5 * (far / blur) ** 2)[far.abs() <= REACH * blur].square().sum().sqrt()
    return kernel @ deviations @ kernel
