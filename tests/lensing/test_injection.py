"""Smooth models of rings, and the change that a mass makes to them: against closed forms and the simulator."""

import numpy as np
import pytest
from scipy import signal

from oddlens.config.presets import preset_simulation
from oddlens.data.randomness import stream
from oddlens.lensing import injection, render, scene
from oddlens.lensing.convolution import Convolution, gaussian_psf
from oddlens.lensing.grids import grid
from oddlens.lensing.injection import Perturber
from oddlens.lensing.ring_model import NODES, RingModel, Source, fit_ring
from oddlens.lensing.simulated_images import simulate_images
from oddlens.lensing.substructure import subhalo

SCALE, PIXELS, SIGMA = 0.25, 24, 0.02
PSF = gaussian_psf(2.5)
LENS = {"einstein_radius_arcsec": 1.4, "centre": (0.0, 0.05), "shear": (0.08, -0.05)}


class GaussianLens(RingModel):
    """A lens whose source has a closed form."""

    def source_brightness(self, y, x):
        return 3 * np.exp(-0.5 * (((y - 0.15) / 0.25) ** 2 + ((x + 0.1) / 0.35) ** 2))


DARK = Source(np.zeros((NODES, NODES)), (0.0, 0.0), 1.0)


def truth():
    return GaussianLens(**LENS, source=DARK)


def observed(lens=None, pixels=PIXELS, scale=SCALE, psf=PSF, seed=1):
    image = injection.model_image(lens or truth(), pixels, scale, psf)
    return image + np.random.default_rng(seed).normal(0, SIGMA, image.shape)


def fitted(image, scale=SCALE, psf=PSF):
    return fit_ring(image, np.full(image.shape, SIGMA), scale, psf)


@pytest.fixture(scope="module")
def model():
    return fitted(observed())


@pytest.mark.parametrize("side", [3, 9, 61])
def test_convolution_is_that_of_scipy(side):
    rng = np.random.default_rng(0)
    psf, images = rng.random((side, side)), rng.random((2, 20, 20))
    expected = np.stack([signal.convolve(image, psf, mode="full") for image in images])
    middle = slice(side // 2, side // 2 + 20)
    np.testing.assert_allclose(Convolution(psf, 20)(images), expected[:, middle, middle], rtol=2e-3)


def test_a_gaussian_has_its_width_and_an_unknown_one_is_a_point():
    psf = gaussian_psf(4.0)
    offset = np.arange(len(psf)) - len(psf) // 2
    assert psf.sum() == pytest.approx(1)
    assert np.sqrt((psf.sum(axis=0) * offset**2).sum()) * 2.3548 == pytest.approx(4.0, rel=0.02)
    assert gaussian_psf(0.0).tolist() == [[1.0]]


def test_equal_splines_are_a_constant_brightness():
    source = Source(np.full((NODES, NODES), 2.0), (0.3, -0.2), 0.1)
    y, x = grid(5, 0.4)
    np.testing.assert_allclose(source(y + 0.3, x - 0.2), 2.0, rtol=1e-9)
    assert source(np.array([9.0]), np.array([0.0])) == 0


def test_a_fit_finds_the_lens_and_leaves_noise(model):
    assert model.einstein_radius_arcsec == pytest.approx(1.4, abs=0.02)
    np.testing.assert_allclose(model.shear, LENS["shear"], atol=0.02)
    assert 0.7 < model.chi_square < 1.2
    assert model.unexplained < 0.003


def test_the_source_is_that_of_the_lens(model):
    y, x = grid(9, 1.2)
    expected = truth().source_brightness(y + 0.15, x - 0.1)
    np.testing.assert_allclose(model.source_brightness(y + 0.15, x - 0.1), expected, atol=0.25)


def test_masked_pixels_do_not_matter(model):
    image = observed()
    image[:6, :6] = np.nan
    image[15, 5] = np.nan
    found = fitted(image)
    assert found.einstein_radius_arcsec == pytest.approx(model.einstein_radius_arcsec, abs=0.02)


def test_the_light_of_the_lens_galaxy_moves_nothing(model):
    y, x = grid(PIXELS, PIXELS * SCALE)
    found = fitted(observed() + 5 * np.exp(-0.5 * (y**2 + x**2) / 0.15**2))
    assert found.einstein_radius_arcsec == pytest.approx(model.einstein_radius_arcsec, abs=0.02)


def test_a_large_image_is_fitted_in_wider_pixels():
    found = fitted(observed(pixels=101, scale=0.06, psf=gaussian_psf(5)), 0.06, gaussian_psf(5))
    assert found.einstein_radius_arcsec == pytest.approx(1.4, abs=0.03)
    assert found.unexplained < 0.01


def test_an_image_without_light_is_refused():
    with pytest.raises(ValueError, match="no positive light"):
        fitted(np.full((PIXELS, PIXELS), -1.0))


def test_no_mass_is_no_change(model):
    assert not injection.change(model, Perturber(1.0, 1.0, 0.0, 0.2), PIXELS, SCALE, PSF).any()


@pytest.mark.parametrize("truncation", [0.0, 0.2])
def test_a_small_change_is_that_of_first_order_and_proportional_to_the_mass(model, truncation):
    light, heavy = (Perturber(1.0, 0.9, area, truncation) for area in (1e-4, 2e-4))
    one, two = (injection.change(model, each, PIXELS, SCALE, PSF) for each in (light, heavy))
    first = injection.first_order_change(model, light, PIXELS, SCALE, PSF)
    assert np.linalg.norm(one - first) < 0.05 * np.linalg.norm(first)
    assert np.linalg.norm(two - 2 * one) < 0.05 * np.linalg.norm(two)


def test_the_mass_inside_the_einstein_radius_stays_the_same(model):
    perturber = Perturber(0.2, 0.1, 0.05, 0.01)
    assert perturber.removed(model) * model.einstein_radius_arcsec == pytest.approx(0.05, rel=0.03)
    assert Perturber(5.0, 0.0, 0.05, 0.0).removed(model) == pytest.approx(0, abs=1e-3)


def test_the_change_is_that_of_the_true_lens(model):
    perturber = Perturber(0.9, 1.0, 0.02, 0.2)
    expected, found = (injection.change(lens, perturber, PIXELS, SCALE, PSF) for lens in (truth(), model))
    assert correlation(expected, found) > 0.97
    assert 0.85 < np.linalg.norm(found) / np.linalg.norm(expected) < 1.15


def test_the_change_is_converged_in_the_number_of_rays(monkeypatch, model):
    perturber = Perturber(0.9, 1.0, 0.02, 0.0)
    few = injection.change(model, perturber, PIXELS, SCALE, PSF)
    monkeypatch.setattr(injection, "RAYS", 20)
    many = injection.change(model, perturber, PIXELS, SCALE, PSF)
    assert np.linalg.norm(few - many) < 0.02 * np.linalg.norm(many)


def test_positions_lie_on_the_bright_arcs_and_depend_on_the_stream():
    light = injection.model_image(truth(), PIXELS, SCALE, PSF)
    places = [injection.draw_position(light, SCALE, stream(1, "inject", k)) for k in range(200)]
    y, x = np.array(places).T
    row, column = (np.floor((PIXELS / 2 * SCALE + sign * p) / SCALE).astype(int) for sign, p in ((-1, y), (1, x)))
    assert (light[row, column] >= 0.5 * light.max()).all()
    assert len(set(places)) == 200
    assert injection.draw_position(light, SCALE, stream(1, "inject", 7)) == places[7]


def correlation(a, b):
    return float((a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b)))


def test_the_change_is_that_of_simulated_twins():
    """Model B, with noise: images of the simulator with and without the same subhalo."""
    simulation, count, truncation = preset_simulation("model_b"), 4, 0.2
    smooth = render.renderer(simulation.camera, "smooth")
    images = simulate_images(simulation.only("smooth"), smooth, 7, "b", "test", "smooth", np.arange(count))
    lens, scale = dict(images.scenes.lens), simulation.camera.pixel_scale_arcsec
    psf = render.cameras.psf_kernels(simulation.camera, lens)[0]
    models = [fit_ring(i.astype(float), s, scale, psf) for i, s in zip(images.images, images.sigma, strict=True)]
    b, area = lens["einstein_radius_arcsec"], 3e9 * lens["area_per_msun"]
    angle = np.deg2rad([20, 110, 200, 290])
    sub = {"subhalo_y_arcsec": b * np.sin(angle), "subhalo_x_arcsec": b * np.cos(angle), "subhalo_area": area}
    sub["subhalo_truncation_arcsec"] = np.full(count, truncation)
    lens["halo_einstein_radius_arcsec"] = b - subhalo.enclosed(sub, b) / b
    perturbed = render.renderer(simulation.camera, "subhalo")(scene.Scenes(lens, {}, sub, {}))["image"]
    for k, model in enumerate(models):
        place = (sub[f"subhalo_{axis}_arcsec"][k] for axis in ("y", "x"))
        found = injection.change(model, Perturber(*place, area[k], truncation), simulation.camera.pixels, scale, psf)
        expected = perturbed[k].astype(float) - images.noise_free[k]
        assert model.einstein_radius_arcsec == pytest.approx(b[k], abs=0.06)
        assert correlation(found, expected) > 0.85
        assert 0.7 < np.linalg.norm(found) / np.linalg.norm(expected) < 1.3
