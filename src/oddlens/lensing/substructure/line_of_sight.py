"""One halo on the line of sight, in front of the lens or behind it: a truncated NFW halo in a plane of its own.

Rays are traced through both planes (`two_planes.py`). The position of the halo is where it is seen. The lens gives up
the mass by which the halo widens its ring on average, to first order.
"""

from types import ModuleType
from typing import Annotated

import numpy as np

from oddlens.lensing import profiles, truncated_nfw, two_planes
from oddlens.lensing.cosmology import planes
from oddlens.lensing.single_halo import Place, nfw_columns, nfw_truth, nfw_within
from oddlens.lensing.truncated_nfw import TruncatedNfw
from oddlens.schema.priors import Prior, within

KIND = "perturber"


class Priors(Place):
    """Place, redshift, mass and profile of the halo."""

    redshift: Annotated[Prior, within(1e-3)]
    """Redshift of the halo, below that of the source."""
    mass_msun: Annotated[Prior, within(0)]
    """Mass, in solar masses, as `truncated_nfw.mass` says."""
    truncated_nfw: TruncatedNfw
    """Profile of the halo."""


def uniforms(priors: Priors, heaviest_lens_msun: float) -> int:
    return 6


def draw(priors: Priors, u: np.ndarray, lens: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    y, x = priors.positions(u[:, :2], lens)
    z = priors.redshift.quantile(u[:, 5])
    behind = np.flatnonzero(z >= lens["source_redshift"])
    if len(behind):
        raise ValueError(
            f"substructure.line_of_sight.redshift is {z[behind[0]]:g} and that of the source "
            f"{lens['source_redshift'][behind[0]]:g}: the halo must be in front of the source"
        )
    plane = {name.removeprefix("lens_"): column for name, column in planes(z, lens["source_redshift"]).items()}
    halos = truncated_nfw.halos(priors.truncated_nfw, priors.mass_msun.quantile(u[:, 2]), u[:, 3:5], z, plane)
    return {
        f"{KIND}_x_arcsec": x,
        f"{KIND}_y_arcsec": y,
        f"{KIND}_redshift": z,
        f"{KIND}_area_per_msun": plane["area_per_msun"],
        **nfw_columns(KIND, halos, plane["area_per_msun"]),
        **two_planes.couplings(z, lens),
    }


def enclosed(q: dict[str, np.ndarray], radius: np.ndarray) -> np.ndarray:
    return _in_circle(q, np.hypot(*seen_at(q)), radius)


def replaced(q: dict[str, np.ndarray], b: np.ndarray) -> np.ndarray:
    """The area by which the halo widens a ring of radius b (arcsec, [n]), for a round isothermal lens.

    The rays of the ring cross the plane of a halo behind the lens on a circle of radius (1 - c) b, and the ray that
    points at the halo at a distance that is smaller by c b. The mean deflection there is the enclosed area over
    (1 - c) b. A halo in front changes the deflection of the lens by no radial part on average.
    """
    c = q[two_planes.BEHIND]
    return _in_circle(q, np.abs(np.hypot(*seen_at(q)) - c * b), (1 - c) * b) / (1 - c)


def _in_circle(q: dict[str, np.ndarray], distance: np.ndarray, radius: np.ndarray) -> np.ndarray:
    wide = {name: column[:, None] for name, column in q.items()}
    return profiles.mass_in_circle(lambda r: nfw_within(KIND, wide, r, np), distance, radius)


def deflections(q: dict, y, x, xp: ModuleType):
    """Deflections in the plane of the halo, if it lay where it is seen."""
    dy, dx = y - q[f"{KIND}_y_arcsec"], x - q[f"{KIND}_x_arcsec"]
    r = xp.sqrt(dy * dy + dx * dx + 1e-12)
    pull = nfw_within(KIND, q, r, xp) / (r * r)
    return pull * dy, pull * dx


def redshift(q: dict) -> float:
    """The redshift of the halo of one image."""
    return float(q[f"{KIND}_redshift"])


def seen_at(q: dict) -> tuple:
    """Where the centre of the halo is seen, (y, x)."""
    return q[f"{KIND}_y_arcsec"], q[f"{KIND}_x_arcsec"]


def truth(q: dict[str, np.ndarray], lens: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    mass = q[f"{KIND}_area"] / q[f"{KIND}_area_per_msun"]
    return {
        "substructure_mass_msun": mass,
        "heaviest_mass_msun": mass,
        "heaviest_y_arcsec": q[f"{KIND}_y_arcsec"],
        "heaviest_x_arcsec": q[f"{KIND}_x_arcsec"],
        "heaviest_redshift": q[f"{KIND}_redshift"],
        "subhalo_number": np.ones(len(mass)),
        **nfw_truth(KIND, q),
    }
