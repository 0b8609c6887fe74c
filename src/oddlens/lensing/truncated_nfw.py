"""Truncated NFW halos (Baltz, Marshall & Oguri 2009, JCAP 01, 015, with n = 1), and how concentrated they are.

The density is that of an NFW halo of scale radius r_s times tau^2 / (tau^2 + (r / r_s)^2), with tau = r_t / r_s. The
total mass is finite. M200 and the concentration c = r_200 / r_s are those before truncation: M200 is the mass inside
r_200, where the mean density is 200 times the critical density of the universe at the redshift of the halo. With
m(c) = ln(1 + c) - c / (1 + c), and `total` for the integral of the truncated profile,

    M = M200 total(tau) / m(c)        r_s = [3 M200 / (800 pi rho_crit)]^(1/3) / c
"""

from types import ModuleType
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator
from scipy import special

from oddlens.lensing.cosmology import COSMOLOGY
from oddlens.schema.priors import Prior, within
from oddlens.schema.section import Section

MIN_SCALE_ARCSEC = 1e-6
"""The smallest scale radius of a halo; it avoids 0 / 0."""
SHAPE = ("m200_msun", "concentration", "truncation_scale_radii")
"""Properties of halos in the truth table."""
ITERATIONS = 40
"""Fixed-point steps to M200 of a total mass; each lowers the error at least to a fifth."""


class TruncatedNfw(Section):
    """Truncated NFW halos."""

    concentration: Annotated[Prior, within(1, 100)] | None = None
    """r_200 / r_s before truncation. Give either this or `relation`."""
    relation: Literal["dutton_maccio"] | None = None
    """Instead: the mean relation between concentration, mass and redshift of Dutton & Maccio 2014."""
    scatter_dex: Annotated[float, Field(ge=0, le=1)] = 0.11
    """Standard deviation of the decimal logarithm of concentrations about those of the relation."""
    truncation_scale_radii: Annotated[Prior, within(0.1, 1000)]
    """Truncation radius over scale radius, r_t / r_s."""
    mass: Literal["total", "m200"] = "total"
    """What `mass_msun` is: the total mass of the truncated halo, or the mass inside r_200 before truncation."""

    @model_validator(mode="after")
    def _one_concentration(self) -> "TruncatedNfw":
        if (self.concentration is None) == (self.relation is None):
            raise ValueError("give concentration or relation, one of them; remove the key of a preset with null")
        return self


class Halos(NamedTuple):
    """Halos as arrays of one shape."""

    mass_msun: np.ndarray
    """Total mass."""
    m200_msun: np.ndarray
    concentration: np.ndarray
    truncation_scale_radii: np.ndarray
    scale_arcsec: np.ndarray


def halos(
    priors: TruncatedNfw, mass: np.ndarray, u: np.ndarray, redshift: np.ndarray, plane: dict[str, np.ndarray]
) -> Halos:
    """Halos of given masses.

    Args:
        mass: as `priors.mass` says, solar masses.
        u: uniform random numbers of concentration and truncation, [..., 2].
        redshift: of the halos, of a shape that broadcasts to that of `mass`.
        plane: `kpc_per_arcsec` and `critical_msun_per_kpc3` at that redshift, likewise.
    """
    tau = priors.truncation_scale_radii.quantile(u[..., 1])
    if priors.mass == "m200":
        m200, concentration = mass, _concentration(priors, u[..., 0], mass, redshift)
        mass = m200 * total(tau, np) / nfw_mass(concentration)
    else:
        m200 = mass
        for _ in range(ITERATIONS if priors.relation else 1):
            concentration = _concentration(priors, u[..., 0], m200, redshift)
            m200 = mass * nfw_mass(concentration) / total(tau, np)
    per_kpc3 = 4 / 3 * np.pi * 200 * plane["critical_msun_per_kpc3"]
    scale = np.cbrt(m200 / per_kpc3) / concentration / plane["kpc_per_arcsec"]
    return Halos(mass, m200, concentration, tau, scale)


def _concentration(priors: TruncatedNfw, u: np.ndarray, m200: np.ndarray, redshift: np.ndarray) -> np.ndarray:
    if priors.concentration is not None:
        return priors.concentration.quantile(u)
    return dutton_maccio(m200, redshift) * 10 ** (priors.scatter_dex * special.ndtri(u))


def dutton_maccio(m200_msun: np.ndarray, redshift: np.ndarray) -> np.ndarray:
    """Mean concentration c_200 of halos of a mass (Dutton & Maccio 2014, MNRAS 441, 3359, eqs. 7, 10 and 11).

    Their halos have 1e10 to 1e15 solar masses / h; for lighter ones the power law is extrapolated.
    """
    a = 0.520 + (0.905 - 0.520) * np.exp(-0.617 * redshift**1.21)
    b = -0.101 + 0.026 * redshift
    return 10 ** (a + b * np.log10(np.maximum(m200_msun, 1.0) * COSMOLOGY.h / 1e12))


def nfw_mass(c: np.ndarray) -> np.ndarray:
    """The mass of an NFW halo within c scale radii, over 4 pi rho_s r_s^3."""
    return np.log1p(c) - c / (1 + c)


def total(tau, xp: ModuleType):
    """The mass of a truncated NFW halo over 4 pi rho_s r_s^3 (Baltz et al., eq. A4)."""
    t2 = tau * tau
    return t2 / (t2 + 1) ** 2 * ((t2 - 1) * xp.log(tau) + tau * np.pi - (t2 + 1))


def area_within(r, area, scale, tau, xp: ModuleType):
    """The part of `area` that lies within a distance r (> 0) of the centre, in projection (Baltz et al., eq. A10)."""
    x, t2 = r / scale, tau * tau
    s = xp.sqrt(xp.clip(xp.abs((x - 1) * (x + 1)), 1e-8, None))  # at x = 1 both branches tend to 1
    # arctanh(s) for x < 1, in a form that is accurate at both ends; arctan(s) for x > 1
    f = xp.where(x < 1, xp.log1p((s + s * s / (1 + x)) / x), xp.arctan(s)) / s
    root = xp.sqrt(t2 + x * x)
    within = (t2 + 1 + 2 * (x * x - 1)) * f + tau * np.pi + (t2 - 1) * xp.log(tau)
    within = within + root * ((t2 - 1) / tau * xp.log(x / (tau + root)) - np.pi)
    return area * t2 / (t2 + 1) ** 2 * within / total(tau, xp)
