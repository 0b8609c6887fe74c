"""Mass and light profiles in closed form: pure functions of arrays, in NumPy, JAX or PyTorch (`xp`).

Positions and deflections are in arcsec, y up and x right. Angles are counter-clockwise from +x, in radians (in degrees
for `polar`). The axis ratio q is minor over major. An elliptical radius is R^2 = q u^2 + v^2 / q with u along the major
axis, so that the ellipse of radius R has the area pi R^2. `tests/lensing/test_profiles.py` compares each function with
PyAutoLens and lenstronomy.
"""

from collections.abc import Callable
from types import ModuleType

import numpy as np

TINY = 1e-12
"""Added to squared radii, arcsec^2: it keeps a ray through a singular centre finite."""


def polar(radius, angle_deg, xp: ModuleType):
    """y and x of a point from its distance to the origin and its direction."""
    angle = xp.deg2rad(angle_deg)
    return radius * xp.sin(angle), radius * xp.cos(angle)


def rotated(y, x, angle, xp: ModuleType):
    """Coordinates (v, u) in the frame whose u axis points along `angle`."""
    c, s = xp.cos(angle), xp.sin(angle)
    return c * y - s * x, c * x + s * y


def isothermal_sphere(y, x, b, xp: ModuleType):
    """Singular isothermal sphere, kappa = b / (2 r): a deflection of size b towards the centre."""
    pull = b / xp.sqrt(x * x + y * y + TINY)
    return pull * y, pull * x


def isothermal_ellipsoid(y, x, b, q, angle, xp: ModuleType):
    """Singular isothermal ellipsoid, kappa = b / (2 R) (Kormann, Schneider & Bartelmann 1994, A&A 284, 285).

    The ellipse R = b contains the mass pi b^2. With f = sqrt(1 - q^2) and psi^2 = q^2 u^2 + v^2,

        alpha_u = b sqrt(q) / f atan(f u / psi)        alpha_v = b sqrt(q) / f atanh(f v / psi)

    Both tend to those of the sphere as f -> 0; f is kept above 1e-3, where they differ from them by less than 1e-6.
    """
    v, u = rotated(y, x, angle, xp)
    f = xp.sqrt(xp.clip(1 - q * q, 1e-6, None))
    psi = xp.sqrt(q * q * u * u + v * v + TINY)
    strength = b * xp.sqrt(q) / f
    return rotated(strength * xp.arctanh(f * v / psi), strength * xp.arctan(f * u / psi), -angle, xp)


def shear(y, x, magnitude, angle, xp: ModuleType):
    """External shear, which stretches images along `angle`."""
    g1, g2 = magnitude * xp.cos(2 * angle), magnitude * xp.sin(2 * angle)
    return g2 * x - g1 * y, g1 * x + g2 * y


def multipole(y, x, order: int, b, strength, angle, xp: ModuleType):
    """Multipole of order m, kappa = b / (2 r) k cos(m (phi - phi_m)), which has no mass inside circles.

    It deforms the isodensity contours of an isothermal sphere to r ~ 1 + k cos(m (phi - phi_m)). The potential is
    r F(phi) with F = b k cos(m (phi - phi_m)) / (1 - m^2), so alpha_r = F and alpha_phi = F' (Chu et al. 2013, ApJ 765,
    134).
    """
    wave, slant, c1, s1 = waves(y, x, order, angle, xp)
    size = b * strength / (1 - order**2)
    radial, tangential = size * wave, -order * size * slant
    return radial * s1 + tangential * c1, radial * c1 - tangential * s1


def waves(y, x, order: int, angle, xp: ModuleType):
    """cos and sin of m (phi - phi_m), and cos and sin of phi, at positions r (cos phi, sin phi)."""
    r = xp.sqrt(x * x + y * y + TINY)
    c1, s1 = x / r, y / r
    c, s = c1, s1
    for _ in range(order - 1):  # cos and sin of m phi
        c, s = c * c1 - s * s1, s * c1 + c * s1
    cm, sm = xp.cos(order * angle), xp.sin(order * angle)
    return c * cm + s * sm, s * cm - c * sm, c1, s1


def sersic_b(index):
    """b(n) of the Sersic profile from the series of Ciotti & Bertin (1999, A&A 352, 447), as in PyAutoLens."""
    n = index
    return (
        2 * n - 1 / 3 + 4 / (405 * n) + 46 / (25515 * n**2) + 131 / (1148175 * n**3) - (2194697 / 30690717750.0) / n**4
    )


def sersic(y, x, intensity, radius, index, q, angle, xp: ModuleType):
    """Sersic profile, I exp(-b(n) [(R / R_e)^(1/n) - 1]); I is the brightness at the effective radius R_e."""
    v, u = rotated(y, x, angle, xp)
    squared = (q * u * u + v * v / q + TINY) / (radius * radius)  # (R / R_e)^2
    power = xp.exp(xp.log(squared) * (0.5 / index))  # four times as fast in XLA as a power
    return intensity * xp.exp(-sersic_b(index) * (power - 1))


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)


def mass_in_circle(enclosed: Callable, distance, radius):
    """The part of a round mass that lies inside a circle about another centre.

    By Gauss's theorem it is the mean of b alpha_r over the circle of radius b. By symmetry half of the circle suffices;
    the quadrature has more nodes near the mass.

    Args:
        enclosed: the mass (as area) within r of its own centre; r has one more axis than the other arguments.
        distance: between the centres of mass and circle.
        radius: of the circle, an array of the same shape.
    """
    t = (_NODES + 1) / 2
    angle, weight = np.pi * t * t, _WEIGHTS * t  # d angle = 2 pi t dt, dt = half the Gauss weight, over pi
    b, d = np.asarray(radius)[..., None], np.asarray(distance)[..., None]
    along = b - d * np.cos(angle)
    r2 = along**2 + (d * np.sin(angle)) ** 2 + TINY
    return np.sum(weight * enclosed(np.sqrt(r2)) * b * along / r2, axis=-1)
