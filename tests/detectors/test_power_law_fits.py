"""Fits of power-law halos: their derivatives, the slope that a fit measures, and when the slope is free."""

import numpy as np
import pytest
import torch

from oddlens.config.presets import preset_simulation
from oddlens.detectors.blocks.lens_population import LensPopulation, free_parameters
from oddlens.detectors.blocks.levenberg_marquardt import NoiseModel, fit, linearise
from oddlens.detectors.interface import loading
from oddlens.lensing import halo_model, render, scene
from oddlens.lensing.model import LensModel

FEW = {"camera": {"pixels": 20, "pixel_scale_arcsec": 0.25, "psf": {"pixels": 7}}}
PLAIN = {"source": {"clumps": None, "sersic_index": 1.0}}
ELLIPTICAL = preset_simulation("model_c", "power_law", above={**FEW, **PLAIN, "lens": {"light": None}})
ROUND = preset_simulation("model_b", "power_law", above=FEW)


def lenses(simulation, count, **how):
    """A model, the parameters of some lenses, and their images by the simulator."""
    scenes = scene.draw_scenes(simulation, 5, "d", "test", "smooth", np.arange(count))
    model = LensModel(simulation, **how)
    parameters = torch.tensor(model.parametrisation.of_scenes(scenes.lens), dtype=torch.float32)
    images = torch.tensor(render.renderer(simulation.camera, "smooth")(scenes)["image"]).flatten(1)
    return model, parameters, images


def test_a_fit_measures_the_slope_within_its_error():
    """The pull, (fitted - true slope) over the error of the fit, is a standard normal number."""
    model, truth, images = lenses(ELLIPTICAL, 16, elliptical=True, multipoles=(3, 4), free_slope=True, rays=3)
    noise, generator = NoiseModel(1e-3, 4e-5), torch.Generator().manual_seed(3)
    data = images + noise.variance(images).sqrt() * torch.randn(images.shape, generator=generator)
    prior = LensPopulation(ELLIPTICAL, model, 10.0)
    prior.sample(500, torch.Generator().manual_seed(1))
    start = truth.clone()
    slope = model.names.index("slope")
    start[:, slope] = 2.0
    found = fit(model.image_and_derivatives, data, noise, prior.prior(), start, 40)
    assert found.converged.float().mean() > 0.9
    at = model.image_and_derivatives(found.parameters)
    hessian = linearise(data, at.image, at.jacobian, noise, prior.prior(), found.parameters).hessian
    error = torch.linalg.inv(hessian)[:, slope, slope].sqrt()
    pull = (found.parameters[:, slope] - truth[:, slope]) / error
    assert error.median() < 0.05  # the scatter of the lenses is 0.16
    assert pull.abs().median() < 1.2
    assert abs(pull.mean()) < 4 / 16**0.5
    assert (pull.abs() < 3.5).all()


@pytest.mark.parametrize(
    ("simulation", "how"),
    [
        (ROUND, {}),
        (preset_simulation("model_b", above={**FEW, "lens": {"slope": 2.4}}), {}),
        (preset_simulation("model_b", above={**FEW, "lens": {"slope": 1.7}}), {"multipoles": (3,)}),
        (preset_simulation("model_b", above=FEW), {"free_slope": True, "elliptical": True}),
    ],
    ids=["prior", "steep", "shallow", "isothermal"],
)
def test_a_slope_that_is_no_parameter_is_that_of_the_simulation(simulation, how):
    model, parameters, images = lenses(simulation, 6, **how)
    sigma = NoiseModel(1e-3, 4e-5).variance(images).sqrt()
    error = ((model(parameters) - images).abs() / sigma).amax(dim=1).median()
    assert ("slope" in model.names) == ("free_slope" in how)
    if simulation is ROUND:  # of various slopes, and the model has their median
        assert error > 1
    else:
        assert error < 0.3


@pytest.mark.parametrize(
    "how", [{"elliptical": True}, {"multipoles": (3, 4)}, {"elliptical": True, "multipoles": (4,)}]
)
def test_the_jacobian_of_a_fixed_slope_agrees_with_finite_differences(how):
    model, parameters, _ = lenses(preset_simulation("model_b", above={**FEW, "lens": {"slope": 2.4}}), 3, **how)
    model, parameters = model.double(), parameters.double() + 0.03
    jacobian = model.image_and_derivatives(parameters).jacobian
    assert jacobian.shape[1] == len(model.names)
    for k in range(len(model.parametrisation.lens_names)):
        step = torch.zeros_like(parameters)
        step[:, k] = 1e-5
        difference = (model(parameters + step) - model(parameters - step)) / 2e-5
        # The second derivative of the source jumps at the edge of its core.
        assert (difference - jacobian[:, k]).abs().max() < 1e-4 * difference.abs().max(), model.names[k]


@pytest.mark.parametrize("h", [(0.0, 0.0), (1e-5, 0.0), (0.002, -0.001), (0.5, 0.3)])
def test_derivatives_of_halos_in_single_precision_hold_for_nearly_round_ones(h):
    model, parameters, _ = lenses(ELLIPTICAL, 2, elliptical=True, free_slope=True)
    parameters[:, model.parametrisation.ellipse] = torch.tensor(h)
    single = model.image_and_derivatives(parameters).jacobian
    double = model.double().image_and_derivatives(parameters.double()).jacobian
    assert ((single - double).norm(dim=2) / double.norm(dim=2)).max() < 2e-3
    assert torch.isfinite(single).all()


def test_a_nearly_round_halo_is_kept_from_a_circle():
    assert pytest.approx(halo_model._elliptical(torch.zeros(1, 2)).norm() / 2**0.5) == halo_model.MIN_ELLIPTICITY


def test_the_slope_is_free_where_the_simulation_varies_it():
    assert "slope" in free_parameters(ROUND)
    assert "slope" not in free_parameters(preset_simulation("model_b"))
    assert "slope" not in free_parameters(preset_simulation("model_b", above={"lens": {"slope": 2.2}}))
    kind, plain = loading.detector("lensfit"), preset_simulation("model_b").plain()
    free, held = (kind.build(32, simulation=plain, free=free).lens_model.names for free in (["slope"], []))
    assert set(free) - set(held) == {"slope"}
