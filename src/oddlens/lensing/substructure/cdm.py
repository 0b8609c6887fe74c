"""Subhalos of cold dark matter, as point masses or as truncated NFW halos.

After Table I of Alexander et al. (arXiv:2008.12731): the number of subhalos is Poisson-distributed, and they are
uniform in radius and in angle. So their mean surface density falls as 1/r, like that of the isothermal halo that they
replace. Their masses follow a power law dN/dm ~ m^exponent. The config gives the number, or the mean fraction of the
lens mass in subhalos; the number is then Poisson-distributed with the mean fraction * lens mass / mean subhalo mass.

A truncated NFW halo (Baltz, Marshall & Oguri 2009, JCAP 01, 015, with n = 1) has the density of an NFW halo of scale
radius r_s times tau^2 / (tau^2 + (r / r_s)^2). Its total mass is finite; it is `mass_msun`. The scale radius follows
from the concentration r_200 / r_s of the halo before truncation.
"""

from types import ModuleType
from typing import Annotated

import numpy as np
from pydantic import model_validator

from oddlens.lensing import profiles
from oddlens.lensing.slots import accumulate, used_slots
from oddlens.schema.priors import Prior, max_count, poisson, within
from oddlens.schema.section import Section

UNUSED_SLOT_ARCSEC = 50.0
"""Distance of unused slots, which have no mass, from the centre. It avoids 0 / 0."""


class Truncated(Section):
    """Truncated NFW halos instead of point masses."""

    concentration: Annotated[Prior, within(1, 100)]
    """r_200 / r_s before truncation."""
    truncation_scale_radii: Annotated[Prior, within(0.1, 1000)]
    """Truncation radius over scale radius, r_t / r_s."""


class Priors(Section):
    """Number (or mass fraction), positions, masses and profile of the subhalos."""

    number: Annotated[Prior, within(0)] | None = None
    """Number of subhalos. Give either this or `mass_fraction`."""
    mass_fraction: Annotated[Prior, within(0, 1)] | None = None
    """Mean fraction of `lens.mass_msun` in subhalos. Their number is then Poisson-distributed."""
    radius_arcsec: Annotated[Prior, within(0)]
    """Distance from the centre of the lens, in arcsec."""
    angle_deg: Prior
    """Direction from the centre, in degrees, counter-clockwise from +x."""
    mass_msun: Annotated[Prior, within(0)]
    """Total mass of each subhalo, in solar masses."""
    truncated_nfw: Truncated | None = None
    """Truncated NFW halos instead of point masses."""

    @model_validator(mode="after")
    def _one_normalisation(self) -> "Priors":
        if (self.number is None) == (self.mass_fraction is None):
            raise ValueError("give number or mass_fraction, one of them; remove the key of a preset with null")
        return self


def _per_slot(priors: Priors) -> int:
    return 3 if priors.truncated_nfw is None else 5


def _mean_number(priors: Priors, fraction, lens_mass_msun):
    return fraction * lens_mass_msun / priors.mass_msun.mean()


def uniforms(priors: Priors, heaviest_lens_msun: float) -> int:
    if priors.number is not None:
        slots = max_count(priors.number)
    else:
        assert priors.mass_fraction is not None
        slots = int(poisson(1 - 1e-6, _mean_number(priors, priors.mass_fraction.support()[1], heaviest_lens_msun)))
    return 1 + _per_slot(priors) * slots + (priors.number is None)


def draw(priors: Priors, u: np.ndarray, lens: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    if priors.number is not None:
        number = np.round(priors.number.quantile(u[:, :1]))  # [n, 1]
    else:
        assert priors.mass_fraction is not None
        fraction, u = priors.mass_fraction.quantile(u[:, -1:]), u[:, :-1]
        number = poisson(u[:, :1], _mean_number(priors, fraction, lens["lens_mass_msun"][:, None]))
    slots = (u.shape[1] - 1) // _per_slot(priors)
    shape = u[:, 1 + 3 * slots :].reshape(len(u), slots, -1)  # last, so that points and halos have the same positions
    u = u[:, 1 : 1 + 3 * slots].reshape(len(u), slots, 3)  # the last slots are the unused ones
    used = np.arange(slots) < number  # [n, slots]
    radius = np.where(used, priors.radius_arcsec.quantile(u[..., 0]), UNUSED_SLOT_ARCSEC)
    y, x = profiles.polar(radius, priors.angle_deg.quantile(u[..., 1]), np)
    mass = np.where(used, priors.mass_msun.quantile(u[..., 2]), 0.0)
    points = {
        "subhalo_x_arcsec": x,
        "subhalo_y_arcsec": y,
        "subhalo_area": mass * lens["area_per_msun"][:, None],
    }
    if priors.truncated_nfw is None:
        return points
    concentration = priors.truncated_nfw.concentration.quantile(shape[..., 0])
    tau = priors.truncated_nfw.truncation_scale_radii.quantile(shape[..., 1])
    untruncated = mass * (np.log1p(concentration) - concentration / (1 + concentration)) / _nfw_total(tau, np)
    per_kpc3 = 4 / 3 * np.pi * 200 * lens["lens_critical_msun_per_kpc3"][:, None]
    scale_kpc = np.cbrt(untruncated / per_kpc3) / concentration
    scale = np.where(used, scale_kpc / lens["lens_kpc_per_arcsec"][:, None], 1.0)
    return points | {"subhalo_scale_arcsec": np.maximum(scale, 1e-6), "subhalo_truncation_scale_radii": tau}


def enclosed(q: dict[str, np.ndarray], radius: np.ndarray) -> np.ndarray:
    distance = np.hypot(q["subhalo_x_arcsec"], q["subhalo_y_arcsec"])
    if "subhalo_scale_arcsec" not in q:
        return np.sum(q["subhalo_area"], axis=1, where=distance < radius[:, None])
    area, scale, tau = (q[f"subhalo_{name}"][..., None] for name in ("area", "scale_arcsec", "truncation_scale_radii"))
    return profiles.mass_in_circle(lambda r: _nfw_area(r, area, scale, tau, np), distance, radius[:, None]).sum(axis=1)


def deflections(q: dict, y, x, xp: ModuleType):
    """Sum over subhalos of area(< r) * (r - r_i) / |r - r_i|^2."""
    extended = "subhalo_scale_arcsec" in q

    def add(total, sub_y, sub_x, area, *shape):
        dy, dx = y - sub_y, x - sub_x
        r2 = dy * dy + dx * dx + 1e-20
        pull = (_nfw_area(xp.sqrt(r2), area, shape[0], shape[1], xp) if extended else area) / r2
        return total[0] + pull * dy, total[1] + pull * dx

    names = ["y_arcsec", "x_arcsec", "area", *(("scale_arcsec", "truncation_scale_radii") if extended else ())]
    slots = [q[f"subhalo_{name}"] for name in names]
    used = used_slots(q["subhalo_area"], xp)
    return accumulate(add, (0.0 * y, 0.0 * x), slots, used, xp, block=1 if extended else 8)


def truth(q: dict[str, np.ndarray], lens: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    mass = q["subhalo_area"] / lens["area_per_msun"][:, None]
    inside = np.hypot(q["subhalo_x_arcsec"], q["subhalo_y_arcsec"]) < lens["einstein_radius_arcsec"][:, None]
    return {
        "subhalo_number": np.sum(mass > 0, axis=1).astype(np.float64),
        "subhalo_number_inside": np.sum((mass > 0) & inside, axis=1).astype(np.float64),
        "substructure_mass_msun": mass.sum(axis=1),
        "heaviest_mass_msun": mass.max(axis=1, initial=0.0),
        **{f"heaviest_{axis}_arcsec": _of_heaviest(mass, q[f"subhalo_{axis}_arcsec"]) for axis in "yx"},
    }


def _of_heaviest(mass: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The value of the heaviest subhalo of each image, [n], from values [n, slots]; 0 if there is none."""
    if not mass.shape[1]:
        return np.zeros(len(mass))
    return np.where(mass.max(axis=1) > 0, np.take_along_axis(values, mass.argmax(axis=1)[:, None], axis=1)[:, 0], 0.0)


def _nfw_total(tau, xp: ModuleType):
    """The mass of a truncated NFW halo over 4 pi rho_s r_s^3 (Baltz et al., eq. A4)."""
    t2 = tau * tau
    return t2 / (t2 + 1) ** 2 * ((t2 - 1) * xp.log(tau) + tau * np.pi - (t2 + 1))


def _nfw_area(r, area, scale, tau, xp: ModuleType):
    """The part of `area` that lies within a distance r (> 0) of the centre, in projection (Baltz et al., eq. A10)."""
    x, t2 = r / scale, tau * tau
    s = xp.sqrt(xp.maximum(xp.abs((x - 1) * (x + 1)), 1e-8))  # at x = 1 both branches tend to 1
    # arctanh(s) for x < 1, in a form that is accurate at both ends; arctan(s) for x > 1
    f = xp.where(x < 1, xp.log1p((s + s * s / (1 + x)) / x), xp.arctan(s)) / s
    root = xp.sqrt(t2 + x * x)
    within = (t2 + 1 + 2 * (x * x - 1)) * f + tau * np.pi + (t2 - 1) * xp.log(tau)
    within = within + root * ((t2 - 1) / tau * xp.log(x / (tau + root)) - np.pi)
    return area * t2 / (t2 + 1) ** 2 * within / _nfw_total(tau, xp)
