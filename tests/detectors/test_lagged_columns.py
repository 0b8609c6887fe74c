"""Columns of source pixels that are computed anew only where rays have moved, and fits with them."""

from functools import partial

import numpy as np
import pytest
import torch

from oddlens.config.presets import preset_simulation
from oddlens.detectors.blocks.heavy_tails import HeavyTails
from oddlens.detectors.blocks.lagged_columns import LaggedColumns
from oddlens.detectors.blocks.levenberg_marquardt import Fit, fit
from oddlens.detectors.blocks.linearised_model import NormalPrior, linearise
from oddlens.detectors.blocks.noise_model import NoiseModel
from oddlens.detectors.blocks.scan import Scan
from oddlens.lensing import halo_model, profiles, scene
from oddlens.lensing.model import LensModel
from oddlens.lensing.rays import Rays

COUNT, PIXELS = 6, 7
NOISE = NoiseModel(1e-3, 4e-5)


@pytest.fixture(scope="module")
def lenses():
    """A small flexible model, parameters of some lenses, and noisy images of them with random amplitudes."""
    above = {
        "camera": {"pixel_scale_arcsec": 0.4, "pixels": 16, "psf": {"pixels": 9}},
        "source": {"clumps": None},
        "lens": {"light": None},
    }
    simulation = preset_simulation("model_c", above=above)
    model = LensModel(simulation, elliptical=True, source_pixels=PIXELS, lens_light_components=2)
    generator = torch.Generator().manual_seed(3)
    model.lens_light_components += 0.01 * torch.randn(model.lens_light_components.shape, generator=generator)
    scenes = scene.draw_scenes(simulation, 1, "d", "test", "smooth", np.arange(COUNT))
    parameters = torch.tensor(model.parametrisation.of_scenes(scenes.lens), dtype=torch.float32)
    amplitudes = model.parametrisation.source_pixel_amplitudes
    parameters[:, amplitudes] = 0.1 * torch.randn(COUNT, PIXELS**2, generator=generator)
    seen = model(parameters)
    data = seen + NOISE.variance(seen).sqrt() * torch.randn(seen.shape, generator=generator)
    return model, parameters, data


def prior_of(model):
    precision = torch.ones(model.count)
    precision[len(model.names) :] = 0.3**-2
    return NormalPrior(torch.zeros(model.count), precision)


def flags(*lenses):
    return torch.isin(torch.arange(COUNT), torch.tensor(lenses))


def test_new_columns_give_the_exact_linearised_model(lenses):
    model, parameters, data = lenses
    prior, whole = prior_of(model), model.image_and_derivatives(parameters)
    others = model.image_and_derivatives(parameters, source_pixels=False)
    exact = linearise(data, whole.image, whole.jacobian, NOISE, prior, parameters)
    found = LaggedColumns(model).linearise(
        data, others.image, others.jacobian, NOISE, prior, parameters, torch.full((COUNT,), -1.0)
    )
    scale = exact.hessian.diagonal(dim1=1, dim2=2).sqrt()
    assert ((found.hessian - exact.hessian).abs() / (scale[:, :, None] * scale[:, None])).max() < 1e-5
    assert ((found.gradient - exact.gradient).abs() / scale).max() < 1e-3


def test_columns_are_computed_anew_where_rays_have_moved(lenses):
    model, parameters, data = lenses
    prior, lagged = prior_of(model), LaggedColumns(model)
    spacing = parameters[:, model.parametrisation.profile][:, 2].exp() * model.source.spacing

    def columns(moved, max_move):
        there = parameters.clone()
        there[:, model.parametrisation.position.start] += moved * spacing
        at = model.image_and_derivatives(there, source_pixels=False)
        lagged.linearise(data, at.image, at.jacobian, NOISE, prior, there, torch.tensor(max_move))
        return lagged.columns.clone()

    first = columns(0.0, COUNT * [0.1])
    torch.testing.assert_close(columns(0.09, COUNT * [0.1]), first, rtol=0, atol=0)
    changed = (columns(0.09, [0.1, 0.08, 0.1, 0.0, 0.1, -1.0]) != first).flatten(1).any(dim=1)
    assert changed.tolist() == [False, True, False, True, False, True]
    for lens in range(COUNT):
        torch.testing.assert_close(lagged.products[lens], lagged.columns[lens] @ lagged.columns[lens].T)


@pytest.mark.parametrize("heavy", [False, True])
def test_fits_with_lagged_columns_reach_the_optimum(lenses, heavy):
    model, parameters, data = lenses
    tails = HeavyTails(model.parametrisation.source_pixel_amplitudes, 1.0, 0.03) if heavy else None
    start = parameters.clone()
    start[:, len(model.names) :] = 0
    start[:, 0] += 0.02
    how = {"data": data, "noise": NOISE, "prior": prior_of(model), "initial": start, "steps": 60, "tails": tails}
    exact = fit(model.image_and_derivatives, **how)
    others = partial(model.image_and_derivatives, source_pixels=False)
    found = fit(others, **how, lagged=LaggedColumns(model))
    assert (found.converged & exact.converged).all()
    apart = model(found.parameters) - model(exact.parameters)
    assert (apart.square() / NOISE.variance(data)).sum(dim=1).median() < (4 if heavy else 1)


def test_a_flexible_fit_does_not_depend_on_the_lenses_beside_it(lenses):
    model, parameters, data = lenses
    others = partial(model.image_and_derivatives, source_pixels=False)
    tails = HeavyTails(model.parametrisation.source_pixel_amplitudes, 1.0, 0.03)

    def first_of(order):
        fitted = fit(
            *(others, data[order], NOISE, prior_of(model), parameters[order], 20),
            slots=3, tails=tails, lagged=LaggedColumns(model),
        )  # fmt: skip
        return fitted.of(torch.tensor(order.index(0)))

    for a, b in zip(first_of([0, 1, 2, 3]), first_of([5, 0, 4, 2]), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_the_light_of_the_grid_is_that_of_all_rays(lenses):
    """On a CPU only rays that end on the grid or beside it are traced to it."""
    model, parameters, _ = lenses
    generator = torch.Generator().manual_seed(1)
    y, x = 4 * torch.randn(2, COUNT, 3, 500, generator=generator)
    amplitudes = parameters[:, model.parametrisation.source_pixel_amplitudes]
    grid = model.source._pixel_grid(y, x, amplitudes, derivatives=True)
    square = amplitudes.view(COUNT, PIXELS, PIXELS)
    everywhere = model.source._light_of_grid(y.flatten(1), x.flatten(1), square, derivatives=True)
    for ours, theirs in zip((grid.brightness, *grid.gradient), everywhere, strict=True):
        torch.testing.assert_close(ours.flatten(1), theirs, rtol=1e-4, atol=1e-6)
    assert (grid.brightness == 0).float().mean() > 0.3


@pytest.mark.parametrize("ellipse", [(0.3, -0.2), (-1.2, 0.4), (0.004, 0.003)])
def test_the_derivatives_of_an_isothermal_ellipsoid(ellipse):
    h = torch.tensor([ellipse], dtype=torch.float64)
    y, x = 3 * torch.rand(2, 4, 50, generator=torch.Generator().manual_seed(2), dtype=torch.float64) - 1.5

    def deflection(h):
        ratio, angle = (part[:, None, None] for part in halo_model._shape(h))
        return torch.stack(profiles.isothermal_ellipsoid(y, x, 1.0, ratio, angle, torch), dim=1)

    rays = Rays(y, x, torch.zeros(0, 2, 4, 50))
    found, by_h = halo_model.isothermal_ellipsoid(h, rays, derivatives=True)
    torch.testing.assert_close(found, deflection(h))
    for k, derivative in enumerate(by_h):
        change = torch.zeros_like(h)
        change[:, k] = 1e-6
        difference = (deflection(h + change) - deflection(h - change)) / 2e-6
        torch.testing.assert_close(derivative, difference, rtol=1e-4, atol=1e-5)


def test_a_scan_one_by_one_gives_the_results_of_the_batch(lenses):
    model, parameters, data = lenses
    prior, model_image = prior_of(model), model.image_and_derivatives(parameters)
    precision = prior.precision * torch.arange(1.0, COUNT + 1)[:, None]
    fitted = Fit(parameters, torch.zeros(COUNT), flags(0, 1, 2, 4, 5), torch.zeros(COUNT), precision)
    scan = Scan(model, side=5, half_width_arcsec=2.4, softening_arcsec=0.1)
    how = (data, fitted, model_image, NOISE, prior._replace(precision=precision))
    for ours, theirs in zip(scan.one_by_one(*how), scan(*how), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
    assert (scan(*how).residual[3] == 0).all()
