"""Conversion of redshifts and solar masses to angles, in flat LCDM (H0 = 70 km/s/Mpc, Om = 0.3).

Distances are angular-diameter distances. The simulators of the 2019-2021 papers used luminosity distances, which makes
their Einstein radius of 1e12 solar masses at z = 0.5/1.0 23 % smaller (1.28 instead of 1.66 arcsec).
"""

import numpy as np
from astropy import constants
from astropy import units as u
from astropy.cosmology import FlatLambdaCDM

COSMOLOGY = FlatLambdaCDM(H0=70, Om0=0.3)


def coupling(z_near: np.ndarray, z_far: np.ndarray, z_source: np.ndarray) -> np.ndarray:
    """D_12 D_s / (D_2 D_1s) of two planes in front of a source, [n]."""
    d_far, d_source = (COSMOLOGY.angular_diameter_distance(z) for z in (z_far, z_source))
    between, to_source = (COSMOLOGY.angular_diameter_distance(z_near, z) for z in (z_far, z_source))
    return (between * d_source / (d_far * to_source)).to_value(u.dimensionless_unscaled)


def planes(z_lens: np.ndarray, z_source: np.ndarray) -> dict[str, np.ndarray]:
    """Quantities that the redshifts [n] of lens and source determine, arrays [n].

    area_per_msun                       Einstein radius squared of a point of one solar mass, arcsec^2:
                                        4 G M_sun / c^2 * D_ls / (D_l D_s)
    lens_kpc_per_arcsec                 the scale in the lens plane
    lens_critical_msun_per_kpc3         the critical density of the universe at the lens
    """
    # Lenses of a data set with fixed redshifts share them: each pair is integrated once.
    pairs, where = np.unique(np.stack([z_lens, z_source]), axis=1, return_inverse=True)
    d_l, d_s = (COSMOLOGY.angular_diameter_distance(z) for z in pairs)
    d_ls = COSMOLOGY.angular_diameter_distance(*pairs)
    area = 4 * constants.G * constants.M_sun / constants.c**2 * d_ls / (d_l * d_s)
    found = {
        "area_per_msun": area.to_value(u.dimensionless_unscaled) * u.rad.to(u.arcsec) ** 2,
        "lens_kpc_per_arcsec": d_l.to_value(u.kpc) * u.arcsec.to(u.rad),
        "lens_critical_msun_per_kpc3": COSMOLOGY.critical_density(pairs[0]).to_value(u.M_sun / u.kpc**3),
    }
    return {name: values[where.ravel()] for name, values in found.items()}
