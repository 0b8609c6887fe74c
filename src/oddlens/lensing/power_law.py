"""Halos whose density falls as a power of the radius, as pure functions of arrays in NumPy, JAX or PyTorch (`xp`).

`slope` is that of the density in space, rho ~ r^-slope; 2 is isothermal. Conventions are those of `profiles.py`: with
the elliptical radius R^2 = q u^2 + v^2 / q,

    kappa = (3 - slope) / 2 (b / R)^(slope - 1)

so the ellipse R = b contains the mass pi b^2 for every axis ratio q and slope. `tests/lensing/test_power_law.py`
compares each function with PyAutoLens and lenstronomy.
"""

from types import ModuleType

import numpy as np
from scipy import special

from oddlens.lensing.profiles import TINY, rotated, waves

MIN_SLOPE, MAX_SLOPE = 1.2, 2.8
"""The range of slopes. A sheet of constant density has the slope 1, and a point mass the slope 3."""
TERMS = 40
"""Terms of the series of an ellipsoid: for the axis ratio 0.2 the sum of the others is below 1e-8 of the deflection."""


def terms_for(axis_ratio: float, tolerance: float) -> int:
    """The number of terms of the series of an ellipsoid after which its remainder is below a relative `tolerance`."""
    f = (1 - axis_ratio) / (1 + axis_ratio)
    return 1 if f < tolerance else int(np.ceil(np.log(tolerance * (1 - f)) / np.log(f)))


def sphere(y, x, b, slope, xp: ModuleType):
    """Spherical halo: a deflection of size b (b / r)^(slope - 2) towards the centre."""
    squared = y * y + x * x + TINY
    pull = xp.exp((slope - 1) * (xp.log(b) - 0.5 * xp.log(squared)))
    return pull * y, pull * x


def ellipsoid(y, x, b, q, angle, slope, xp: ModuleType, terms: int = TERMS):
    """Elliptical halo (Tessore & Metcalf 2015, A&A 580, A79, their t is slope - 1).

    With r exp(i phi) = q u + i v and z = -(1 - q) / (1 + q) exp(2 i phi), the deflection in the frame of the ellipse is

        alpha_u + i alpha_v = 2 b sqrt(q) / (1 + q) (b sqrt(q) / r)^(slope - 2) exp(i phi) F(z)
        F = sum_n a_n z^n,    a_n = (2 n + slope - 3) / (2 n - slope + 3) a_(n-1),    a_0 = 1

    Args:
        terms: after which the series ends; see `terms_for`.
    """
    v, u = rotated(y, x, angle, xp)
    u = q * u
    squared = u * u + v * v + TINY
    scale = 1 / xp.sqrt(squared)
    c, s = scale * u, scale * v
    f = (1 - q) / (1 + q)
    re, im = series(coefficients(slope, terms), f * (s - c) * (s + c), -2 * f * c * s, f * f)
    power = xp.exp((slope - 2) * (xp.log(b) + 0.5 * xp.log(q) - 0.5 * xp.log(squared)))
    strength = 2 * b * xp.sqrt(q) / (1 + q) * power
    return rotated(strength * (c * im + s * re), strength * (c * re - s * im), -angle, xp)


def coefficients(slope, terms: int) -> list:
    """a_0 ... a_terms of the series of an ellipsoid."""
    found = [1 + 0 * slope]
    for n in range(1, terms + 1):
        found.append((2 * n + slope - 3) / (2 * n - slope + 3) * found[-1])
    return found


def series(coefficients: list, z_re, z_im, size):
    """Real and imaginary part of sum_n a_n z^n with real coefficients; `size` is |z|^2.

    Knuth's recurrence takes half the operations of Horner's (The Art of Computer Programming 2, section 4.6.4).
    """
    later, last, twice = 0.0, coefficients[-1], 2 * z_re
    for a in coefficients[-2:0:-1]:
        later, last = last, (a - size * later) + twice * last
    return coefficients[0] - size * later + z_re * last, z_im * last


def multipole(y, x, order: int, b, strength, angle, slope, xp: ModuleType):
    """Multipole of order m, which has no mass inside circles and deforms contours to r ~ 1 + k cos(m (phi - phi_m)).

    It has kappa = w / 2 (b / r)^(slope - 1) k cos(m (phi - phi_m)) with w = (3 - slope) (slope - 1), which is 1 for an
    isothermal halo: a contour of a steep halo moves less for the same change of density. (In PyAutoLens the amplitude
    is w k.) The potential is r^(3 - slope) F(phi), so alpha_r = (3 - slope) r^(2 - slope) F and alpha_phi =
    r^(2 - slope) F'.
    """
    radial, tangential = multipole_waves(y, x, order, angle, xp)
    by_radial, by_tangential = multipole_factors(order, slope)
    size = b * strength * xp.exp((slope - 2) * (xp.log(b) - 0.5 * xp.log(x * x + y * y + TINY)))
    return tuple(size * (by_radial * r + by_tangential * t) for r, t in zip(radial, tangential, strict=True))


def multipole_waves(y, x, order: int, angle, xp: ModuleType):
    """cos(m (phi - phi_m)) times the radial, and sin(m (phi - phi_m)) times the tangential unit vector, (y, x) each."""
    wave, slant, c, s = waves(y, x, order, angle, xp)
    return (wave * s, wave * c), (slant * c, -slant * s)


def multipole_factors(order: int, slope):
    """The deflection by a multipole along its `multipole_waves`, over b k (b / r)^(slope - 2)."""
    size = (3 - slope) * (slope - 1) / ((3 - slope) ** 2 - order**2)
    return (3 - slope) * size, -order * size


def mass_in_circle(axis_ratio: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """The mass of an ellipsoid inside the circle of its Einstein radius, relative to that of a sphere.

    It is the mean over the angle of (q cos^2 + sin^2 / q)^((1 - slope) / 2), a hypergeometric function.
    """
    t = slope - 1
    return axis_ratio ** (t / 2) * special.hyp2f1(t / 2, 0.5, 1, 1 - axis_ratio**2)
