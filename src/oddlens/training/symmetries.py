"""The symmetries of lensing on a square grid: quarter turns and flips.

The physics knows no direction, and neither do the priors, so a lens turned or mirrored is as likely a lens. Other
angles are symmetries too, but pixels are not: they would have to be interpolated, which blurs the noise.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from oddlens.training.images import total

COUNT = 8


def act(images: Tensor, k: int) -> Tensor:
    """Symmetry k of the 8: k mod 4 quarter turns, and for k >= 4 a flip after them; images [..., pixels, pixels]."""
    turned = torch.rot90(images, k % 4, (-2, -1))
    return turned.flip(-1) if k >= 4 else turned


def undo(images: Tensor, k: int) -> Tensor:
    """The inverse of `act`."""
    return torch.rot90(images.flip(-1) if k >= 4 else images, -(k % 4), (-2, -1))


def turned(images: Tensor) -> Tensor:
    """An eighth of a batch by each symmetry: as its order is random, each image by a random one."""
    return torch.cat([act(part, k) for k, part in enumerate(images.tensor_split(COUNT))])


def attitudes(images: Tensor, symmetric: bool) -> list[Tensor]:
    """Images by each symmetry, the untouched first; or those alone."""
    return [act(images, k) for k in range(COUNT if symmetric else 1)]


def mean_upright(drawn: Iterable[Tensor]) -> Tensor:
    """The mean of what was drawn of an image in its attitudes, in their order, each turned back.

    What a network gets wrong it gets wrong differently for a lens that is turned, so the mean is nearer to the lens.
    """
    upright = [undo(images, k) for k, images in enumerate(drawn)]
    return total(upright) / len(upright)


def symmetric_mean(function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """The mean of a map of images to images over the symmetries of lensing: act, apply, undo."""
    return mean_upright(function(attitude) for attitude in attitudes(images, symmetric=True))
