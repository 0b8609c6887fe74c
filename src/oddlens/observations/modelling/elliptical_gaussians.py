"""Gaussians of many widths on one ellipse. Sums of them describe galaxies well (Cappellari 2002, MNRAS 333, 400)."""

from typing import NamedTuple

from torch import Tensor

MIN_EXPONENT = -40.0
"""Gaussians fall no lower than the exponential of this; smaller numbers are slow."""


class EllipticalRadius(NamedTuple):
    """The square of the elliptical radius at points, and its derivatives, [points].

    Attributes:
        squared: R^2 of the ellipse h = sinh(eta) (cos 2 phi, sin 2 phi), whose axis ratio is exp(-eta).
        by_y: its derivative by the position of the points.
        by_x: likewise.
        by_h1: its derivative by the ellipse.
        by_h2: likewise.
    """

    squared: Tensor
    by_y: Tensor
    by_x: Tensor
    by_h1: Tensor
    by_h2: Tensor


def elliptical_radius(y: Tensor, x: Tensor, h1: Tensor, h2: Tensor) -> EllipticalRadius:
    """The elliptical radius at points, relative to the centre of an ellipse."""
    c = (1 + h1 * h1 + h2 * h2).sqrt()
    rr, dd, xy = x * x + y * y, x * x - y * y, 2 * x * y
    by_y, by_x = 2 * ((c + h1) * y - h2 * x), 2 * ((c - h1) * x - h2 * y)
    return EllipticalRadius(c * rr - h1 * dd - h2 * xy, by_y, by_x, h1 / c * rr - dd, h2 / c * rr - xy)


def gaussians(squared: Tensor, widths: Tensor) -> Tensor:
    """Gaussians of unit peak at squared radii [points], [widths, points]."""
    return (-0.5 * squared / widths[:, None] ** 2).clamp(min=MIN_EXPONENT).exp()


def slope(squared: Tensor, widths: Tensor, amplitudes: Tensor) -> Tensor:
    """The derivative of a sum of Gaussians by the squared radius, [points]."""
    return -(amplitudes / (2 * widths**2)) @ gaussians(squared, widths)
