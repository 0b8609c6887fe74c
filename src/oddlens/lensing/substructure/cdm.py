"""Subhalos of cold dark matter, as point masses or as truncated NFW halos.

After Table I of Alexander et al. (arXiv:2008.12731): the number of subhalos is Poisson-distributed, and they are
uniform in radius and in angle. So their mean surface density falls as 1/r, like that of the isothermal halo that they
replace. Their masses follow a power law dN/dm ~ m^exponent. The config gives the number, or the mean fraction of the
lens mass in subhalos; the number is then Poisson-distributed with the mean fraction * lens mass / mean subhalo mass.

Truncated NFW halos are described in `truncated_nfw.py`.
"""

from types import ModuleType
from typing import Annotated

import numpy as np
from pydantic import model_validator

from oddlens.lensing import profiles, truncated_nfw
from oddlens.lensing.slots import accumulate, used_slots
from oddlens.lensing.truncated_nfw import SHAPE, TruncatedNfw
from oddlens.schema.priors import Prior, max_count, poisson, within
from oddlens.schema.section import Section

UNUSED_SLOT_ARCSEC = 50.0
"""Distance of unused slots, which have no mass, from the centre. It avoids 0 / 0."""


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
    """Total mass of each subhalo, in solar masses; of truncated NFW halos as their `mass` says."""
    truncated_nfw: TruncatedNfw | None = None
    """Truncated NFW halos instead of point masses."""

    @model_validator(mode="after")
    def _one_normalisation(self) -> "Priors":
        if (self.number is None) == (self.mass_fraction is None):
            raise ValueError("give number or mass_fraction, one of them; remove the key of a preset with null")
        if self.mass_fraction is not None and self.truncated_nfw and self.truncated_nfw.mass != "total":
            raise ValueError("mass_fraction counts total masses, and truncated_nfw.mass is m200: give number instead")
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
    plane = {name: lens[f"lens_{name}"][:, None] for name in ("kpc_per_arcsec", "critical_msun_per_kpc3")}
    halos = truncated_nfw.halos(priors.truncated_nfw, mass, shape, lens["lens_redshift"][:, None], plane)
    return points | {
        "subhalo_area": halos.mass_msun * lens["area_per_msun"][:, None],
        "subhalo_scale_arcsec": np.maximum(np.where(used, halos.scale_arcsec, 1.0), truncated_nfw.MIN_SCALE_ARCSEC),
        "subhalo_truncation_scale_radii": halos.truncation_scale_radii,
        "subhalo_m200_msun": halos.m200_msun,
        "subhalo_concentration": halos.concentration,
    }


def enclosed(q: dict[str, np.ndarray], radius: np.ndarray) -> np.ndarray:
    distance = np.hypot(q["subhalo_x_arcsec"], q["subhalo_y_arcsec"])
    if "subhalo_scale_arcsec" not in q:
        return np.sum(q["subhalo_area"], axis=1, where=distance < radius[:, None])
    area, scale, tau = (q[f"subhalo_{name}"][..., None] for name in ("area", "scale_arcsec", "truncation_scale_radii"))
    return profiles.mass_in_circle(
        lambda r: truncated_nfw.area_within(r, area, scale, tau, np), distance, radius[:, None]
    ).sum(axis=1)


def deflections(q: dict, y, x, xp: ModuleType):
    """Sum over subhalos of area(< r) * (r - r_i) / |r - r_i|^2."""
    extended = "subhalo_scale_arcsec" in q

    def add(total, sub_y, sub_x, area, *shape):
        dy, dx = y - sub_y, x - sub_x
        r2 = dy * dy + dx * dx + 1e-20
        pull = (truncated_nfw.area_within(xp.sqrt(r2), area, shape[0], shape[1], xp) if extended else area) / r2
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
        **{f"heaviest_{name}": _of_heaviest(mass, q[f"subhalo_{name}"]) for name in SHAPE if f"subhalo_{name}" in q},
    }


def _of_heaviest(mass: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The value of the heaviest subhalo of each image, [n], from values [n, slots]; 0 if there is none."""
    if not mass.shape[1]:
        return np.zeros(len(mass))
    return np.where(mass.max(axis=1) > 0, np.take_along_axis(values, mass.argmax(axis=1)[:, None], axis=1)[:, 0], 0.0)
