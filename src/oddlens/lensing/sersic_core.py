"""The Sersic profile with a smooth core: brightness and derivatives at elliptical radii.

A profile of index 4 has a cusp that is far smaller than a pixel. Rays that step over it make the brightness of a pixel
jump when the source moves. Inside a core radius R_c the profile is therefore replaced by a cubic polynomial of v = (R /
R_c)^2 that has the same brightness and slope at v = 1, the same light within the core, and the same second moment. A
telescope whose point-spread function is wider than the core cannot tell the difference.

The four numbers that determine a polynomial are linear in the profile. So the derivatives of the polynomial with
respect to the parameters are the polynomials of the derivatives of the profile.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from oddlens.lensing import profiles

INDEX_STEP = 1e-3
"""Relative step of the numerical derivative of b(n)."""
SLOPE_STEP = 1e-4
"""Relative step of the numerical slope at the edge of the core."""
NODE_POWER, NODES = 8, 16
"""Moments are integrals over s with v = s^8, in which profiles of all usual indices are smooth, at Gauss-Legendre
nodes."""

_place, _weight = np.polynomial.legendre.leggauss(NODES)
_place = (_place + 1) / 2
NODE_V = _place**NODE_POWER
NODE_WEIGHTS = _weight / 2 * NODE_POWER * _place ** (NODE_POWER - 1)
_order = np.arange(4)
CONDITIONS = np.stack([np.ones(4), _order, 1 / (_order + 1), 1 / (_order + 2)])
"""Value and slope at v = 1, and the integrals of p and v p over 0 < v < 1, of the powers of v."""


class Profile(NamedTuple):
    """A profile at elliptical radii, arrays of one shape.

    Attributes:
        light: the brightness.
        slope: minus twice its derivative with respect to R^2.
        by_log_radius: its derivative with respect to the logarithm of the effective radius.
        by_log_index: its derivative with respect to the logarithm of the index.
    """

    light: Tensor
    slope: Tensor
    by_log_radius: Tensor
    by_log_index: Tensor


def sersic_with_core(
    squared: Tensor, log_radius: Tensor, log_intensity: Tensor, n: Tensor, core_arcsec2: float, derivatives: bool
) -> Profile:
    """The profile at elliptical radii R.

    Args:
        squared: R^2, [lenses, rows, rays], arcsec^2.
        log_radius, log_intensity, n: effective radius, brightness there, and index, [lenses, 1, 1].
        core_arcsec2: R_c^2.
        derivatives: whether to compute more than the brightness; the other fields have no meaning otherwise.
    """
    parameters = (log_radius, log_intensity, n)
    profile = _sersic(squared.clamp(min=core_arcsec2), *parameters, derivatives)
    inside = (squared < core_arcsec2).nonzero(as_tuple=True)
    coefficients = _core(*parameters, core_arcsec2)[inside[0]]  # [rays inside, 3, 4]
    v = squared[inside].double() / core_arcsec2
    powers = torch.stack([torch.ones_like(v), v, v * v, v**3], dim=1)
    light, by_log_radius, by_log_index = (coefficients * powers[:, None]).sum(dim=2).unbind(dim=1)
    profile.light[inside] = light.to(squared)
    if derivatives:
        steps = torch.stack([torch.zeros_like(v), torch.ones_like(v), 2 * v, 3 * v * v], dim=1)
        profile.slope[inside] = (-2 / core_arcsec2 * (coefficients[:, 0] * steps).sum(dim=1)).to(squared)
        profile.by_log_radius[inside] = by_log_radius.to(squared)
        profile.by_log_index[inside] = by_log_index.to(squared)
    return profile


def _sersic(squared: Tensor, log_radius: Tensor, log_intensity: Tensor, n: Tensor, derivatives: bool = True) -> Profile:
    """The profile without a core."""
    b = profiles.sersic_b(n)
    log = squared.log() - 2 * log_radius
    power = (log * (0.5 / n)).exp()  # (R / R_e)^(1/n)
    light = (log_intensity - b * (power - 1)).exp()
    if not derivatives:
        return Profile(light, light, light, light)
    upper, lower = (profiles.sersic_b(n * (1 + step)) for step in (INDEX_STEP, -INDEX_STEP))
    by_log_n = (upper - lower) / (2 * INDEX_STEP)  # of b
    by_log_radius = light * power * (b / n)
    by_log_index = light * (0.5 * b * power * log / n - by_log_n * (power - 1))
    return Profile(light, by_log_radius / squared, by_log_radius, by_log_index)


def _core(log_radius: Tensor, log_intensity: Tensor, n: Tensor, core_arcsec2: float) -> Tensor:
    """Coefficients of the polynomials of brightness, `by_log_radius` and `by_log_index`, [lenses, 3, 4]."""
    log_radius, log_intensity, n = (each[:, 0].double() for each in (log_radius, log_intensity, n))  # [lenses, 1]
    v = torch.tensor([1 - SLOPE_STEP, 1, 1 + SLOPE_STEP, *NODE_V], dtype=torch.float64, device=n.device)
    profile = _sersic(core_arcsec2 * v, log_radius, log_intensity, n)
    values = torch.stack([profile.light, profile.by_log_radius, profile.by_log_index], dim=1)
    inner, edge, outer, nodes = values.split([1, 1, 1, NODES], dim=2)
    weights = torch.tensor(np.stack([NODE_WEIGHTS, NODE_WEIGHTS * NODE_V], axis=1), device=n.device)
    numbers = torch.cat([edge, (outer - inner) / (2 * SLOPE_STEP), nodes @ weights], dim=2)
    return numbers @ torch.tensor(np.linalg.inv(CONDITIONS).T, device=n.device)
