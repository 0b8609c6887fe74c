"""One massive subhalo, as found by gravitational imaging: a truncated isothermal sphere, or a truncated NFW halo.

The projected density of the first (pseudo-Jaffe) is proportional to 1/R - 1/sqrt(R^2 + a^2), the profile by which
Vegetti et al. (2010, MNRAS 408, 1969) describe the perturber of SDSSJ0946+1006. The mass inside R is the total mass
times 1 - a / (R + sqrt(R^2 + a^2)). The second is described in `truncated_nfw.py`.
"""

from types import ModuleType
from typing import Annotated

import numpy as np
from pydantic import model_validator

from oddlens.lensing import profiles, truncated_nfw
from oddlens.lensing.single_halo import Place, nfw_columns, nfw_truth, nfw_within
from oddlens.lensing.truncated_nfw import TruncatedNfw
from oddlens.schema.priors import Prior, within


class Priors(Place):
    """Position, mass and profile of the subhalo."""

    mass_msun: Annotated[Prior, within(0)]
    """Total mass, in solar masses; of a truncated NFW halo as its `mass` says."""
    truncation_arcsec: Annotated[Prior, within(1e-3)] | None = None
    """Radius at which the density of the isothermal sphere steepens, in arcsec. Give either this or `truncated_nfw`."""
    truncated_nfw: TruncatedNfw | None = None
    """Instead: a truncated NFW halo."""

    @model_validator(mode="after")
    def _one_profile(self) -> "Priors":
        if (self.truncation_arcsec is None) == (self.truncated_nfw is None):
            raise ValueError("give truncation_arcsec or truncated_nfw, one of them; remove that of a preset with null")
        return self


def uniforms(priors: Priors, heaviest_lens_msun: float) -> int:
    return 4 if priors.truncated_nfw is None else 5


def draw(priors: Priors, u: np.ndarray, lens: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    y, x = priors.positions(u[:, :2], lens)
    place, mass = {"subhalo_x_arcsec": x, "subhalo_y_arcsec": y}, priors.mass_msun.quantile(u[:, 2])
    if priors.truncated_nfw is not None:
        halos = truncated_nfw.halos(
            priors.truncated_nfw,
            mass,
            u[:, 3:],
            lens["lens_redshift"],
            {name: lens[f"lens_{name}"] for name in ("kpc_per_arcsec", "critical_msun_per_kpc3")},
        )
        return place | nfw_columns("subhalo", halos, lens["area_per_msun"])
    assert priors.truncation_arcsec is not None  # as validated
    return place | {
        "subhalo_area": mass * lens["area_per_msun"],
        "subhalo_truncation_arcsec": priors.truncation_arcsec.quantile(u[:, 3]),
    }


def _within(r, q: dict, xp: ModuleType):
    """The area within a distance r of the centre; with more axes than the parameters in NumPy."""
    if "subhalo_truncation_arcsec" not in q:
        return nfw_within("subhalo", q, r, xp)
    truncation = q["subhalo_truncation_arcsec"]
    return q["subhalo_area"] * (1 - truncation / (r + xp.sqrt(r * r + truncation * truncation)))


def enclosed(q: dict[str, np.ndarray], radius: np.ndarray) -> np.ndarray:
    distance = np.hypot(q["subhalo_x_arcsec"], q["subhalo_y_arcsec"])
    wide = {name: column[:, None] for name, column in q.items()}
    return profiles.mass_in_circle(lambda r: _within(r, wide, np), distance, radius)


def deflections(q: dict, y, x, xp: ModuleType):
    dy, dx = y - q["subhalo_y_arcsec"], x - q["subhalo_x_arcsec"]
    r = xp.sqrt(dy * dy + dx * dx + 1e-12)
    pull = _within(r, q, xp) / (r * r)
    return pull * dy, pull * dx


def truth(q: dict[str, np.ndarray], lens: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    mass = q["subhalo_area"] / lens["area_per_msun"]
    return {
        "substructure_mass_msun": mass,
        "heaviest_mass_msun": mass,
        "heaviest_y_arcsec": q["subhalo_y_arcsec"],
        "heaviest_x_arcsec": q["subhalo_x_arcsec"],
        "subhalo_number": np.ones(len(mass)),
        **nfw_truth("subhalo", q),
    }
