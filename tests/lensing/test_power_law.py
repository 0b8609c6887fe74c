"""Power-law halos and their multipoles against PyAutoLens, lenstronomy, isothermal halos and their surface density."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.Util.param_util import phi_q2_ellipticity
from scipy import integrate

from oddlens.lensing import halo_model, power_law, profiles
from oddlens.lensing.reference import al

RAYS = np.random.default_rng(1).uniform(-3, 3, (2, 500))
RAYS = RAYS[:, np.hypot(*RAYS) > 0.1]
SHAPES = [(q, slope) for q in (0.2, 0.5, 0.78, 0.99) for slope in (1.3, 1.9, 2.0, 2.5)]
B, ANGLE = 1.3, 0.4


def ellipsoid(q, slope, y=RAYS[0], x=RAYS[1], **terms):
    return np.array(power_law.ellipsoid(y, x, B, q, ANGLE, slope, np, **terms))


def autolens(profile):
    return np.asarray(profile.deflections_yx_2d_from(grid=al.Grid2DIrregular(RAYS.T))).T


def lenstronomy(name, **parameters):
    return LensModel([name]).alpha(RAYS[1], RAYS[0], [parameters])[::-1]


# --- against PyAutoLens and lenstronomy ------------------------------------------------------------------------------


@pytest.mark.parametrize(("q", "slope"), SHAPES)
def test_an_ellipsoid_deflects_as_both_codes_say(q, slope):
    f = (1 - q) / (1 + q)
    theirs = al.mp.PowerLaw(
        ell_comps=(f * np.sin(2 * ANGLE), f * np.cos(2 * ANGLE)),
        einstein_radius=B / np.sqrt(q) * ((1 + q) / 2) ** (1 / (slope - 1)),
        slope=slope,
    )
    np.testing.assert_allclose(ellipsoid(q, slope), autolens(theirs), atol=1e-7)
    e1, e2 = phi_q2_ellipticity(ANGLE, q)
    np.testing.assert_allclose(ellipsoid(q, slope), lenstronomy("EPL", theta_E=B, gamma=slope, e1=e1, e2=e2), atol=1e-7)


@pytest.mark.parametrize("slope", [1.3, 2.0, 2.5])
def test_a_sphere_deflects_as_both_codes_say(slope):
    ours = power_law.sphere(*RAYS, B, slope, np)
    np.testing.assert_allclose(ours, autolens(al.mp.PowerLawSph(einstein_radius=B, slope=slope)), atol=1e-9)
    np.testing.assert_allclose(ours, lenstronomy("SPP", theta_E=B, gamma=slope), atol=1e-9)


@pytest.mark.parametrize("m", [3, 4])
@pytest.mark.parametrize("slope", [1.3, 2.0, 2.5])
def test_a_multipole_deflects_as_pyautolens_says(m, slope):
    """PyAutoLens's amplitude is that of the density, not that of its contours."""
    amplitude = 0.05 * (3 - slope) * (slope - 1)
    comps = (amplitude * np.sin(m * 0.3), amplitude * np.cos(m * 0.3))
    theirs = al.mp.PowerLawMultipole(m=m, einstein_radius=B, slope=slope, multipole_comps=comps)
    np.testing.assert_allclose(power_law.multipole(*RAYS, m, B, 0.05, 0.3, slope, np), autolens(theirs), atol=1e-10)


# --- isothermal and round halos --------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [0.2, 0.5, 0.78, 0.99])
def test_slope_2_is_isothermal_and_its_neighbours_are_near(q):
    isothermal = np.array(profiles.isothermal_ellipsoid(*RAYS, B, q, ANGLE, np))
    np.testing.assert_allclose(ellipsoid(q, 2.0), isothermal, atol=1e-8)
    above, below = ellipsoid(q, 2 + 1e-5), ellipsoid(q, 2 - 1e-5)
    np.testing.assert_allclose((above + below) / 2, isothermal, atol=1e-8)
    assert 1e-6 < np.abs(above - below).max() < 1e-4


@pytest.mark.parametrize("m", [3, 4])
def test_a_multipole_of_slope_2_is_isothermal(m):
    np.testing.assert_allclose(
        power_law.multipole(*RAYS, m, B, 0.05, 0.3, 2.0, np), profiles.multipole(*RAYS, m, B, 0.05, 0.3, np), atol=1e-15
    )


@pytest.mark.parametrize("slope", [1.3, 2.0, 2.5])
@pytest.mark.parametrize("q", [1.0, 1 - 1e-9])
def test_a_round_ellipsoid_is_a_sphere(q, slope):
    np.testing.assert_allclose(ellipsoid(q, slope), power_law.sphere(*RAYS, B, slope, np), atol=1e-8)


# --- gradient, density and mass --------------------------------------------------------------------------------------


def gradients(deflections, y, x, step=1e-5):
    """d alpha_y / dy, d alpha_y / dx, d alpha_x / dy, d alpha_x / dx by central differences."""
    dy = (np.array(deflections(y + step, x)) - deflections(y - step, x)) / (2 * step)
    dx = (np.array(deflections(y, x + step)) - deflections(y, x - step)) / (2 * step)
    return dy[0], dx[0], dy[1], dx[1]


def halo_kappa(q, slope, y, x):
    v, u = profiles.rotated(y, x, ANGLE, np)
    return (3 - slope) / 2 * (B / np.sqrt(q * u**2 + v**2 / q)) ** (slope - 1)


@pytest.mark.parametrize(("q", "slope"), SHAPES)
def test_an_ellipsoid_has_its_surface_density_and_a_potential(q, slope):
    y_dy, y_dx, x_dy, x_dx = gradients(lambda y, x: ellipsoid(q, slope, y, x), *RAYS)
    np.testing.assert_allclose(y_dx, x_dy, atol=2e-5)  # of the remainder of the series, at q = 0.2
    np.testing.assert_allclose((y_dy + x_dx) / 2, halo_kappa(q, slope, *RAYS), atol=2e-5)


@pytest.mark.parametrize("m", [3, 4])
@pytest.mark.parametrize("slope", [1.3, 2.0, 2.5])
def test_contours_of_a_multipole_bulge_along_its_angle_for_every_slope(m, slope):
    phi, strength = np.linspace(0, 2 * np.pi, 361), 0.01

    def alpha(y, x):
        return np.add(
            power_law.sphere(y, x, 1.0, slope, np), power_law.multipole(y, x, m, 1.0, strength, 0.3, slope, np)
        )

    r = 1 + strength * np.cos(m * (phi - 0.3))
    y_dy, y_dx, x_dy, x_dx = gradients(alpha, r * np.sin(phi), r * np.cos(phi))
    np.testing.assert_allclose((y_dy + x_dx) / 2, (3 - slope) / 2, atol=3e-4)
    np.testing.assert_allclose(y_dx, x_dy, atol=1e-8)


@pytest.mark.parametrize(("q", "slope"), SHAPES)
def test_the_ellipse_of_the_einstein_radius_holds_the_mass_of_the_sphere(q, slope):
    phi = 2 * np.pi * (np.arange(20_000) + 0.5) / 20_000
    u, v = B / np.sqrt(q) * np.cos(phi), B * np.sqrt(q) * np.sin(phi)
    alpha_v, alpha_u = power_law.ellipsoid(v, u, B, q, 0.0, slope, np)
    outward_u, outward_v = B * np.sqrt(q) * np.cos(phi), B / np.sqrt(q) * np.sin(phi)  # normal times line element
    assert np.mean(alpha_u * outward_u + alpha_v * outward_v) == pytest.approx(B * B, rel=1e-7)


@pytest.mark.parametrize(("q", "slope"), [*SHAPES, (1.0, 2.3)])
def test_the_circled_mass_of_an_ellipsoid_is_its_integral(q, slope):
    def density(phi):
        return (q * np.cos(phi) ** 2 + np.sin(phi) ** 2 / q) ** ((1 - slope) / 2)

    expected = integrate.quad(density, 0, np.pi / 2)[0] / (np.pi / 2)
    assert power_law.mass_in_circle(np.array([q]), np.array([slope]))[0] == pytest.approx(expected, rel=1e-8)


# --- numerics --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [0.2, 0.5, 0.78, 1.0])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-6])
def test_as_many_terms_as_the_tolerance_needs(q, tolerance):
    terms = power_law.terms_for(q, tolerance)
    error = np.abs(ellipsoid(q, 2.2, terms=terms) - ellipsoid(q, 2.2, terms=200)).max()
    assert error < tolerance
    assert 1 <= terms < 60


@pytest.mark.parametrize(("q", "slope"), [*SHAPES, (1.0, 1.5)])
def test_float32_is_exact_to_a_few_roundings(q, slope):
    single = RAYS.astype(np.float32)
    exact = ellipsoid(q, slope, *single.astype(np.float64))
    numbers = [jnp.float32(value) for value in (B, q, ANGLE, slope)]
    np.testing.assert_allclose(power_law.ellipsoid(*single, *numbers, jnp), exact, atol=1e-5)


def test_torch_computes_the_same_with_its_derivative_by_the_slope():
    y, x = (torch.from_numpy(axis) for axis in RAYS)

    def deflection(slope):
        numbers = (torch.tensor(value, dtype=torch.float64) for value in (B, 0.6, ANGLE))
        return torch.stack(power_law.ellipsoid(y, x, *numbers, slope, torch))

    slope, one = (torch.tensor(value, dtype=torch.float64) for value in (2.2, 1.0))
    alpha, change = torch.func.jvp(deflection, (slope,), (one,))
    np.testing.assert_allclose(alpha, ellipsoid(0.6, 2.2), atol=1e-14)
    np.testing.assert_allclose(change, (ellipsoid(0.6, 2.2 + 1e-6) - ellipsoid(0.6, 2.2 - 1e-6)) / 2e-6, atol=1e-8)


@pytest.mark.parametrize("slope", [power_law.MIN_SLOPE, 2.0, power_law.MAX_SLOPE])
def test_nothing_diverges_at_the_centre(slope):
    zero = np.zeros(1)
    for alpha in (
        ellipsoid(0.5, slope, zero, zero),
        power_law.sphere(zero, zero, B, slope, np),
        power_law.multipole(zero, zero, 4, B, 0.05, 0.3, slope, np),
    ):
        np.testing.assert_array_equal(alpha, 0)


@pytest.mark.parametrize("slope", [1.3, 1.5, 2.0, 2.6])
def test_the_closed_derivatives_of_coefficients_and_factors_by_the_slope(slope):
    slope = torch.full((2, 1, 1), slope, dtype=torch.float64)
    values, changes = halo_model._coefficients(slope, 12)
    expected = torch.func.jvp(lambda s: power_law.coefficients(s, 12), (slope,), (torch.ones_like(slope),))
    for found, theirs in zip((values, changes), expected, strict=True):
        torch.testing.assert_close(torch.stack(found), torch.stack([part.expand(2, 1, 1) for part in theirs]))

    def factors(slope):
        each = [torch.cat(power_law.multipole_factors(m, slope), dim=1) for m in (3, 3, 4, 4)]
        return torch.stack(each, dim=1)

    halo = halo_model.PowerLaw(elliptical=True, multipoles=(3, 4), free_slope=True, terms=12)
    expected = torch.func.jvp(factors, (slope[:, 0],), (torch.ones(2, 1, dtype=torch.float64),))
    for found, theirs in zip(halo._factors(slope[:, 0]), expected, strict=True):
        torch.testing.assert_close(found, theirs)
