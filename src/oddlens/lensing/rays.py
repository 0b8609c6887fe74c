"""Rays of a pixel at Gauss-Legendre nodes, for the differentiable lens model."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Rays(NamedTuple):
    """Positions in the image plane, the same for all images or different ones for each.

    Attributes:
        y: [(n,) rays, pixels], arcsec.
        x: likewise.
        unit_deflections: deflections by unit parameters in which deflections are linear, [(n,) fields, 2, rays,
            pixels].
        weights: quadrature weights of the rays of a pixel, [rays].
    """

    y: Tensor
    x: Tensor
    unit_deflections: Tensor
    weights: Tensor

    def at(self, pixels: Tensor) -> "Rays":
        """The rays of some pixels, [n, k], of each image."""
        y, x, deflections = (part[..., pixels].movedim(-2, 0) for part in (self.y, self.x, self.unit_deflections))
        return Rays(y, x, deflections, self.weights)

    def pixel_means(self, values: Tensor) -> Tensor:
        """Means over pixels, [..., pixels], of values at the rays, [..., rays, pixels]."""
        return torch.einsum("...rp,r->...p", values, self.weights)


def gauss_legendre_nodes(count: int, width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes (y, x) in a square of a width about the origin, and their weights, [count^2] each.

    They integrate polynomials of degree 2 count - 1 in y and x exactly.
    """
    place, weight = np.polynomial.legendre.leggauss(count)
    y, x = np.meshgrid(-place * width / 2, place * width / 2, indexing="ij")
    return y.ravel(), x.ravel(), np.outer(weight, weight).ravel() / 4
