"""A compact mass beside the smooth lens: a point mass, or a dark halo.

Its mass is an area: its Einstein radius squared if it were a point, arcsec^2. A mass M of that area has M = pi area
times the critical surface density. Its size is fixed, or follows from its mass. A fit with too small a size measures
the density in the middle, and its mass is too small.

The tidal radius of an isothermal sphere of strength s in a halo of Einstein radius b is sqrt(s b) (Metcalf & Madau
2001, ApJ 563, 9), and its area s times that radius: so the radius is (area b)^(1/3). For the perturber of
SDSSJ0946+1006 (Vegetti et al. 2010, MNRAS 408, 1969), 3.51e9 solar masses, this gives 1.13 kpc; they have 1.1 kpc.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from oddlens.lensing import truncated_nfw
from oddlens.lensing.profiles import TINY
from oddlens.observations.modelling.mass_model import finite_differences

MIN_AREA_ARCSEC2 = 1e-5
"""Perturbers with less mass have the size of one with this mass."""


class PerturberProfile(Protocol):
    """The distribution of the mass of a perturber."""

    def within(self, r: Tensor) -> Tensor:
        """The part of the mass inside a distance r > 0 from its centre, in projection."""
        ...


ProfileOf = Callable[[float, float], PerturberProfile]
"""The profile of a perturber of an area in a halo of an Einstein radius; arcsec^2, arcsec."""


@dataclass(frozen=True)
class PointMass:
    """A point mass, softened so that the mass inside r is r^2 / (r^2 + softening^2)."""

    softening_arcsec: float

    def within(self, r: Tensor) -> Tensor:
        """See `PerturberProfile`."""
        return r * r / (r * r + self.softening_arcsec**2)


@dataclass(frozen=True)
class PseudoJaffe:
    """An isothermal sphere that is truncated at a radius a, with the density 1/R - 1/sqrt(R^2 + a^2)."""

    truncation_arcsec: float

    def within(self, r: Tensor) -> Tensor:
        """See `PerturberProfile`."""
        a = self.truncation_arcsec
        return 1 - a / (r + (r * r + a * a).sqrt())

    @staticmethod
    def tidal(area_arcsec2: float, einstein_radius_arcsec: float) -> "PseudoJaffe":
        """Truncated at its tidal radius near the Einstein radius of a halo."""
        return PseudoJaffe((area_arcsec2 * einstein_radius_arcsec) ** (1 / 3))


@dataclass(frozen=True)
class TruncatedNfwHalo:
    """A truncated NFW halo (`lensing/truncated_nfw.py`)."""

    scale_arcsec: float
    truncation_scale_radii: float

    def within(self, r: Tensor) -> Tensor:
        """See `PerturberProfile`."""
        return truncated_nfw.area_within(r, 1.0, self.scale_arcsec, torch.tensor(self.truncation_scale_radii), torch)


class PerturberPart(ABC):
    """A compact mass as a part of the mass of a lens."""

    names: Sequence[str] = ("perturber_area", "perturber_y", "perturber_x")

    @abstractmethod
    def profile_at(self, area: float) -> PerturberProfile:
        """The profile of a mass of an area, arcsec^2."""

    def deflections(self, parameters: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """See `mass_model.MassPart`."""
        area, own_y, own_x = parameters
        off = torch.stack([y - own_y, x - own_x])
        squared = off.square().sum(dim=0) + TINY
        return area * off * (self.profile_at(float(area)).within(squared.sqrt()) / squared)

    def derivatives(self, parameters: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """See `mass_model.MassPart`."""
        return finite_differences(self.deflections, parameters, range(len(self.names)), y, x)


@dataclass(frozen=True)
class Perturber(PerturberPart):
    """A perturber of a fixed size."""

    profile: PerturberProfile

    def profile_at(self, area: float) -> PerturberProfile:
        """The profile."""
        return self.profile


@dataclass(frozen=True)
class SizedPerturber(PerturberPart):
    """A perturber whose size follows from its mass.

    Args:
        profile_of: see `ProfileOf`.
        einstein_radius_arcsec: of the halo.
    """

    profile_of: ProfileOf
    einstein_radius_arcsec: float

    def profile_at(self, area: float) -> PerturberProfile:
        """The profile at this mass. A negative mass has that of a positive one."""
        return self.profile_of(max(abs(area), MIN_AREA_ARCSEC2), self.einstein_radius_arcsec)
