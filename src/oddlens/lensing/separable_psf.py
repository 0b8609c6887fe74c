"""A point-spread function as a sum of products of two one-dimensional kernels, applied by multiplying matrices.

The terms come from the singular value decomposition of the kernel. Processors and GPUs are fastest at products of
matrices.
"""

import numpy as np
import torch
from torch import Tensor, nn


class SeparablePsf(nn.Module):
    """Convolves padded images with a PSF.

    Args:
        kernel: [k, k].
        pixels: side of the convolved images; that of the padded ones is pixels + k - 1.
        tolerance: see `separate`.
    """

    y: Tensor
    x: Tensor

    def __init__(self, kernel: np.ndarray, pixels: int, tolerance: float):
        super().__init__()
        self.pixels = pixels
        for name, matrix in zip(("y", "x"), separate(kernel, pixels, tolerance), strict=True):
            self.register_buffer(name, torch.tensor(matrix, dtype=torch.float32), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Padded images [..., padded^2], convolved, [..., pixels^2]."""
        across = images.reshape(-1, len(self.x)) @ self.x  # [... padded, rank * pixels]
        convolved = self.y @ across.view(-1, self.y.shape[1], self.pixels)  # [..., pixels, pixels]
        return convolved.reshape(*images.shape[:-1], self.pixels**2)


def separate(kernel: np.ndarray, pixels: int, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """A kernel [k, k] as matrices Y [pixels, padded * rank] and X [padded, rank * pixels], padded = pixels + k - 1.

    Its convolution with an image [padded, padded] is Y (image X), where the product in brackets is read as
    [padded * rank, pixels].

    Args:
        tolerance: singular values of the kernel below this part of the largest one are left out.
    """
    u, s, v = np.linalg.svd(kernel)
    rank = int(np.sum(s > tolerance * s[0]))
    k, padded = len(kernel), pixels + len(kernel) - 1
    y, x = np.zeros((pixels, padded, rank)), np.zeros((padded, rank, pixels))
    for pixel in range(pixels):
        y[pixel, pixel : pixel + k] = (u[:, :rank] * s[:rank])[::-1]
        x[pixel : pixel + k, :, pixel] = v[:rank].T[::-1]
    return y.reshape(pixels, -1), x.reshape(padded, -1)
