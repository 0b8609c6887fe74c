"""The mass of a lens: an elliptical power law with multipoles and external shear, and a perturber.

Each part is a set of named parameters, and their deflections at positions. Deflections are linear in shear and
multipoles, so these have exact derivatives. The others have finite differences, whose error of 1e-5 (relative) does not
matter to a fit that tests each step.

Multipoles of order 3 and 4 deform the contours of the density, and have the deflection of `lensing/power_law.py`. That
of order 1 shifts outer contours against inner ones. With m = 1 the same formula is

    alpha = A [u + (2 - g) cos(phi - phi_1) e_r],    A = k b (g - 1) (3 - g) / ((2 - g) (4 - g)) (b / r)^(g - 2)

with the unit vectors u along phi_1, and e_r away from the centre. A is infinite for an isothermal halo, g = 2. A
uniform deflection moves the source and nothing else, so A u at r = b is subtracted, and the rest is finite.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from oddlens.lensing import power_law, profiles
from oddlens.lensing.profiles import TINY

DIFFERENCE = 1e-5
"""Step of finite differences, in the units of the parameters."""
SHEAR, MULTIPOLES = 0, (1, 3, 4)
SHEAR_AND_MULTIPOLES = [(m, is_second) for m in (SHEAR, *MULTIPOLES) for is_second in (False, True)]
"""The parts in whose strength deflections are linear, each with two components."""
MIN_ELLIPTICITY = 1e-6
"""The smallest |h| of an ellipse: its direction is not defined for a circle."""
SERIES_TERMS = 18
"""Terms of the deflection of an ellipse; for an axis ratio of 0.4 the others sum to less than 1e-7."""


class MassPart(Protocol):
    """A part of the mass of a lens."""

    @property
    def names(self) -> Sequence[str]:
        """Its parameters."""
        ...

    def deflections(self, parameters: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Deflections (y, x) at positions [rays], [2, rays]; parameters are [p]."""
        ...

    def derivatives(self, parameters: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Their derivatives with respect to the parameters, [p, 2, rays]."""
        ...


@dataclass(frozen=True)
class MacroModel:
    """The smooth mass of a lens galaxy, and its surroundings.

    The Einstein radius b is that of the ellipse R = b with R^2 = q u^2 + v^2 / q, which contains the mass pi b^2. An
    ellipse is h = sinh(eta) (cos 2 phi, sin 2 phi) with the axis ratio exp(-eta). Multipoles have two components, the
    relative change of the contour's radius times cos and sin of m phi_m.
    """

    names: tuple[str, ...] = (
        *("einstein_radius", "ellipse_1", "ellipse_2", "slope", "centre_y", "centre_x", "shear_1", "shear_2"),
        *(f"multipole_{m}_{part}" for m in MULTIPOLES for part in ("cos", "sin")),
    )
    nonlinear: int = 6
    """The number of leading parameters in which deflections are not linear."""

    def deflections(self, parameters: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """See `MassPart`."""
        strengths = parameters[self.nonlinear :]
        present = strengths.nonzero()[:, 0].tolist()
        halo = self._halo(parameters, y, x)
        return halo + torch.einsum("k,kcr->cr", strengths[present], self._fields(parameters, y, x, present))

    def derivatives(self, parameters: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """See `MassPart`."""
        return self.derivatives_of(range(len(self.names)), parameters, y, x)

    def derivatives_of(self, numbers: Sequence[int], parameters: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """The derivatives with respect to some parameters, in ascending order of their numbers, [numbers, 2, rays]."""
        nonlinear = [number for number in numbers if number < self.nonlinear]
        linear = [number - self.nonlinear for number in numbers if number >= self.nonlinear]
        by_nonlinear = finite_differences(self.deflections, parameters, nonlinear, y, x)
        return torch.cat([by_nonlinear, self._fields(parameters, y, x, linear)])

    def _halo(self, parameters: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Deflections by the ellipse alone."""
        b, h1, h2, slope, centre_y, centre_x = parameters[: self.nonlinear]
        size = torch.hypot(h1, h2).clamp(min=MIN_ELLIPTICITY)
        ratio, angle = (1 + size * size).sqrt() - size, 0.5 * torch.atan2(h2, h1)
        return torch.stack(power_law.ellipsoid(y - centre_y, x - centre_x, b, ratio, angle, slope, torch, SERIES_TERMS))

    def _fields(self, parameters: Tensor, y: Tensor, x: Tensor, chosen: Sequence[int]) -> Tensor:
        """Deflections by unit shear and multipoles, those of the chosen numbers, [chosen, 2, rays]."""
        b, _, _, slope, centre_y, centre_x = parameters[: self.nonlinear]
        y, x, unit = y - centre_y, x - centre_x, torch.ones_like(b)
        fields = [torch.zeros(0, 2, len(y), dtype=y.dtype)]
        for number in chosen:
            m, is_second = SHEAR_AND_MULTIPOLES[number]
            if m == SHEAR:
                field = profiles.shear(y, x, unit, is_second * math.pi / 4 * unit, torch)
            elif m == 1:
                field = _dipole(y, x, b, is_second * math.pi / 2 * unit, slope)
            else:
                field = power_law.multipole(y, x, m, b, unit, is_second * math.pi / (2 * m) * unit, slope, torch)
            fields.append(torch.stack(field)[None])
        return torch.cat(fields)


def _dipole(y: Tensor, x: Tensor, b: Tensor, angle: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """Deflection (y, x) by a unit multipole of order 1; see the module."""
    (wave_y, wave_x), _ = power_law.multipole_waves(y, x, 1, angle, torch)
    excess = 2 - slope
    log = 0.5 * torch.log(x * x + y * y + TINY) - torch.log(b)
    power = (excess * log).exp()
    small = excess.abs() < 1e-6
    ratio = torch.where(small, log, (power - 1) / torch.where(small, 1.0, excess))  # ((r / b)^(2 - g) - 1) / (2 - g)
    amplitude = (slope - 1) * (3 - slope) * b / (4 - slope)
    along = (torch.sin(angle), torch.cos(angle))
    return tuple(amplitude * (ratio * u + power * w) for u, w in zip(along, (wave_y, wave_x), strict=True))


def finite_differences(deflections, parameters: Tensor, numbers: Sequence[int], y: Tensor, x: Tensor) -> Tensor:
    """Derivatives of deflections with respect to the parameters of some numbers, [numbers, 2, rays]."""
    at = deflections(parameters, y, x)
    changes = []
    for k in numbers:
        moved = parameters.clone()
        moved[k] += DIFFERENCE
        changes.append((deflections(moved, y, x) - at) / DIFFERENCE)
    return torch.stack(changes)
