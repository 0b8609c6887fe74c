"""A luminous clump in the plane of the lens, and a mis-set point-spread function."""

import numpy as np
import pytest

from oddlens.config.presets import preset_simulation
from oddlens.lensing import camera as cameras
from oddlens.lensing import light_clump, reference, render, scene
from oddlens.schema.config_errors import ConfigError

CLUMP = {"radius_ratio": {"uniform": [0.6, 1.3]}, "angle_deg": {"uniform": [0, 360]}, "width_arcsec": 0.2}
WITHOUT = {"camera": {"pixels": 24, "error_sigma": None, "over_sampling": 3}}


def made(above, count=4):
    simulation = preset_simulation("model_a", above={**WITHOUT, **above})
    scenes = scene.draw_scenes(simulation, 3, "clumps", "test", "smooth", np.arange(count))
    return simulation, scenes, render.renderer(simulation.camera, "smooth")(scenes)["image"].astype(float)


def test_a_clump_adds_its_light_alone():
    _, _, without = made({})
    simulation, scenes, image = made({"lens": {"light_clump": {**CLUMP, "peak_sigma": 6}}})
    q, added = scenes.lens, image - without
    assert added.min() > -1e-5
    total = 2 * np.pi * 0.2**2 * q["light_clump_intensity_per_arcsec2"] * cameras.electrons_per_flux(q)
    kept = np.hypot(q["light_clump_y_arcsec"], q["light_clump_x_arcsec"]) < 1.2  # with its wings in the image
    np.testing.assert_allclose(added.sum(axis=(1, 2))[kept], total[kept], rtol=0.05)
    ratio = np.hypot(q["light_clump_y_arcsec"], q["light_clump_x_arcsec"]) / q["einstein_radius_arcsec"]
    assert np.all((ratio >= 0.6) & (ratio <= 1.3))
    disagreement = reference.disagreement(simulation.camera, "smooth", scenes, 0, image[0])
    assert disagreement < 0.02


@pytest.mark.parametrize("profile", [{}, {"psf": {"profile": "gaussian", "fwhm_arcsec": 0.3}}])
def test_the_central_pixel_has_the_brightness_that_is_asked_for(profile):
    # The central pixel of 24 is at half a pixel from the centre of the image.
    half = 0.1
    angle, distance = 45.0, np.hypot(half, half)
    clump = {"radius_ratio": distance / 1.664, "angle_deg": angle, "width_arcsec": 0.15, "peak_sigma": 8}
    camera = {**WITHOUT["camera"], **profile}
    images = []
    for lens in ({}, {"light_clump": clump}):
        simulation, scenes, image = made({"camera": camera, "lens": lens}, 1)
        images.append(image[0])
    added = images[1] - images[0]
    sigma = cameras.dark_sigma(simulation.camera, scenes.lens)[0]
    assert added[11, 12] == added.max()
    assert added.max() / sigma == pytest.approx(8, rel=0.01)


def test_a_clump_changes_no_other_number():
    lenses = [{}, {"light_clump": {**CLUMP, "peak_sigma": {"uniform": [3, 10]}}}]
    without, with_clump = (
        scene.draw_scenes(preset_simulation("model_a", above={"lens": lens}), 3, "d", "test", "smooth", np.arange(3))
        for lens in lenses
    )
    for name, column in without.lens.items():
        np.testing.assert_array_equal(column, with_clump.lens[name], err_msg=name)
    new = with_clump.lens.keys() - without.lens.keys()
    assert all(name.startswith(light_clump.PREFIX) for name in new)


def test_a_mis_set_psf_is_wider_than_all_that_is_known_of_it():
    simulation, scenes, image = made({"camera": {**WITHOUT["camera"], "psf": {"width_ratio": 1.1}}})
    wider = {"psf": {"fwhm_arcsec": 0.84366 * 1.1}}
    true, _, expected = made({"camera": {**WITHOUT["camera"], **wider}})
    np.testing.assert_allclose(image, expected, atol=1e-4 * expected.max())
    stated, _, narrow = made({})
    assert np.abs(image - narrow).max() > 0.01 * narrow.max()
    q = scenes.lens
    np.testing.assert_array_equal(cameras.psf_kernels(simulation.camera, q), cameras.psf_kernels(stated.camera, q))
    np.testing.assert_array_equal(cameras.psf_fwhm_arcsec(simulation.camera, q), 0.84366)
    assert reference.disagreement(true.camera, "smooth", scenes, 0, image[0]) < 0.05


def test_the_width_ratio_is_that_of_a_profile():
    psf = {"file": "psf.fits", "profile": None, "fwhm_arcsec": None, "pixels": None, "width_ratio": 1.1}
    with pytest.raises(ConfigError, match="width_ratio"):
        preset_simulation("model_a", above={"camera": {"psf": psf}})
