"""The convergence of pixels, from deflections alone, against closed forms."""

from functools import cache

import numpy as np
import pytest

from oddlens.config.presets import preset_simulation
from oddlens.lensing import convergence, grids, scene
from oddlens.lensing.substructure import cdm, smooth, vortex

PIXELS, SCALE = 20, 0.2
NOTHING = {"halo_einstein_radius_arcsec": 0.0, "shear_magnitude": 0.0, "shear_angle_deg": 0.0}
POINT = {"subhalo_x_arcsec": np.array([0.52]), "subhalo_y_arcsec": np.array([-0.87]), "subhalo_area": np.array([0.04])}
LINE = {
    "vortex_x_arcsec": 0.13,
    "vortex_y_arcsec": -0.25,
    "vortex_angle_deg": 33.0,
    "vortex_length_arcsec": 1.4,
    "vortex_area": 0.2,
    "vortex_softening_arcsec": 0.3,
}
TRUTH = {"camera": {"pixels": 40, "pixel_scale_arcsec": 0.1}}


def mean(module, lens=None, substructure=None, pixels=PIXELS):
    p = {"lens": NOTHING | (lens or {}), "substructure": substructure or {}}
    return convergence.mean_convergence(p, module, pixels, SCALE)


def centres():
    y, x = np.meshgrid(-grids.centres(PIXELS, PIXELS * SCALE), grids.centres(PIXELS, PIXELS * SCALE), indexing="ij")
    return y, x


def test_a_point_mass_is_whole_and_in_its_pixel():
    kappa = mean(cdm, substructure=POINT)
    row, column = int(PIXELS / 2 + 0.87 / SCALE), int(PIXELS / 2 + 0.52 / SCALE)  # row 0 at the top
    assert kappa[row, column] * SCALE**2 == pytest.approx(np.pi * 0.04, rel=1e-5)
    assert kappa.sum() * SCALE**2 == pytest.approx(np.pi * 0.04, rel=1e-9)
    kappa[row, column] = 0
    assert np.abs(kappa).max() < 1e-4


def test_a_point_mass_at_an_edge_is_shared_and_not_lost():
    at_edge = POINT | {"subhalo_x_arcsec": np.array([0.6 + 1e-5])}
    kappa = mean(cdm, substructure=at_edge)
    assert kappa.sum() * SCALE**2 == pytest.approx(np.pi * 0.04, rel=1e-9)


def test_an_isothermal_sphere_far_from_its_centre():
    y, x = centres()
    r = np.hypot(y, x)
    far = r > 5 * SCALE
    np.testing.assert_allclose(mean(smooth, {"halo_einstein_radius_arcsec": 1.2})[far], 1.2 / (2 * r[far]), rtol=5e-3)


def test_shear_has_no_convergence():
    assert np.abs(mean(smooth, {"shear_magnitude": 0.2, "shear_angle_deg": 20.0})).max() < 1e-12


def test_a_vortex_against_its_closed_form():
    fine = 10
    at = grids.centres(PIXELS * fine, PIXELS * SCALE)
    y, x = np.meshgrid(-at, at, indexing="ij")
    angle, half, s = np.deg2rad(LINE["vortex_angle_deg"]), LINE["vortex_length_arcsec"] / 2, 0.3
    dy, dx = y - LINE["vortex_y_arcsec"], x - LINE["vortex_x_arcsec"]
    u, w2 = np.cos(angle) * dx + np.sin(angle) * dy, (np.cos(angle) * dy - np.sin(angle) * dx) ** 2 + s**2

    def part(t):
        return t / (2 * w2 * (t**2 + w2)) + np.arctan(t / np.sqrt(w2)) / (2 * w2**1.5)

    kappa = LINE["vortex_area"] * s**2 / (2 * half) * (part(u + half) - part(u - half))
    kappa = kappa.reshape(PIXELS, fine, PIXELS, fine).mean(axis=(1, 3))
    np.testing.assert_allclose(mean(vortex, substructure=LINE), kappa, rtol=1e-3)


@cache
def scenes(preset, pool, cls, first=0, count=4):
    simulation = preset_simulation(*preset.split(), above=TRUTH)
    return simulation.camera, scene.draw_scenes(simulation, 3, "one", pool, cls, np.arange(first, first + count))


def test_a_power_law_far_from_its_centre():
    shape = {"lens_slope": 2.3, "lens_axis_ratio": 0.7, "lens_angle_deg": 0.0}
    y, x = centres()
    kappa = 0.35 * (1.2 / np.sqrt(0.7 * x**2 + y**2 / 0.7)) ** 1.3
    far = np.hypot(y, x) > 5 * SCALE
    np.testing.assert_allclose(mean(smooth, shape | {"halo_einstein_radius_arcsec": 1.2})[far], kappa[far], rtol=1e-2)


@pytest.mark.parametrize("preset", ["model_a", "model_c", "model_c power_law"])
@pytest.mark.parametrize("cls", ["cdm", "vortex"])
def test_the_difference_of_a_test_image_is_that_from_its_smooth_twin(preset, cls):
    camera, perturbed = scenes(preset, "test", cls)
    _, twin = scenes(preset, "test", "smooth")
    expected = convergence.convergence(camera, cls, perturbed, 2) - convergence.convergence(camera, "smooth", twin, 2)
    np.testing.assert_allclose(convergence.difference(camera, cls, perturbed, 2), expected, atol=1e-12)


def test_a_smooth_lens_differs_from_itself_in_nothing():
    camera, smooth_scenes = scenes("model_a", "train", "smooth")
    assert not convergence.difference(camera, "smooth", smooth_scenes, 1).any()


def covered(camera, radius, fine=10):
    """Which share of each pixel lies within a radius of the middle."""
    at = grids.centres(camera.pixels * fine, camera.pixels * camera.pixel_scale_arcsec)
    inside = np.hypot(at[:, None], at) < radius
    return inside.reshape(camera.pixels, fine, camera.pixels, fine).mean(axis=(1, 3))


@pytest.mark.parametrize("pool", ["test", "contaminant"])
@pytest.mark.parametrize("cls", ["cdm", "vortex"])
def test_the_einstein_circle_holds_no_more_mass_than_the_smooth_twin_s(pool, cls):
    camera, perturbed = scenes("model_a", pool, cls)
    for k in range(4):
        b = perturbed.lens["einstein_radius_arcsec"][k]
        mass = covered(camera, b) * convergence.difference(camera, cls, perturbed, k) * camera.pixel_scale_arcsec**2
        added = perturbed.lens["einstein_radius_arcsec"][k] - perturbed.lens["halo_einstein_radius_arcsec"][k]
        # A circle through pixels splits what lies in them evenly, wherever in them it lies.
        at_the_rim = 0.0
        if cls == "cdm":
            r = np.hypot(perturbed.substructure["subhalo_x_arcsec"][k], perturbed.substructure["subhalo_y_arcsec"][k])
            at_the_rim = perturbed.substructure["subhalo_area"][k][
                np.abs(r - b) < 1.5 * camera.pixel_scale_arcsec
            ].sum()
        assert abs(mass.sum()) < np.pi * (at_the_rim + 0.03 * added * b)


def test_every_class_has_a_map():
    """From the deflections alone, so that a new class needs nothing more."""
    presets = ("model_a", "subhalo", "tnfw_subhalos")
    for preset in presets:
        above = {"camera": {"pixels": 8, "pixel_scale_arcsec": 0.5, "psf": {"pixels": 5}}}
        simulation = preset_simulation(*dict.fromkeys(["model_a", preset]), above=above)
        for cls in simulation.substructure:
            perturbed = scene.draw_scenes(simulation, 3, "one", "test", cls, np.arange(1))
            assert np.isfinite(convergence.difference(simulation.camera, cls, perturbed, 0)).all(), (
                preset,
                cls,
            )
