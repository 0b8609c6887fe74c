"""The eight symmetries of lensing on a square grid: quarter turns and flips.

Lensing and the priors have no preferred direction, so a turned or flipped lens is equally probable. Lensing is
symmetric under all rotations, but other angles would have to interpolate between pixels, which blurs the noise.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from oddlens.training.images import total

N_SYMMETRIES = 8


def act(images: Tensor, k: int) -> Tensor:
    """Symmetry k of images [..., pixels, pixels]: k mod 4 quarter turns and, for k >= 4, a flip after them."""
    turned = torch.rot90(images, k % 4, (-2, -1))
    return turned.flip(-1) if k >= 4 else turned


def undo(images: Tensor, k: int) -> Tensor:
    """The inverse of `act`."""
    return torch.rot90(images.flip(-1) if k >= 4 else images, -(k % 4), (-2, -1))


def augmented(images: Tensor) -> Tensor:
    """A batch, an eighth of it under each symmetry. Batches have a random order, so each image gets a random
    symmetry."""
    return torch.cat([act(part, k) for k, part in enumerate(images.tensor_split(N_SYMMETRIES))])


def orientations(images: Tensor, symmetric: bool) -> list[Tensor]:
    """The images under each symmetry, unchanged ones first; if not `symmetric`, the unchanged images alone."""
    return [act(images, k) for k in range(N_SYMMETRIES if symmetric else 1)]


def aligned_mean(oriented: Iterable[Tensor]) -> Tensor:
    """The mean of images in the orientations of `orientations`, each turned back first.

    The errors of a network differ between the orientations of a lens, so the mean is nearer to the lens.
    """
    aligned = [undo(images, k) for k, images in enumerate(oriented)]
    return total(aligned) / len(aligned)


def symmetric_mean(function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """The mean of a map of images to images over the symmetries of lensing: act, apply, undo."""
    return aligned_mean(function(oriented) for oriented in orientations(images, symmetric=True))
