"""Fits that allow for what resembles dark matter: another PSF, multipoles, lens light, clumps of light."""

import numpy as np
import pytest
import torch
from scipy.stats import halfnorm

from oddlens.config.presets import preset_simulation
from oddlens.detectors.blocks.lens_population import LensPopulation
from oddlens.detectors.blocks.levenberg_marquardt import Fit, fit
from oddlens.detectors.blocks.linearised_model import NormalPrior
from oddlens.detectors.blocks.luminous_clumps import LuminousClumps
from oddlens.detectors.blocks.noise_model import NoiseModel
from oddlens.detectors.blocks.projection import Projection
from oddlens.detectors.blocks.scan import Scan
from oddlens.detectors.lensfit import LensFit
from oddlens.lensing import render, scene
from oddlens.lensing.camera import psf_kernels, typical_psf
from oddlens.lensing.lens_light_residual import TYPICAL_LIGHT
from oddlens.lensing.model import LensModel
from oddlens.lensing.psf_width import by_log_width

NOISE = NoiseModel(1e-3, 4e-5)
COUNT = 12
BROAD = {"psf": {"profile": "gaussian", "fwhm_arcsec": 0.8, "pixels": 21}}


def with_psf(**psf):
    return preset_simulation("model_b", above={"camera": {"psf": psf}})


def smooth_lenses(simulation, model, count=COUNT):
    """Parameters and noise-free images of smooth lenses."""
    scenes = scene.draw_scenes(simulation, 5, "d", "test", "smooth", np.arange(count))
    images = torch.tensor(render.renderer(simulation.camera, "smooth")(scenes)["image"]).flatten(1)
    return torch.tensor(model.parametrisation.of_scenes(scenes.lens), dtype=torch.float32), images


def noisy(images, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return images + NOISE.variance(images).sqrt() * torch.randn(images.shape, generator=generator)


def prior_of(model, width=0.05):
    """No prior, except for the width of the PSF."""
    precision = torch.zeros(model.count)
    precision[model.parametrisation.psf_width] = width**-2
    return NormalPrior(torch.zeros(model.count), precision)


# --- the point-spread function ---------------------------------------------------------------------------------------


def test_a_gaussian_becomes_wider_in_closed_form():
    camera = preset_simulation("model_b", above={"camera": BROAD}).camera
    kernel = psf_kernels(camera, typical_psf(camera))[0]
    sigma = 0.8 / 2.3548 / camera.pixel_scale_arcsec
    y, x = np.indices(kernel.shape) - len(kernel) // 2
    exact = kernel * ((y**2 + x**2) / sigma**2 - 2)
    np.testing.assert_allclose(by_log_width(camera), exact, atol=2e-3 * np.abs(exact).max())


def test_the_kernel_of_a_file_becomes_wider_as_that_of_its_profile():
    profile = preset_simulation("model_b", above={"camera": BROAD}).camera
    kernel = psf_kernels(profile, typical_psf(profile))[0]
    file = {"profile": None, "fwhm_arcsec": None, "pixels": None, "kernel": kernel.tolist()}
    of_file = by_log_width(preset_simulation("model_b", above={"camera": {"psf": file}}).camera)
    expected = by_log_width(profile)
    np.testing.assert_allclose(of_file, expected, atol=0.03 * np.abs(expected).max())


def test_a_free_width_fits_images_of_another_point_spread_function():
    """A width that is stated 5 % too small is found, and chi-square is that of noise."""
    stated = preset_simulation("model_b")
    fwhm = stated.camera.psf.fwhm_arcsec.quantile(np.array(0.5)).item()
    model = LensModel(stated, free_psf_width=True)
    start, images = smooth_lenses(with_psf(fwhm_arcsec=1.05 * fwhm), model)
    found = fit(model.image_and_derivatives, noisy(images), NOISE, prior_of(model), start, 40)
    assert found.converged.all()
    assert found.parameters[:, -1].mean().item() == pytest.approx(np.log(1.05), rel=0.2)
    assert found.objective.median() < 1.1 * model.pixels**2


def test_the_width_has_a_column_of_the_jacobian():
    model = LensModel(preset_simulation("model_b"), free_psf_width=True, source_pixels=3).double()
    parameters, _ = smooth_lenses(preset_simulation("model_b"), model, 3)
    parameters = parameters.double()
    step = torch.zeros_like(parameters)
    step[:, -1] = 1e-3
    difference = (model(parameters + step) - model(parameters - step)) / 2e-3
    torch.testing.assert_close(model.image_and_derivatives(parameters).jacobian[:, -1], difference)


# --- multipoles and lens light ---------------------------------------------------------------------------------------


def test_the_prior_has_room_for_multipoles_and_lens_light():
    simulation = preset_simulation("model_c")
    scatter = {}
    for decoys in ((), ("multipoles", "lens_light")):
        model = LensModel(simulation, multipoles=(3, 4), lens_light_components=2)
        population = LensPopulation(simulation, model, 1.5, decoys)
        population.sample(64, torch.Generator().manual_seed(1))
        scatter[decoys] = population.prior().precision ** -0.5
    usual, wide = scatter.values()
    layout = model.parametrisation
    assert (wide[layout.multipole_components] >= 0.03 - 1e-6).all()
    assert (usual[layout.multipole_components] < 0.03).all()
    torch.testing.assert_close(wide[layout.lens_light_amplitudes], 3 * usual[layout.lens_light_amplitudes])
    torch.testing.assert_close(wide[layout.position], usual[layout.position])


def test_a_detector_has_the_freedom_for_its_decoys():
    plain = preset_simulation("model_b").plain()
    usual = LensFit(32, plain).lens_model
    model = LensFit(32, plain, decoys=["multipoles", "psf_width", "lens_light"]).lens_model
    assert set(model.names) - set(usual.names) == {f"multipole_{m}_{part}" for m in (3, 4) for part in ("cos", "sin")}
    assert model.count == usual.count + 4 + 8 + 1


def test_lenses_without_light_have_that_of_model_c_as_a_decoy():
    assert preset_simulation("model_c").lens.light == TYPICAL_LIGHT
    simulation = preset_simulation("model_b")
    model = LensModel(simulation, lens_light_components=8)
    population = LensPopulation(simulation, model, 1.5, ["lens_light"])
    population.sample(16, torch.Generator().manual_seed(1))
    assert (model.lens_light_components.abs().amax(dim=1) > 0).all()
    assert (model.lens_light_mean == 0).all()
    assert (population.lens_light > 0).all()


# --- luminous clumps -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    return LensModel(preset_simulation("model_b"))


def scanned(model, images, parameters, luminous_clumps):
    found = fit(model.image_and_derivatives, images, NOISE, prior_of(model), parameters, 40)
    scan = Scan(model, side=13, half_width_arcsec=2.4, softening_arcsec=0.1, luminous_clumps=luminous_clumps)
    return scan(images, found, model.image_and_derivatives(found.parameters), NOISE, prior_of(model))


def test_clumps_are_as_bright_as_their_prior_at_their_centres(model):
    clumps = LuminousClumps(model, 2.4)
    dark = torch.zeros(1, model.pixels**2)
    peaks = clumps.templates(dark, NOISE)[0].amax(dim=1)
    torch.testing.assert_close(peaks, torch.full_like(peaks, 10.0))


def test_the_projection_of_clumps_is_that_of_their_templates(model):
    clumps, generator = LuminousClumps(model, 2.4), torch.Generator().manual_seed(1)
    expected = 1e-2 * torch.rand(3, model.pixels**2, generator=generator)
    residual = torch.randn(3, model.pixels**2, generator=generator)
    jacobian = torch.randn(3, 7, model.pixels**2, generator=generator)
    factor = torch.linalg.cholesky((jacobian @ jacobian.mT).double())
    templates = clumps.templates(expected, NOISE)
    found = clumps.projection(expected, NOISE, residual, jacobian, factor)
    for ours, theirs in zip(found, Projection.of(templates, residual, jacobian, factor), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    which = torch.tensor([0, 5, len(clumps.clumps) - 1])
    torch.testing.assert_close(clumps.templates(expected, NOISE, which)[:, 0], templates[torch.arange(3), which])


def test_the_odds_of_an_amplitude_are_their_integral():
    overlap, power = torch.tensor([[3.0, -2.0, 0.5]]), torch.tensor([[4.0, 1.0, 2.0]])
    amplitude = np.linspace(0, 20, 200_001)[:, None]
    likelihood = np.exp(overlap.numpy() * amplitude - power.numpy() * amplitude**2 / 2)
    exact = np.log(np.trapezoid(likelihood * halfnorm.pdf(amplitude, scale=0.7), amplitude, axis=0).mean())
    nothing = torch.zeros(1, 3, 1)
    assert Projection(overlap, power, nothing).log_odds(0.7).item() == pytest.approx(exact, rel=1e-4)


def test_light_beside_the_ring_is_no_dark_mass(model):
    """A star on the ring raises the odds of a mass; against the odds of a star it does not. A mass keeps its odds."""
    parameters, images = smooth_lenses(preset_simulation("model_b"), model)
    clumps = LuminousClumps(model, 2.4).clumps
    pixel = (16 - 4) * 32 + 16 - 6  # of 0.2 arcsec, near (y, x) = (0.8, -1.2)
    star = 20 * NOISE.floor**0.5 * clumps[clumps[:, pixel].argmax()]
    masses = Scan(model, side=13, half_width_arcsec=2.4, softening_arcsec=0.1)
    at = (masses.y - 0.8).square() + (masses.x + 1.2).square()
    change = model.image_and_derivatives(parameters).source_gradient * masses.deflections[at.argmin()]
    subhalo = 0.02 * model.observe(change.sum(dim=1))
    odds = {
        (name, against): scanned(model, noisy(images + added), parameters, against).log_odds.median()
        for name, added in (("none", 0.0), ("star", star), ("subhalo", subhalo))
        for against in (False, True)
    }
    assert odds["subhalo", True] > 3
    assert odds["star", True] < 0 < odds["star", False]
    assert odds["none", True] < 0


def test_a_fit_without_residuals_has_no_clump_either(model):
    parameters, images = smooth_lenses(preset_simulation("model_b"), model, 2)
    nothing = torch.zeros(2)
    failed = Fit(parameters, nothing, nothing == 1, nothing, prior_of(model).precision.expand(2, -1))
    scan = Scan(model, side=5, half_width_arcsec=2.0, softening_arcsec=0.1, luminous_clumps=True)
    result = scan(images, failed, model.image_and_derivatives(parameters), NOISE, prior_of(model))
    assert (result.log_odds < 0).all()
