"""Subhalos of cold dark matter as point masses.

After Table I of Alexander et al. (arXiv:2008.12731): a Poisson number of points, uniform in radius (so their mean
surface density falls as 1/r, like that of the isothermal halo which they replace) and in angle, with masses from a
power law dN/dm ~ m^exponent.
"""

from types import ModuleType
from typing import Annotated

import numpy as np

from oddlens.priors import Prior, within
from oddlens.section import Section

_FAR_ARCSEC = 50.0  # unused slots lie here: they have no mass, and the distance avoids 0/0
_NEGLIGIBLE = 1e-6  # chance that a lens would have had more subhalos than there are slots


class Priors(Section):
    """How many subhalos, where, and how heavy."""

    number: Annotated[Prior, within(0)]
    radius_arcsec: Annotated[Prior, within(0)]
    angle_deg: Prior
    mass_msun: Annotated[Prior, within(0)]


def _slots(priors: Priors) -> int:
    return int(np.ceil(priors.number.quantile(np.array(1 - _NEGLIGIBLE))))


def uniforms(priors: Priors) -> int:
    return 1 + 3 * _slots(priors)


def draw(priors: Priors, u: np.ndarray, lens: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    number = np.round(priors.number.quantile(u[:, :1]))  # [n, 1]
    u = u[:, 1:].reshape(len(u), _slots(priors), 3)  # slots last drawn are the ones dropped
    there = np.arange(u.shape[1]) < number  # [n, slots]
    radius = np.where(there, priors.radius_arcsec.quantile(u[..., 0]), _FAR_ARCSEC)
    angle = np.deg2rad(priors.angle_deg.quantile(u[..., 1]))
    mass = np.where(there, priors.mass_msun.quantile(u[..., 2]), 0.0)
    return {
        "subhalo_x_arcsec": radius * np.cos(angle),
        "subhalo_y_arcsec": radius * np.sin(angle),
        "subhalo_area": mass * lens["area_per_msun"][:, None],
    }


def enclosed(q: dict[str, np.ndarray], radius: np.ndarray) -> np.ndarray:
    inside = np.hypot(q["subhalo_x_arcsec"], q["subhalo_y_arcsec"]) < radius[:, None]
    return np.sum(q["subhalo_area"], axis=1, where=inside)


def deflections(q: dict, y, x, xp: ModuleType):
    """Sum over points of area * (r - r_i) / |r - r_i|^2."""

    def add(total, subhalo):
        sub_y, sub_x, area = subhalo
        dy, dx = y - sub_y, x - sub_x
        pull = area / (dy * dy + dx * dx + 1e-20)
        return (total[0] + pull * dy, total[1] + pull * dx), None

    total, subhalos = (0.0 * y, 0.0 * x), (q["subhalo_y_arcsec"], q["subhalo_x_arcsec"], q["subhalo_area"])
    if xp is np:
        for subhalo in zip(*subhalos, strict=True):
            total, _ = add(total, subhalo)
        return total
    import jax

    return jax.lax.scan(add, total, subhalos, unroll=8)[0]


def truth(q: dict[str, np.ndarray], lens: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    mass = q["subhalo_area"] / lens["area_per_msun"][:, None]
    return {
        "subhalo_number": np.sum(mass > 0, axis=1),
        "substructure_mass_msun": mass.sum(axis=1),
        "heaviest_mass_msun": mass.max(axis=1, initial=0.0),
    }
