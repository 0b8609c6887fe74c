"""The physics fit: its model against the simulator, its Jacobian, convergence, masks, the scan, and the detector."""

import numpy as np
import pytest
import torch

from oddlens.config.presets import preset_simulation
from oddlens.data import shards
from oddlens.detectors.blocks.heavy_tails import HeavyTails
from oddlens.detectors.blocks.initial_parameters import fill_gaps
from oddlens.detectors.blocks.lens_population import LensPopulation
from oddlens.detectors.blocks.levenberg_marquardt import Fit, fit
from oddlens.detectors.blocks.linearised_model import NormalPrior, linearise, log_evidence
from oddlens.detectors.blocks.noise_model import NoiseModel
from oddlens.detectors.blocks.scan import Scan
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.image_module import KnownCamera
from oddlens.detectors.interface.model_files import save_model
from oddlens.lensing import camera, render, scene
from oddlens.lensing.lens_light_residual import lens_light, principal_components
from oddlens.lensing.model import LensModel, ModelImage
from oddlens.lensing.optics import PSF_TOLERANCE
from oddlens.lensing.separable_psf import separate
from oddlens.results.tables.fit_convergence import fit_convergence_table
from oddlens.stages.fit_convergence import compare, fit_convergence
from oddlens.stages.simulate import simulate

COUNT = 24
RICHER = {"elliptical": True, "multipoles": (3, 4), "free_index": True, "source_pixels": 5, "lens_light_components": 2}
SMOOTH_C = {"source": {"clumps": None, "sersic_index": {"uniform": [0.7, 1.5]}}, "lens": {"light": None}}
SMALL = preset_simulation("model_b", above={"camera": {"pixel_scale_arcsec": 0.4, "pixels": 16, "psf": {"pixels": 9}}})
SIMULATIONS = {
    "model_a": ({}, {}),
    "model_b": ({}, {}),
    "model_c": (RICHER, SMOOTH_C),
    "model_a power_law": ({"free_slope": True}, {}),
    "model_c power_law": ({**RICHER, "free_slope": True}, SMOOTH_C),
}


@pytest.fixture(scope="module", params=SIMULATIONS)
def lenses(request):
    """A model, the parameters of some lenses, and their images by the simulator."""
    how, above = SIMULATIONS[request.param]
    simulation = preset_simulation(*request.param.split(), above=above)
    scenes = scene.draw_scenes(simulation, 1, "d", "test", "smooth", np.arange(COUNT))
    model = LensModel(simulation, **how)
    model.lens_light_components += 0.01 * torch.randn(
        model.lens_light_components.shape, generator=torch.Generator().manual_seed(7)
    )
    parameters = torch.tensor(model.parametrisation.of_scenes(scenes.lens), dtype=torch.float32)
    seen = torch.tensor(render.renderer(simulation.camera, "smooth")(scenes)["image"]).flatten(1)
    return model, parameters, seen, NoiseModel(1e-3, 4e-5)


def noisy(seen, noise, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return seen + noise.variance(seen).sqrt() * torch.randn(seen.shape, generator=generator)


def free(model):
    """No prior, except a normal one for the amplitudes in which the image is linear."""
    precision = torch.zeros(model.count)
    amplitudes = range(len(model.names), model.count)
    precision[amplitudes] = 0.3**-2
    return NormalPrior(torch.zeros(model.count), precision)


def test_model_images_agree_with_the_simulator(lenses):
    model, parameters, seen, noise = lenses
    error = (model(parameters) - seen).abs() / noise.variance(seen).sqrt()
    assert error.amax(dim=1).median() < 0.1
    assert error.mean() < 0.005
    torch.testing.assert_close(model.image_and_derivatives(parameters).image, model(parameters))


def test_a_multipole_that_the_simulation_lacks_is_expected_to_be_small():
    simulation = preset_simulation("model_a")
    population = LensPopulation(simulation, LensModel(simulation, multipoles=[3, 4]), 1.0)
    population.sample(64, torch.Generator().manual_seed(1))
    named = dict(zip(population.model.names, population.scatter.tolist(), strict=True))
    assert all(named[f"multipole_{m}_{part}"] == pytest.approx(0.02) for m in (3, 4) for part in ("cos", "sin"))
    assert named["shear_1"] > 0.05


def test_cusps_have_enough_rays():
    """With 2 x 2 rays in all pixels, smooth lenses with cuspy sources scored higher than half of the anomalous ones."""
    simulation = preset_simulation("model_b", above={"source": {"sersic_index": 4}})
    scenes = scene.draw_scenes(simulation, 1, "d", "test", "smooth", np.arange(COUNT))
    model, noise = LensModel(simulation), NoiseModel(1e-3, 4e-5)
    seen = torch.tensor(render.renderer(simulation.camera, "smooth")(scenes)["image"]).flatten(1)
    error = model(torch.tensor(model.parametrisation.of_scenes(scenes.lens), dtype=torch.float32)) - seen
    chi_square = (error.square() / noise.variance(seen)).sum(dim=1)
    assert chi_square.median() < 0.03 * model.pixels**2


def test_the_jacobian_agrees_with_finite_differences(lenses):
    model, parameters, _, _ = lenses
    parameters = parameters[:6].double()
    parameters[:, len(model.names) :] = 0.3  # so that source_pixels count
    model = model.double()
    try:
        jacobian = model.image_and_derivatives(parameters).jacobian
        for k, name in enumerate([*model.names, *["an amplitude"] * (model.count - len(model.names))]):
            step = torch.zeros_like(parameters)
            step[:, k] = 1e-5
            difference = (model(parameters + step) - model(parameters - step)) / 2e-5
            tolerance = 1e-4 if name != "an amplitude" else 0.02  # the PSF of source pixels is coarser
            assert (difference - jacobian[:, k]).abs().max() < tolerance * difference.abs().max(), name
    finally:
        model.float()


def test_single_precision_is_enough(lenses):
    model, parameters, seen, noise = lenses
    single = model.image_and_derivatives(parameters)
    try:
        double = model.double().image_and_derivatives(parameters.double())
    finally:
        model.float()
    sigma = noise.variance(seen).sqrt()
    assert ((single.image - double.image).abs() / sigma).max() < 5e-3
    change = (single.jacobian - double.jacobian).norm(dim=2) / double.jacobian.norm(dim=2)
    assert change.max() < 1e-3


def test_fits_from_perturbed_parameters_reach_the_optimum(lenses):
    model, parameters, seen, noise = lenses
    data, prior = noisy(seen, noise), free(model)
    best = fit(model.image_and_derivatives, data, noise, prior, parameters, 40)
    scatter = torch.zeros(model.count)
    for k, name in enumerate(model.names):
        scatter[k] = 0.1 if name.startswith(("log", "source_ellipse")) else 0.02
    moved = parameters + scatter * torch.randn(parameters.shape, generator=torch.Generator().manual_seed(1))
    found = fit(model.image_and_derivatives, data, noise, prior, moved, 40)
    assert best.converged.float().mean() > 0.95
    assert ((found.objective < 1.01 * best.objective) & found.converged).float().mean() > 0.95
    degrees = model.pixels**2 - len(model.names)
    assert abs(best.objective.mean().item() / degrees - 1) < 4 * (2 / degrees / COUNT) ** 0.5 + 0.02


def test_a_precise_prior_fixes_a_parameter(lenses):
    model, parameters, seen, noise = lenses
    precision = free(model).precision
    precision[0] = 1e10
    held = parameters.mean(dim=0)
    held[0] = parameters[0, 0]
    found = fit(
        model.image_and_derivatives, noisy(seen, noise)[:1], noise, NormalPrior(held, precision), parameters[:1], 30
    )
    assert found.parameters[0, 0].item() == pytest.approx(parameters[0, 0].item(), abs=1e-5)


def test_the_deviance_is_that_of_counts_and_of_chi_square():
    expected, data = torch.tensor([[3.0, 5.0]]), torch.tensor([[3.7, 4.1]])
    gain, floor = 0.02, 0.1
    shifted, counts = expected + floor / gain, data + floor / gain
    poisson = 2 / gain * (counts * (counts / shifted).log() - (data - expected)).sum()
    assert NoiseModel(gain, floor).deviance(data, expected).item() == pytest.approx(poisson.item(), rel=1e-3)
    chi_square = ((data - expected) ** 2 / floor).sum()
    assert NoiseModel(0.0, floor).deviance(data, expected).item() == pytest.approx(chi_square.item(), rel=1e-5)
    small = NoiseModel(1e-7, floor).deviance(data, expected).item()
    assert small == pytest.approx(chi_square.item(), rel=1e-3)


@pytest.mark.parametrize("k", [5, 9])
def test_a_separable_psf_convolves(k):
    rng = np.random.default_rng(0)
    kernel, image = rng.random((k, k)), rng.random((12 + k - 1, 12 + k - 1))
    y, x = separate(kernel, 12, PSF_TOLERANCE)
    ours = y @ (image @ x).reshape(-1, 12)
    direct = [[(image[i : i + k, j : j + k] * kernel[::-1, ::-1]).sum() for j in range(12)] for i in range(12)]
    np.testing.assert_allclose(ours, direct, rtol=1e-3)


# --- the scan ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted():
    """Model B lenses with a point of mass 0.02 arcsec^2 on the ring; what a scan of the best smooth lenses finds."""
    simulation = preset_simulation("model_b")
    model = LensModel(simulation, rays=3)
    scenes = scene.draw_scenes(simulation, 2, "d", "test", "smooth", np.arange(COUNT))
    parameters = torch.tensor(model.parametrisation.of_scenes(scenes.lens), dtype=torch.float32)
    scan = Scan(model, side=13, half_width_arcsec=2.4, softening_arcsec=0.1, spread_arcsec2=0.01)
    noise = NoiseModel(1e-3, 4e-5)
    model_image = model.image_and_derivatives(parameters)
    # Where the source's gradient is largest, so that the mass is seen.
    pull = (model_image.source_gradient[:, None] * scan.deflections).sum(dim=2)
    positions = (model.observe(pull) / noise.variance(model_image.image).sqrt()[:, None]).norm(dim=2).argmax(dim=1)
    area = 0.02
    data = model_image.image + area * model.observe(pull)[torch.arange(COUNT), positions]
    return model, scan, noise, parameters, positions, area, data


def test_a_planted_mass_is_found_with_its_position_and_mass(planted):
    model, scan, noise, parameters, positions, area, data = planted
    for images, tolerance in ((data, 0.15), (noisy(data, noise), 0.35)):
        found = fit(model.image_and_derivatives, images, noise, free(model), parameters, 30)
        scanned = scan(images, found, model.image_and_derivatives(found.parameters), noise, free(model))
        best = scanned.significance.flatten(1).argmax(dim=1)
        apart = torch.hypot(scan.y[best] - scan.y[positions], scan.x[best] - scan.x[positions])
        seen = scanned.significance.flatten(1)[torch.arange(COUNT), positions]
        clear = seen > 8
        assert clear.float().mean() > 0.5
        assert (apart[clear] < 0.9).float().mean() > 0.9  # the PSF is as wide
        masses = scanned.area.flatten(1)[torch.arange(COUNT), positions][clear]
        assert masses.median().item() == pytest.approx(area, rel=tolerance)


def test_significance_is_standard_normal_without_substructure(planted):
    model, scan, noise, parameters, *_ = planted
    data = noisy(model(parameters), noise, seed=3)
    found = fit(model.image_and_derivatives, data, noise, free(model), parameters, 30)
    scanned = scan(data, found, model.image_and_derivatives(found.parameters), noise, free(model))
    assert scanned.significance.mean().abs() < 0.2
    assert scanned.significance.std().item() == pytest.approx(1, abs=0.12)
    assert scanned.log_evidence.median() < 0  # Occam


# --- pixels that were not observed -----------------------------------------------------------------------------------


def masked(images, seed=0):
    """A column of each image [n, pixels, pixels] and one pixel in thirty, as a mask of the same shape."""
    rng = np.random.default_rng(seed)
    column = rng.integers(images.shape[2], size=(len(images), 1, 1))
    return (np.arange(images.shape[2]) == column) | (rng.random(images.shape) < 1 / 30)


def hidden(model, noise, count):
    """The noise if pixels of images [count, pixels^2] are masked, and the mask."""
    mask = torch.from_numpy(masked(np.zeros((count, model.pixels, model.pixels)))).flatten(1)
    return noise._replace(floor=torch.full(mask.shape, noise.floor).masked_fill(mask, torch.inf)), mask


@pytest.mark.parametrize("gain", [0.0, 1e-3])
def test_values_of_masked_pixels_change_nothing(planted, gain):
    model, scan, noise, parameters, _, _, data = planted
    noise, mask = hidden(model, noise._replace(gain=gain), COUNT)
    found = []
    for garbage in (0.0, -1e3, 1e6):
        data = data.masked_fill(mask, garbage)
        best = fit(model.image_and_derivatives, data, noise, free(model), parameters, 30)
        scanned = scan(data, best, model.image_and_derivatives(best.parameters), noise, free(model))
        found.append((*best, *scanned))
    for other in found[1:]:
        for theirs, ours in zip(other, found[0], strict=True):
            assert torch.equal(theirs, ours)
    assert (found[0][-1][mask] == 0).all()
    assert (noise.count_observed(data) == (~mask).sum(dim=1)).all()


def test_an_empty_mask_changes_no_bit(planted):
    model, scan, noise, parameters, _, _, data = planted
    found = []
    for each in (noise, noise._replace(floor=torch.full(data.shape, noise.floor))):
        best = fit(model.image_and_derivatives, data, each, free(model), parameters, 30)
        found.append((*best, *scan(data, best, model.image_and_derivatives(best.parameters), each, free(model))))
    for theirs, ours in zip(*found, strict=True):
        assert torch.equal(theirs, ours)


@pytest.mark.parametrize("correlation", [None, 0.5])
def test_significance_is_standard_normal_with_masks(planted, correlation):
    model, scan, noise, parameters, *_ = planted
    noise, mask = hidden(model, noise, COUNT)
    expected, white = model(parameters), torch.randn(mask.shape, generator=torch.Generator().manual_seed(3))
    if correlation:
        matrix = torch.from_numpy(camera.decorrelation(model.pixels, correlation)).float()
        noise = noise._replace(decorrelation=matrix)
        correlates = noise._replace(decorrelation=matrix.inverse())
        white = correlates.whiten(white)
    data = (expected + (noise.gain * expected + 4e-5).sqrt() * white).masked_fill(mask, 0.0)
    found = fit(model.image_and_derivatives, data, noise, free(model), parameters, 30)
    assert found.converged.float().mean() > 0.9
    scanned = scan(data, found, model.image_and_derivatives(found.parameters), noise, free(model))
    assert scanned.significance.mean().abs() < 0.2
    assert scanned.significance.std().item() == pytest.approx(1, abs=0.12)


def test_gaps_are_filled_from_their_edge():
    flat, gap = torch.full((2, 1, 8, 8), 3.0), torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    gap[0, :, :6, 1:5] = True
    torch.testing.assert_close(fill_gaps(flat.masked_fill(gap, torch.nan)), flat)


# --- the evidence of many masses, and the odds of one ----------------------------------------------------------------


@pytest.mark.parametrize("source_pixels", [0, 5])
def test_the_evidence_is_that_of_the_dense_covariance(source_pixels):
    simulation, spread, count = preset_simulation("model_b"), 0.02, 3
    model, noise = LensModel(simulation, source_pixels=source_pixels), NoiseModel(1e-3, 4e-5)
    scan = Scan(model, side=7, half_width_arcsec=2.4, softening_arcsec=0.1, spread_arcsec2=spread)
    lenses = scene.draw_scenes(simulation, 2, "d", "test", "smooth", np.arange(count)).lens
    parameters = torch.tensor(model.parametrisation.of_scenes(lenses), dtype=torch.float32)
    model_image, data = model.image_and_derivatives(parameters), noisy(model(parameters), noise)
    nothing = torch.zeros(count)
    found = Fit(parameters, nothing, nothing == 0, nothing, free(model).precision.expand(count, -1))
    scanned = scan(data, found, model_image, noise, free(model))
    weight = noise.variance(model_image.image).rsqrt()
    for k in range(count):
        pulled = (model_image.source_gradient[k] * scan.deflections).sum(dim=1)
        templates = (model.observe(pulled, approximate=True) * weight[k]).double()
        rows = ((model_image.jacobian * weight[:, None])[k]).double()
        left = ((data - model_image.image) * weight)[k].double()
        free_rows, held = rows[: len(model.names)], rows[len(model.names) :]
        complement = torch.linalg.svd(free_rows)[2][len(free_rows) :]  # [pixels^2 - p, pixels^2]
        r, t = complement @ left, templates @ complement.T
        smooth = torch.eye(len(r)).double() + 0.3**2 * complement @ held.T @ held @ complement.T
        lumpy = smooth + spread**2 * t.T @ t
        log = [-0.5 * (r @ torch.linalg.solve(c, r) + torch.logdet(c)) for c in (smooth, lumpy)]
        assert scanned.log_evidence[k].item() == pytest.approx((log[1] - log[0]).item(), rel=1e-2, abs=0.1)


def test_the_evidence_of_a_prior_is_that_of_a_normal_distribution():
    """Of a linear model with constant noise Laplace's approximation is exact."""
    torch.manual_seed(0)
    rows, floor = torch.randn(3, 20), 0.5
    data, difference = torch.randn(4, 20), []

    def model(parameters):
        return ModelImage(parameters @ rows, rows.expand(len(parameters), -1, -1), torch.zeros(0))

    for scatter in (0.3, 2.0):
        prior = NormalPrior(torch.full((3,), 0.1), torch.full((3,), scatter**-2))
        noise = NoiseModel(0.0, floor)
        found = fit(model, data, noise, prior, torch.zeros(4, 3), 30)
        parts = linearise(data, *model(found.parameters)[:2], noise, prior, found.parameters)
        covariance = floor * torch.eye(20) + scatter**2 * rows.T @ rows
        exact = torch.distributions.MultivariateNormal(prior.mean @ rows, covariance).log_prob(data)
        difference.append(log_evidence(parts, prior, found.objective) - exact)
    torch.testing.assert_close(difference[0], difference[1], atol=2e-3, rtol=0)
    assert difference[0].std() < 2e-3


def test_the_odds_are_the_integral_over_places_and_masses(planted):
    model, scan, noise, parameters, _, _, data = planted
    prior, nothing = free(model), torch.zeros(2)
    found = Fit(parameters[:2], nothing, nothing == 0, nothing, prior.precision.expand(2, -1))
    scanned = scan(noisy(data, noise)[:2], found, model.image_and_derivatives(parameters[:2]), noise, prior)
    for k in range(2):
        z, area = (a[k].flatten().double()[:, None] for a in (scanned.significance, scanned.area))
        power = (z / area) ** 2
        tried = torch.linspace(0, 0.6, 60_001, dtype=torch.double)
        density = 2 / (0.1 * (2 * np.pi) ** 0.5) * (-0.5 * (tried / 0.1) ** 2).exp()
        likelihood = (power * (area * tried - tried**2 / 2)).exp()  # over that without mass
        integral = torch.trapezoid(density * likelihood, tried, dim=1).mean()
        assert scanned.log_odds[k].item() == pytest.approx(integral.log().item(), rel=1e-3, abs=0.02)


def test_a_fit_that_has_not_converged_counts_as_one_without_residuals(planted):
    model, scan, noise, parameters, *_, data = planted
    nothing = torch.zeros(2)
    found = Fit(parameters[:2], nothing, nothing == 1, nothing, free(model).precision.expand(2, -1))
    scanned = scan(data[:2], found, model.image_and_derivatives(parameters[:2]), noise, free(model))
    assert (scanned.significance == 0).all()
    assert (scanned.log_odds < 0).all()
    assert (scanned.log_evidence < 0).all()
    assert (scanned.field_image == 0).all()


# --- what real lenses have besides -----------------------------------------------------------------------------------


def test_source_pixels_fit_a_source_that_is_no_sersic_profile():
    """A clump beside the profile: with source pixels, chi-square is that of noise, and no mass is found."""
    simulation = preset_simulation("model_b")
    lenses = scene.draw_scenes(simulation, 3, "d", "test", "smooth", np.arange(8)).lens
    noise, z = NoiseModel(1e-3, 4e-5), {}
    drawing = LensModel(simulation, source_pixels=9)
    truth = torch.tensor(drawing.parametrisation.of_scenes(lenses), dtype=torch.float32)
    truth[:, len(drawing.names) + 9 * 3 + 5] = 1.5
    data = noisy(drawing(truth), noise)
    for source_pixels in (0, 11):
        model = LensModel(simulation, source_pixels=source_pixels)
        start = torch.tensor(model.parametrisation.of_scenes(lenses), dtype=torch.float32)
        found = fit(model.image_and_derivatives, data, noise, free(model), start, 40)
        scan = Scan(model, side=9, half_width_arcsec=2.0, softening_arcsec=0.1)
        scanned = scan(data, found, model.image_and_derivatives(found.parameters), noise, free(model))
        z[source_pixels] = scanned.significance.amax(dim=(1, 2)).median()
        assert (found.objective.median() < 1.1 * model.pixels**2) == bool(source_pixels)
    assert z[11] < 3.5 < z[0]


def test_a_few_components_span_the_lens_light_residual():
    simulation = preset_simulation("model_c")
    model = LensModel(simulation, lens_light_components=8)
    learnt, new = (
        scene.draw_scenes(simulation, seed, "d", "test", "smooth", np.arange(48 * seed)).lens for seed in (4, 1)
    )
    seen = [
        model.observe(torch.tensor(lens_light(simulation, q, model.side).residual).float()).numpy()
        for q in (learnt, new)
    ]
    mean, images = principal_components(seen[0], 8)
    amplitudes, *_ = np.linalg.lstsq(images.T, (seen[1] - mean).T, rcond=None)
    missed = seen[1] - mean - amplitudes.T @ images
    assert np.abs(missed).max() < 0.1 * np.abs(seen[1] - mean).max()
    assert 0.5 < amplitudes.std() < 1.5  # so that a standard normal prior is right


def test_the_lens_light_residual_agrees_with_the_simulator():
    simulation = preset_simulation("model_c", above={"source": {"clumps": None}})
    scenes = scene.draw_scenes(simulation, 1, "d", "test", "smooth", np.arange(6))
    model = LensModel(simulation, rays=4, elliptical=True, multipoles=(3, 4), free_index=True)
    lens = model(torch.tensor(model.parametrisation.of_scenes(scenes.lens)).float())
    light = lens_light(simulation, scenes.lens, model.side)
    whole, left = (model.observe(torch.tensor(part).float()) for part in (light.total, light.residual))
    rendered = {k: torch.tensor(v).flatten(1) for k, v in render.renderer(simulation.camera, "smooth")(scenes).items()}
    sigma = (1e-3 * rendered["image"] + 4e-5).sqrt()
    for ours, theirs in ((whole + lens, rendered["image"]), (left + lens, rendered["image"] - rendered["subtracted"])):
        assert ((ours - theirs) / sigma).abs().mean() < 0.05


def test_correlated_noise_is_made_white():
    rng, even = np.random.default_rng(0), np.full((16, 16), 50.0)
    taken = [camera.expose(even, rng, exposure_s=1.0, sky=0.0, correlation_pixels=0.5) - even for _ in range(400)]
    images = torch.tensor(np.stack(taken)).flatten(1) / 50**0.5
    white = NoiseModel(0.0, 1.0, torch.tensor(camera.decorrelation(16, 0.5))).whiten(images)

    def neighbours(a):
        a = a.view(-1, 16, 16)
        return (a[:, 1:] * a[:, :-1]).mean().item(), (a[:, :, 1:] * a[:, :, :-1]).mean().item()

    assert min(neighbours(images)) > 0.2
    assert np.abs(neighbours(white)).max() < 0.02
    assert white.var().item() == pytest.approx(1, abs=0.03)


# --- the detector ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    model = loading.detector("lensfit").build(16, seed=1, simulation=SMALL.plain(), lenses=1024, scan_side=9)
    renderer = render.renderer(SMALL.camera, "smooth")
    scenes = scene.draw_scenes(SMALL, 3, "d", "test", "smooth", np.arange(64))
    seen = renderer(scenes)["image"]
    images = (seen + np.sqrt(1e-3 * seen + 1.6e-4) * np.random.default_rng(0).standard_normal(seen.shape)).astype("f4")
    model.fit(images, seed=1, camera=KnownCamera(1e-3, 1.6e-4, 2.1), training={"epochs": 150, "batch_size": 64})
    return model, images


def test_initial_parameters_of_the_network_reach_the_optimum(trained):
    model, images = trained
    scaled = torch.from_numpy(images)[:, None] / model.scale
    with torch.no_grad():
        found = [model.fit_lenses(part) for part in scaled.split(8)]
    assert torch.cat([f.converged for f in found]).float().mean() > 0.95
    assert torch.cat([f.objective for f in found]).median() < 1.1 * 16**2


@pytest.fixture(scope="module")
def library():
    model = loading.detector("lensfit").build(
        16, seed=1, simulation=SMALL.plain(), lenses=1024, scan_side=9, library_tries=4
    )
    model.fit(np.random.default_rng(1).random((64, 16, 16)).astype("f4"), seed=1, camera=KnownCamera(1e-3, 1.6e-4, 2.1))
    return model


def test_a_library_replaces_the_network(trained, library):
    model, images = trained
    assert library.objectives() == []
    objectives = []
    for kind in (model, library):
        with torch.no_grad():
            scaled = torch.from_numpy(images)[:, None] / kind.scale
            fits = [kind.fit_lenses(part) for part in scaled.split(8)]
        assert torch.cat([f.converged for f in fits]).float().mean() > 0.9
        objectives.append(torch.cat([f.objective for f in fits]))
    assert (objectives[1] < 1.01 * objectives[0]).float().mean() > 0.8


def test_a_fit_does_not_depend_on_the_lenses_beside_it():
    """Lenses take the place of those that have converged."""
    model, noise = LensModel(SMALL, source_pixels=5), NoiseModel(1e-3, 1.6e-4)
    truth = torch.tensor(
        model.parametrisation.of_scenes(scene.draw_scenes(SMALL, 3, "d", "test", "smooth", np.arange(8)).lens),
        dtype=torch.float32,
    )
    data, prior = noisy(model(truth), noise), free(model)
    tails = HeavyTails(model.parametrisation.source_pixel_amplitudes, 1.0, 0.03)
    start = truth.clone()
    start[:, 0] += 0.02 * torch.arange(8)  # some take longer than others

    def fitted(order, **settings):
        return fit(model.image_and_derivatives, data[order], noise, prior, start[order], 20, slots=2, **settings)

    order = torch.tensor([5, 2, 0, 7, 1, 4, 6, 3])
    for settings in ({}, {"tails": tails}):
        first, second = fitted(torch.arange(8), **settings), fitted(order, **settings)
        assert len(set(first.steps.tolist())) > 1
        for one, other in zip(first.of(order), second, strict=True):
            assert torch.equal(one, other)


def test_of_two_fits_the_better_counts():
    def fits(objective, converged):
        objective = torch.tensor(objective)
        return Fit(objective[:, None], objective, torch.tensor(converged), torch.zeros(4), objective[:, None])

    one = fits([1.0, 2.0, 1.0, 5.0], [True, True, False, False])
    other = fits([2.0, 1.0, 9.0, 4.0], [True, True, True, False])
    best = one.or_better(other)
    assert best.objective.tolist() == [1.0, 1.0, 9.0, 4.0]
    assert best.parameters[:, 0].tolist() == best.objective.tolist()
    assert best.converged.tolist() == [True, True, True, False]


@pytest.mark.parametrize("scatter", [0.1, 0.5])
def test_the_scatter_of_source_pixels_is_estimated_from_images(scatter):
    model = loading.detector("lensfit").build(
        16, seed=1, simulation=SMALL.plain(), lenses=512, scan_side=3, source_pixels=5, source_pixel_freedom=None
    )
    scenes = scene.draw_scenes(SMALL, 3, "d", "test", "smooth", np.arange(64))
    parameters = torch.tensor(model.lens_model.parametrisation.of_scenes(scenes.lens)).float()
    generator = torch.Generator().manual_seed(5)
    amplitudes = scatter * torch.randn(64, 25, generator=generator)
    parameters[:, len(model.lens_model.names) :] = amplitudes
    images = noisy(model.lens_model(parameters).clamp(min=0), NoiseModel(1e-3, 1.6e-4)).view(-1, 16, 16).numpy()
    training = {"epochs": 60, "batch_size": 64}
    model.fit(images, seed=1, camera=KnownCamera(1e-3, 1.6e-4, 2.1), training=training)
    learnt = model.population.scatter[len(model.lens_model.names)].item()
    assert scatter / 2 <= learnt <= 2 * scatter


def test_residuals_are_noise(trained):
    model, images = trained
    left = model.residual_inputs(images)
    assert left.shape == (64, 2, 16, 16)
    assert left[:, 0].std() == pytest.approx(1, abs=0.08)
    assert left[:, 1].max() == pytest.approx(model.scores_and_findings(images)[1]["significance"].max(), rel=0.2)


def test_maps_are_interpolated_to_pixels(planted):
    scan = planted[1]
    y, x = (c.view(1, 13, 13) for c in (scan.y, scan.x))
    pixel = (torch.arange(32) + 0.5) * 0.2 - 3.2
    inside = pixel.abs() < 2.4
    for positions, truth in ((x, pixel.expand(32, 32)), (y, -pixel[:, None].expand(32, 32))):
        image = scan.to_pixels(positions)[0]
        torch.testing.assert_close(image[inside][:, inside], truth[inside][:, inside])
        assert (image[0] == 0).all()


def test_the_smallest_detectable_mass_has_five_sigma(trained):
    model, images = trained
    least = model.mass_sensitivities(images)
    beyond = np.isnan(least)
    assert beyond[0].sum() == 16**2 - 12**2  # the scan reaches to 2.4 of 3.2 arcsec
    assert (least[~beyond] > 0).all()
    found = model.scores_and_findings(images)[1]
    above = np.nanmin(least, axis=(1, 2)) / found["min_detectable_arcsec2"]  # interpolated between positions
    assert above.min() > 0.99
    assert np.median(above) < 1.5
    # The scan is sensitive where the light is, not in the centre of the ring.
    assert (least[:, 7:9, 7:9].mean(axis=(1, 2)) > 2 * np.nanmin(least, axis=(1, 2))).mean() > 0.8


def test_fits_reach_or_miss_the_optimum():
    def fits(objective, converged):
        return Fit(
            torch.zeros(5, 1), torch.tensor(objective), torch.tensor(converged), torch.arange(5), torch.ones(5, 1)
        )

    blind = fits([100.5, 102.0, 90.0, 100.0, 100.0], [True, True, True, False, False])
    best = fits([100.0, 100.0, 100.0, 100.0, 100.0], [True, True, False, True, False])
    converged, reached, missed, steps = compare(blind, best)
    assert converged.tolist() == [1, 1, 1, 0, 0]
    assert reached.tolist() == [1, 0, 1, 0, 0]
    assert missed.tolist() == [0, 1, 0, 1, 0]
    assert steps.tolist() == [0, 1, 2, 3, 4]


def test_fit_convergence_is_relative_to_fits_from_the_truth(trained, tmp_path):
    model, _ = trained
    save_model(model, tmp_path / "model", row="lensfit")
    paths = []
    for cls in ("smooth", "cdm"):
        paths.append(tmp_path / f"{cls}.h5")
        shards.write(paths[-1], simulate(SMALL, seed=3, dataset="d", pool="test", cls=cls, first=0, count=32))
    fit_convergence(
        tmp_path / "fit_convergence", tmp_path / "model", paths, dataset="d", row="lensfit", images=200, device="cpu"
    )
    table = fit_convergence_table([tmp_path / "fit_convergence"])
    assert list(table["class"]) == ["smooth", "smooth", "cdm", "cdm"]
    assert list(table["initial_parameters"]) == ["network", "library"] * 2
    assert (table["images"] == 32).all()
    assert (table["reached"] <= table["converged"]).all()
    assert (table["reached"] + table["missed"] <= 32).all()
    assert table.query("initial_parameters == 'network'")["reached"].min() > 28
    assert table.query("initial_parameters == 'library'")["reached"].min() > 24
    # From anywhere but the truth fits do not arrive.
    scatter = model.population.scatter.clone()
    model.population.scatter *= 8
    save_model(model, tmp_path / "lost", row="lensfit")
    model.population.scatter.copy_(scatter)
    fit_convergence(
        tmp_path / "fit_convergence", tmp_path / "lost", paths, dataset="d", row="lensfit", images=200, device="cpu"
    )
    assert (
        fit_convergence_table([tmp_path / "fit_convergence"]).query("initial_parameters == 'network'")["missed"].min()
        > 3
    )


def test_findings_are_returned_with_the_score(trained):
    model, images = trained
    scores, found = model.scores_and_findings(images[:16])
    np.testing.assert_array_equal(scores, model.score(images[:16]))
    assert set(found) == set(model.findings)
    assert np.isin(found["doubtful"], (0, 1)).all()
    assert 0.7 < np.median(found["chi_square"]) < 1.2
    assert (np.abs(found["y_arcsec"]) <= 2.4).all()
    assert found["significance"].shape == (16,)
    broken = images[:2].copy()
    broken[:, :8] = 0  # half a ring
    assert (
        model.scores_and_findings(broken)[1]["chi_square"].max() > 5
        or model.scores_and_findings(broken)[1]["doubtful"].any()
    )


def test_the_score_of_a_masked_image_is_that_of_its_observed_pixels(trained):
    model, images = trained
    mask = masked(images)
    seen = np.where(mask, np.float32(np.nan), images)
    (clean, _), (scores, found) = model.scores_and_findings(images), model.scores_and_findings(seen)
    assert found["doubtful"].mean() < 0.05
    assert 0.7 < np.median(found["chi_square"]) < 1.2
    assert np.median(np.abs(scores - clean)) < 0.5 * clean.std()
    beside = images.copy()
    beside[5] = seen[5]
    assert model.score(seen[5:6])[0] == model.score(beside)[5] == scores[5]
    np.testing.assert_array_equal(np.delete(model.score(beside), 5), np.delete(clean, 5))
    assert (model.anomaly_maps(seen)[mask] == 0).all()
    apart = np.abs(model.reconstructions(seen) - model.reconstructions(images)) / np.sqrt(1.6e-4)
    assert np.median(apart[mask]) < 1


def test_images_with_few_observed_pixels_are_doubtful_and_with_none_refused(trained):
    model, images = trained
    seen = images[:3].copy()
    seen[1, :, :8] = np.nan
    found = model.scores_and_findings(seen)[1]
    assert found["doubtful"].tolist() == [0, 1, 0]
    assert (found["significance"][1], found["at_bounds"][1]) == (0, 0)
    for value in (np.nan, np.inf):
        seen[2] = value
        with pytest.raises(ValueError, match="image 2 has infinite pixels, or none that is not NaN"):
            model.score(seen)


def test_lenses_outside_the_simulation_are_flagged(trained, tmp_path):
    model, images = trained
    assert model.scores_and_findings(images)[1]["at_bounds"].mean() < 0.05
    scenes = scene.draw_scenes(model.population.simulation, 3, "d", "test", "smooth", np.arange(16))
    far = torch.tensor(model.lens_model.parametrisation.of_scenes(scenes.lens)).float()
    far[:, model.lens_model.names.index("einstein_radius")] = 2.4
    seen = noisy(model.lens_model(far), NoiseModel(1e-3, 1.6e-4)).view(-1, 16, 16).numpy()
    found = model.scores_and_findings(seen)[1]
    assert (found["at_bounds"] + found["doubtful"]).mean() > 0.9
    assert found["at_bounds"].mean() > 0.5
    save_model(model, tmp_path / "model")
    loaded, _ = loading.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.scores_and_findings(seen)[1]["at_bounds"], found["at_bounds"])


def test_a_camera_without_noise_is_refused():
    simulation = preset_simulation("model_b", above={"camera": {"noise": "none"}})
    with pytest.raises(ValueError, match=r"camera\.noise: none.*leave the row out"):
        loading.detector("lensfit").build(32, simulation=simulation.plain())


def test_a_fit_may_have_less_freedom_than_the_simulation():
    simulation = preset_simulation("model_c").plain()
    kind = loading.detector("lensfit")
    rich, poor = (
        kind.build(32, simulation=simulation, **how).lens_model
        for how in ({}, {"free": [], "source_pixels": 0, "lens_light_components": 0})
    )
    assert rich.count == len(rich.names) + 15**2 + 8
    assert set(rich.names) - set(poor.names) == {
        *("ellipse_1", "ellipse_2", "log_index"),
        *(f"multipole_{m}_{part}" for m in (3, 4) for part in ("cos", "sin")),
    }
    assert poor.count == len(poor.names)


def test_turned_images_give_turned_maps_and_equal_scores(trained):
    model, images = trained
    scores = model.score(images)
    for turn in (lambda a: np.rot90(a, 1, (1, 2)), lambda a: a[:, :, ::-1]):
        turned = np.ascontiguousarray(turn(images))
        difference = np.abs(model.score(turned) - scores)
        assert np.quantile(difference, 0.9) < 0.1
        maps = turn(model.anomaly_maps(images))
        assert np.corrcoef(model.anomaly_maps(turned).ravel(), maps.ravel())[0, 1] > 0.95


def test_training_images_only_set_the_unit():
    kind, made = loading.detector("lensfit"), []
    asked = np.random.default_rng(3).random((4, 16, 16)).astype("f4")
    for seed in (1, 2):
        images = np.random.default_rng(seed).random((64, 16, 16)).astype("f4")
        images[0, 0, :] = 2.0  # the same brightest pixels
        images[seed, 1] = np.nan
        model = kind.build(16, seed=1, simulation=SMALL.plain(), lenses=128, scan_side=3)
        model.fit(images, seed=1, camera=KnownCamera(1e-3, 1.6e-4, 2.1), training={"epochs": 2, "batch_size": 32})
        made.append(model.score(asked))
    np.testing.assert_array_equal(*made)


def test_only_lensfit_takes_a_simulation():
    with pytest.raises(ValueError, match="LensFit needs simulation"):
        loading.detector("lensfit").build(16)
    with pytest.raises(ValueError, match="DCAE takes no simulation"):
        loading.detector("dcae").build(16, simulation={})


def test_a_gpu_fits_as_many_pixels_at_once_for_large_and_small_images():
    plain = SMALL.plain()
    simulations = {n: plain | {"camera": plain["camera"] | {"pixels": n}} for n in (16, 64)}
    small, large = (
        loading.detector("lensfit").build(n, simulation=simulation, scan_side=3)
        for n, simulation in simulations.items()
    )
    assert small.batch_size == large.batch_size == 8
    # A device without numbers, as there is no GPU where tests run.
    assert small.to("meta").batch_size * 16**2 == large.to("meta").batch_size * 64**2 == 2**20
