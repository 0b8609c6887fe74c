"""Halos in a plane of their own."""

import numpy as np
import pytest
from lenstronomy.LensModel.lens_model import LensModel

from oddlens.config.presets import preset_simulation
from oddlens.lensing import ray_tracing, scene, substructure_classes, truncated_nfw, two_planes
from oddlens.lensing.cosmology import COSMOLOGY, coupling
from oddlens.lensing.reference import al, tracer

CLASS = "line_of_sight"
MODULE = substructure_classes.module(CLASS)
RAYS = np.random.default_rng(1).uniform(-2.5, 2.5, (2, 400))


def drawn(redshift, count=4, base=("model_a",), mass=1e10, **above):
    priors = {"redshift": redshift, "mass_msun": mass, **above}
    simulation = preset_simulation(*base, CLASS, above={"substructure": {CLASS: priors}})
    return scene.draw_scenes(simulation, 3, "sight", "test", CLASS, np.arange(count))


def one(scenes, k):
    return {part: {n: c[k] for n, c in columns.items()} for part, columns in ray_tracing.parameters(scenes).items()}


def deflected(scenes, k, y, x):
    return np.array(ray_tracing.deflections(one(scenes, k), MODULE, y, x, np))


@pytest.mark.parametrize("redshift", [0.25, 0.75])
def test_rays_end_where_the_two_planes_of_both_codes_send_them(redshift):
    scenes = drawn(redshift)
    y, x = RAYS
    for k in range(4):
        ours = deflected(scenes, k, y, x)
        grid = al.Grid2DIrregular(np.stack([y, x], axis=-1))
        traced = np.asarray(tracer(scenes, k, CLASS).traced_grid_2d_list_from(grid=grid)[-1]).T
        np.testing.assert_allclose(RAYS - ours, traced, atol=1e-8)
        np.testing.assert_allclose(ours, lenstronomy(scenes, k, redshift, y, x), atol=1e-6)


def lenstronomy(scenes, k, redshift, y, x):
    """Deflections by its own multi-plane tracing of a sphere, a shear and a halo, (y, x)."""
    p = one(scenes, k)
    q, sub = p["lens"], p["substructure"]
    angle = 2 * np.deg2rad(q["shear_angle_deg"])
    shear = {"gamma1": q["shear_magnitude"] * np.cos(angle), "gamma2": q["shear_magnitude"] * np.sin(angle)}
    place = sub["perturber_y_arcsec"], sub["perturber_x_arcsec"]
    shift = two_planes.offset(lambda y, x: ray_tracing.smooth_deflections(q, y, x, np), sub, place)
    scale = sub["perturber_scale_arcsec"]
    kappa_s = sub["perturber_area"] / (4 * scale**2 * truncated_nfw.total(20.0, np))
    halo = {"Rs": scale, "alpha_Rs": 4 * kappa_s * scale * (1 - np.log(2)), "r_trunc": 20 * scale}
    halo |= {"center_y": place[0] - shift[0], "center_x": place[1] - shift[1]}
    # What lies behind the halo is moved by the deflection of the centre of the image, so that the lens is seen there.
    moved = np.multiply(MODULE.deflections(sub, 0.0, 0.0, np), redshift < 0.5)
    lens_y, lens_x = -sub[two_planes.IN_FRONT] * moved
    sphere = {"theta_E": q["halo_einstein_radius_arcsec"], "center_x": lens_x, "center_y": lens_y}
    model = LensModel(
        ["SIS", "SHEAR", "TNFW"],
        lens_redshift_list=[0.5, 0.5, redshift],
        z_source=1.0,
        multi_plane=True,
        cosmo=COSMOLOGY,
    )
    alpha = model.alpha(x, y, [sphere, {**shear, "ra_0": lens_x, "dec_0": lens_y}, halo])[::-1]
    return np.array(alpha) - moved[:, None]


def test_a_halo_in_the_plane_of_the_lens_is_a_subhalo():
    scenes = drawn(0.5)
    p = one(scenes, 1)
    main = ray_tracing.smooth_deflections(p["lens"], *RAYS, np)
    own = MODULE.deflections(p["substructure"], *RAYS, np)
    np.testing.assert_array_equal(deflected(scenes, 1, *RAYS), np.add(main, own))


@pytest.mark.parametrize("redshift", [0.2, 0.3, 0.5, 0.7, 0.9])
def test_a_halo_is_seen_where_it_is_said_to_be(redshift):
    # The deflection of the lens with the halo has its steepest change, that of the cusp of the halo, at this place.
    scenes = drawn(redshift, mass=1e9, truncated_nfw={"relation": None, "concentration": 60})
    for k in range(4):
        place = [scenes.truth[f"heaviest_{axis}_arcsec"][k] for axis in "yx"]
        angle, radius = np.linspace(0, 2 * np.pi, 65)[:-1], 1e-3
        ring = [place[0] + radius * np.sin(angle), place[1] + radius * np.cos(angle)]
        smooth = np.array(ray_tracing.smooth_deflections(one(scenes, k)["lens"], *ring, np))
        added = deflected(scenes, k, *ring) - smooth
        added -= added.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(added[:, :32], -added[:, 32:], atol=0.05 * np.abs(added).max())


@pytest.mark.parametrize("redshift", [0.2, 0.4])
def test_a_lens_behind_a_halo_is_seen_at_the_centre_and_so_is_its_light(redshift):
    scenes = drawn(redshift, mass=1e11, base=("model_c",))
    for k in range(4):
        p = one(scenes, k)
        y, x = (np.array([value]) for value in (1e-7, 1e-7))
        sub = p["substructure"]
        plane = two_planes.in_plane_of_lens(lambda y, x, s=sub: MODULE.deflections(s, y, x, np), sub, y, x)
        np.testing.assert_allclose(plane, 0, atol=1e-6)
        p["lens"]["source_intensity_per_arcsec2"], p["clumps"] = 0.0, {}
        seen = ray_tracing.brightness(p, MODULE, *np.meshgrid(*[np.linspace(-0.2, 0.2, 5)] * 2, indexing="ij"), np)
        assert seen.argmax() == 12


@pytest.mark.parametrize("redshift", [0.25, 0.75])
@pytest.mark.parametrize("ratio", [0.6, 1.4])
def test_the_ring_keeps_its_radius_to_first_order(redshift, ratio):
    scenes = drawn(redshift, radius_ratio=ratio, radius_arcsec=None)
    angle = 2 * np.pi * (np.arange(4096) + 0.5) / 4096
    for k in range(4):
        b = scenes.lens["einstein_radius_arcsec"][k]
        alpha_y, alpha_x = deflected(scenes, k, b * np.sin(angle), b * np.cos(angle))
        mean = np.mean(alpha_y * np.sin(angle) + alpha_x * np.cos(angle))
        area = scenes.substructure["perturber_area"][k]
        assert abs(mean - b) < 0.15 * area / b  # shears reach 0.3
        assert area / b > 5e-3


def test_couplings_are_ratios_of_distances():
    assert coupling(np.array([0.5]), np.array([0.5]), np.array([1.0])) == 0
    assert coupling(np.array([0.5]), np.array([1.0]), np.array([1.0])) == pytest.approx(1)
    lens = {"lens_redshift": np.full(3, 0.5), "source_redshift": np.ones(3)}
    q = two_planes.couplings(np.array([0.25, 0.5, 0.75]), lens)
    assert (q[two_planes.BEHIND] > 0).tolist() == [False, False, True]
    assert (q[two_planes.IN_FRONT] > 0).tolist() == [True, False, False]


def test_a_halo_behind_the_source_is_refused():
    with pytest.raises(ValueError, match="in front of the source"):
        drawn(1.2)
