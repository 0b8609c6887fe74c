"""What an image has that it was not expected to have, in units of its noise."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def squared_deviations(images: Tensor, expected: Tensor, variance: Tensor, blur: float = 0.0) -> Tensor:
    """The squared deviation of each pixel in units of its noise, [n, 1, h, w]; 1 on average if only noise is left.

    With `blur`, after smoothing the deviations with a Gaussian of that standard deviation (in pixels) and bringing the
    noise back to 1. The camera's point-spread function smooths all light, so nothing that is sharper comes from the
    sky: the matched filter for something of unknown place.
    """
    deviations = (images - expected) / variance.sqrt()
    return (smoothed(deviations, blur) if blur else deviations).square()


def smoothed(deviations: Tensor, blur: float) -> Tensor:
    """White unit noise [n, 1, h, w] under a Gaussian, still of unit variance; zeros lie beyond the border."""
    reach = math.ceil(3 * blur)
    offsets = torch.arange(-reach, reach + 1, device=deviations.device, dtype=deviations.dtype)
    kernel = torch.exp(-0.5 * (offsets / blur) ** 2)
    kernel = (kernel / kernel.square().sum().sqrt()).view(1, 1, -1, 1)
    return F.conv2d(F.conv2d(deviations, kernel, padding=(reach, 0)), kernel.transpose(2, 3), padding=(0, reach))
