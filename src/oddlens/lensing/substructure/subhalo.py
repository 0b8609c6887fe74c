"""One massive subhalo, as found by gravitational imaging: a truncated isothermal sphere (pseudo-Jaffe profile).

Its projected density is proportional to 1/R - 1/sqrt(R^2 + a^2), the profile by which Vegetti et al. (2010, MNRAS 408,
1969) describe the perturber of SDSSJ0946+1006. The mass inside R is the total mass times 1 - a / (R + sqrt(R^2 + a^2)).
"""

from types import ModuleType
from typing import Annotated

import numpy as np

from oddlens.lensing import profiles
from oddlens.schema.priors import Prior, within
from oddlens.schema.section import Section


class Priors(Section):
    """Position, total mass and truncation radius of the subhalo."""

    radius_arcsec: Annotated[Prior, within(0)]
    """Distance from the centre of the lens, in arcsec."""
    angle_deg: Prior
    """Direction from the centre, in degrees, counter-clockwise from +x."""
    mass_msun: Annotated[Prior, within(0)]
    """Total mass, in solar masses."""
    truncation_arcsec: Annotated[Prior, within(1e-3)]
    """Radius at which the density steepens, in arcsec."""


def uniforms(priors: Priors, heaviest_lens_msun: float) -> int:
    return 4


def draw(priors: Priors, u: np.ndarray, lens: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    y, x = profiles.polar(priors.radius_arcsec.quantile(u[:, 0]), priors.angle_deg.quantile(u[:, 1]), np)
    return {
        "subhalo_x_arcsec": x,
        "subhalo_y_arcsec": y,
        "subhalo_area": priors.mass_msun.quantile(u[:, 2]) * lens["area_per_msun"],
        "subhalo_truncation_arcsec": priors.truncation_arcsec.quantile(u[:, 3]),
    }


def _area(r, area, truncation, xp: ModuleType):
    return area * (1 - truncation / (r + xp.sqrt(r * r + truncation * truncation)))


def enclosed(q: dict[str, np.ndarray], radius: np.ndarray) -> np.ndarray:
    area, truncation = q["subhalo_area"][:, None], q["subhalo_truncation_arcsec"][:, None]
    distance = np.hypot(q["subhalo_x_arcsec"], q["subhalo_y_arcsec"])
    return profiles.mass_in_circle(lambda r: _area(r, area, truncation, np), distance, radius)


def deflections(q: dict, y, x, xp: ModuleType):
    dy, dx = y - q["subhalo_y_arcsec"], x - q["subhalo_x_arcsec"]
    r = xp.sqrt(dy * dy + dx * dx + 1e-12)
    pull = _area(r, q["subhalo_area"], q["subhalo_truncation_arcsec"], xp) / (r * r)
    return pull * dy, pull * dx


def truth(q: dict[str, np.ndarray], lens: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    mass = q["subhalo_area"] / lens["area_per_msun"]
    return {
        "substructure_mass_msun": mass,
        "heaviest_mass_msun": mass,
        "heaviest_y_arcsec": q["subhalo_y_arcsec"],
        "heaviest_x_arcsec": q["subhalo_x_arcsec"],
        "subhalo_number": np.ones(len(mass)),
    }
