"""What classes with one halo have in common: its place, and the columns of a truncated NFW halo."""

from types import ModuleType
from typing import Annotated

import numpy as np
from pydantic import model_validator

from oddlens.lensing import profiles
from oddlens.lensing.truncated_nfw import MIN_SCALE_ARCSEC, SHAPE, Halos, area_within
from oddlens.schema.priors import Prior, within
from oddlens.schema.section import Section

Columns = dict[str, np.ndarray]


class Place(Section):
    """Where a halo is."""

    radius_arcsec: Annotated[Prior, within(0)] | None = None
    """Distance from the centre of the lens, in arcsec. Give either this or `radius_ratio`."""
    radius_ratio: Annotated[Prior, within(0)] | None = None
    """Instead: the distance over the Einstein radius of the lens."""
    angle_deg: Prior
    """Direction from the centre, in degrees, counter-clockwise from +x."""

    @model_validator(mode="after")
    def _one_radius(self) -> "Place":
        if (self.radius_arcsec is None) == (self.radius_ratio is None):
            raise ValueError("give radius_arcsec or radius_ratio, one of them; remove the key of a preset with null")
        return self

    def positions(self, u: np.ndarray, lens: Columns) -> tuple[np.ndarray, np.ndarray]:
        """Positions (y, x) from uniform numbers [n, 2]."""
        if self.radius_arcsec is not None:
            radius = self.radius_arcsec.quantile(u[:, 0])
        else:
            assert self.radius_ratio is not None  # as validated
            radius = self.radius_ratio.quantile(u[:, 0]) * lens["einstein_radius_arcsec"]
        return profiles.polar(radius, self.angle_deg.quantile(u[:, 1]), np)


def nfw_columns(kind: str, halos: Halos, area_per_msun: np.ndarray) -> Columns:
    """The parameters of truncated NFW halos, one for each image, under names that begin with `kind`."""
    return {
        f"{kind}_area": halos.mass_msun * area_per_msun,
        f"{kind}_scale_arcsec": np.maximum(halos.scale_arcsec, MIN_SCALE_ARCSEC),
        **{f"{kind}_{name}": getattr(halos, name) for name in SHAPE},
    }


def nfw_within(kind: str, q: dict, r, xp: ModuleType):
    """The area of truncated NFW halos within a distance r of their centres."""
    area, scale, tau = (q[f"{kind}_{name}"] for name in ("area", "scale_arcsec", "truncation_scale_radii"))
    return area_within(r, area, scale, tau, xp)


def nfw_truth(kind: str, q: Columns) -> Columns:
    """The properties of truncated NFW halos in the truth table; none of other halos."""
    return {f"heaviest_{name}": q[f"{kind}_{name}"] for name in SHAPE if f"{kind}_{name}" in q}
