"""A lens and one further plane of mass, in front of it or behind it.

A ray that is seen at theta crosses the near plane there, and the far plane at theta - c alpha_near(theta), where the
coupling c = D_12 D_s / (D_2 D_1s) of both planes is 0 if they coincide and 1 if the far one is that of the source.
Deflections are scaled to the source, so that its position is theta less their sum (Schneider, Ehlers & Falco 1992,
section 9.1). This is exact: the only approximation is that each plane is thin.

Lens and mass are placed where their centres are seen: a mass behind the lens lies where the ray of that place crosses
its plane, and a lens behind a mass where the ray of the centre of the image does.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from oddlens.lensing.cosmology import coupling

BEHIND, IN_FRONT = "coupling_behind", "coupling_in_front"
"""Columns of substructure: the coupling of a mass behind the lens, or in front of it. One of them is 0."""
Field = Callable[[Any, Any], tuple[Any, Any]]
"""Deflections (alpha_y, alpha_x) at positions (y, x)."""


def couplings(redshift: np.ndarray, lens: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The columns of masses at redshifts [n]."""
    z_lens, z_source = lens["lens_redshift"], lens["source_redshift"]
    value = coupling(np.minimum(redshift, z_lens), np.maximum(redshift, z_lens), z_source)
    return {BEHIND: np.where(redshift > z_lens, value, 0.0), IN_FRONT: np.where(redshift < z_lens, value, 0.0)}


def in_plane_of_mass(mass: Field, q: dict) -> Field:
    """Deflections of the further mass by positions in its plane: of a mass in front, without that of the centre.

    That uniform part moves lens and source alike, which nobody can see. Without it, the lens is seen at the centre.
    """

    def field(y, x):
        (own_y, own_x), (centre_y, centre_x) = mass(y, x), mass(0.0, 0.0)
        in_front = q[IN_FRONT] > 0
        return own_y - in_front * centre_y, own_x - in_front * centre_x

    return field


def deflections(lens: Field, mass: Field, q: dict, centre: tuple, y, x) -> tuple:
    """Sum of both deflections at positions in the image plane.

    Args:
        lens: of the lens alone.
        mass: of the further mass, in its own plane, if it lay where it is seen.
        q: parameters of the mass, of one image.
        centre: where it is seen (y, x).
    """
    main_y, main_x = lens(y, x)
    shift_y, shift_x = offset(lens, q, centre)
    own_y, own_x = in_plane_of_mass(mass, q)(y - q[BEHIND] * main_y + shift_y, x - q[BEHIND] * main_x + shift_x)
    main_y, main_x = lens(y - q[IN_FRONT] * own_y, x - q[IN_FRONT] * own_x)
    return main_y + own_y, main_x + own_x


def in_plane_of_lens(mass: Field, q: dict, y, x) -> tuple:
    """Where rays cross the plane of the lens, (y, x)."""
    own_y, own_x = in_plane_of_mass(mass, q)(y, x)
    return y - q[IN_FRONT] * own_y, x - q[IN_FRONT] * own_x


def offset(lens: Field, q: dict, centre: tuple) -> tuple:
    """From the place of the mass in its own plane to where it is seen, (y, x)."""
    at_y, at_x = lens(*centre)
    return q[BEHIND] * at_y, q[BEHIND] * at_x
