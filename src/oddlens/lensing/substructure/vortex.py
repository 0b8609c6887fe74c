"""A vortex of superfluid dark matter as a uniform line of mass.

After Table I of Alexander et al. (arXiv:2008.12731). The code of the papers uses a chain of point masses; this is the
closed form of the line, softened by s. In a frame with x along the line, let L be half its length, u+- = x +- L,
w^2 = y^2 + s^2, and A its mass as an area (Einstein radius squared):

    alpha_x = A / (4 L) ln[(u+^2 + w^2) / (u-^2 + w^2)]
    alpha_y = A / (2 L) (y / w) [atan(u+ / w) - atan(u- / w)]

This follows from integrating the softened point mass A/(2L) (r - r') / (|r - r'|^2 + s^2) along the line.

The length is sampled from a prior, or is the de Broglie wavelength of an axion whose mass is sampled (as in
DeepLenseSim). It is then inversely proportional to the mass.
"""

from types import ModuleType
from typing import Annotated

import numpy as np
from pydantic import model_validator

from oddlens.schema.priors import Prior, within
from oddlens.schema.section import Section


class Priors(Section):
    """Where the vortex lies, how long it is, and which part of the lens mass it holds.

    Its length is given by `length_arcsec`, or by `axion_mass_ev` and the length for an axion of 1e-22 eV.
    """

    x_arcsec: Prior
    """Centre of the line of mass along x, in arcsec."""
    y_arcsec: Prior
    """Centre of the line of mass along y, in arcsec."""
    length_arcsec: Annotated[Prior, within(1e-3)] | None = None
    """Full length. Give either this or `axion_mass_ev` and `length_at_1e22_ev_arcsec`."""
    axion_mass_ev: Annotated[Prior, within(1e-30)] | None = None
    """Mass of the axion in eV: the length is `length_at_1e22_ev_arcsec` * 1e-22 eV / this."""
    length_at_1e22_ev_arcsec: Annotated[Prior, within(1e-3)] | None = None
    """Length for an axion mass of 1e-22 eV, in arcsec."""
    angle_deg: Prior
    """Direction of the line, in degrees, counter-clockwise from +x."""
    mass_fraction: Annotated[Prior, within(0, 1)]
    """Fraction of `lens.mass_msun` in the vortex."""
    softening_arcsec: Annotated[Prior, within(1e-4)]
    """Plummer softening across the line, in arcsec."""

    @model_validator(mode="after")
    def _one_length(self) -> "Priors":
        axion = (self.axion_mass_ev is not None, self.length_at_1e22_ev_arcsec is not None)
        if axion != (self.length_arcsec is None,) * 2:
            raise ValueError(
                "the length needs either length_arcsec, or axion_mass_ev and length_at_1e22_ev_arcsec; "
                "remove what a preset gives with null"
            )
        return self


def uniforms(priors: Priors, heaviest_lens_msun: float) -> int:
    return 7


def draw(priors: Priors, u: np.ndarray, lens: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    if priors.length_arcsec is not None:
        length = {"vortex_length_arcsec": priors.length_arcsec.quantile(u[:, 2])}
    else:
        assert priors.axion_mass_ev is not None  # as validated
        assert priors.length_at_1e22_ev_arcsec is not None
        axion = priors.axion_mass_ev.quantile(u[:, 2])
        length = {
            "vortex_length_arcsec": priors.length_at_1e22_ev_arcsec.quantile(u[:, 6]) * 1e-22 / axion,
            "axion_mass_1e22_ev": axion / 1e-22,  # float32 would hold the mass itself as zero
        }
    return {
        **length,
        "vortex_x_arcsec": priors.x_arcsec.quantile(u[:, 0]),
        "vortex_y_arcsec": priors.y_arcsec.quantile(u[:, 1]),
        "vortex_angle_deg": priors.angle_deg.quantile(u[:, 3]),
        "vortex_area": priors.mass_fraction.quantile(u[:, 4]) * lens["area"],
        "vortex_softening_arcsec": priors.softening_arcsec.quantile(u[:, 5]),
    }


def enclosed(q: dict[str, np.ndarray], radius: np.ndarray) -> np.ndarray:
    """The part of the (unsoftened) line inside the circle times its mass."""
    angle = np.deg2rad(q["vortex_angle_deg"])
    along = q["vortex_x_arcsec"] * np.cos(angle) + q["vortex_y_arcsec"] * np.sin(angle)
    across = -q["vortex_x_arcsec"] * np.sin(angle) + q["vortex_y_arcsec"] * np.cos(angle)
    half_chord = np.sqrt(np.maximum(radius**2 - across**2, 0.0))
    half = q["vortex_length_arcsec"] / 2
    inside = np.minimum(along + half, half_chord) - np.maximum(along - half, -half_chord)
    return q["vortex_area"] * np.clip(inside, 0.0, None) / q["vortex_length_arcsec"]


def deflections(q: dict, y, x, xp: ModuleType):
    angle = xp.deg2rad(q["vortex_angle_deg"])
    c, s = xp.cos(angle), xp.sin(angle)
    dx, dy = x - q["vortex_x_arcsec"], y - q["vortex_y_arcsec"]
    dx, dy = c * dx + s * dy, -s * dx + c * dy
    half = q["vortex_length_arcsec"] / 2
    w2 = dy * dy + q["vortex_softening_arcsec"] ** 2
    w, plus, minus = xp.sqrt(w2), dx + half, dx - half
    along = q["vortex_area"] / (4 * half) * xp.log((plus * plus + w2) / (minus * minus + w2))
    # atan(u+ / w) - atan(u- / w) in one call
    across = q["vortex_area"] / (2 * half) * (dy / w) * xp.arctan2(2 * half * w, w2 + plus * minus)
    return s * along + c * across, c * along - s * across


def truth(q: dict[str, np.ndarray], lens: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    mass = q["vortex_area"] / lens["area_per_msun"]
    derived = {"substructure_mass_msun": mass, "heaviest_mass_msun": mass}
    derived |= {f"heaviest_{axis}_arcsec": q[f"vortex_{axis}_arcsec"] for axis in "yx"}  # of its middle
    return derived | {name: q[name] for name in ("vortex_length_arcsec", "axion_mass_1e22_ev") if name in q}
