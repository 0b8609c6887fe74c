"""The smooth lens of a fit as a function of positions: against the differentiable model and closed forms."""

import numpy as np
import pytest
import torch

from oddlens.config.presets import preset_simulation
from oddlens.lensing import injection, profiles, scene
from oddlens.lensing.fitted_lens import FittedLens
from oddlens.lensing.grids import grid
from oddlens.lensing.model import LensModel

SCALE = 0.2


def lens_of(preset, **freedom):
    """A simulated lens with some amplitudes of its source pixels, and its model."""
    simulation = preset_simulation(preset)
    model = LensModel(simulation, rays=6, **freedom)
    scenes = scene.draw_scenes(simulation.only("smooth"), 3, "d", "test", "smooth", np.arange(1))
    parameters = torch.from_numpy(model.parametrisation.of_scenes(scenes.lens))
    amplitudes = model.parametrisation.source_pixel_amplitudes
    parameters[:, amplitudes] = 0.1 * torch.randn(parameters[:, amplitudes].shape, generator=torch.manual_seed(0))
    return model, FittedLens(model, parameters)


ELLIPTICAL = {"elliptical": True, "multipoles": (3, 4), "free_index": True, "source_pixels": 7}


@pytest.mark.parametrize(("preset", "freedom"), [("model_b", {}), ("model_c", ELLIPTICAL)])
def test_its_image_is_that_of_the_model(preset, freedom):
    model, lens = lens_of(preset, **freedom)
    found = injection.model_image(lens, model.pixels, SCALE, model.kernel)
    with torch.no_grad():
        expected = model(lens.parameters.float()).numpy().reshape(found.shape)
    assert np.linalg.norm(found - expected) < 0.01 * np.linalg.norm(expected)


def test_what_is_removed_from_the_halo_no_longer_deflects():
    _, lens = lens_of("model_b")
    y, x = grid(6, 3.0)
    before, after = lens.deflections(y, x), lens.deflections(y, x, removed=1e-4)
    expected = profiles.isothermal_sphere(y, x, 1e-4, np)
    for part in range(2):
        assert before[part].shape == y.shape
        np.testing.assert_allclose(before[part] - after[part], expected[part], atol=1e-9)


def test_it_is_in_the_centre_of_the_image_with_its_einstein_radius():
    _, lens = lens_of("model_b")
    far_y, far_x = lens.deflections(np.array([0.0, 0.0]), np.array([3.0, -3.0]))
    assert lens.centre == (0.0, 0.0)
    assert (far_x[0] - far_x[1]) / 2 == pytest.approx(lens.einstein_radius_arcsec + 3 * float(lens.parameters[0, 1]))
    assert far_y[0] == pytest.approx(-far_y[1])


@pytest.mark.parametrize("slope", [1.7, 2.0, 2.4])
def test_a_halo_of_any_slope_gives_up_the_same_mass(slope):
    simulation = preset_simulation("model_b", above={"lens": {"slope": slope, "shear": {"magnitude": 0.0}}})
    model = LensModel(simulation).double()
    scenes = scene.draw_scenes(simulation, 3, "d", "test", "smooth", np.arange(1))
    lens = FittedLens(model, torch.from_numpy(model.parametrisation.of_scenes(scenes.lens)))
    b, angle = lens.einstein_radius_arcsec, np.linspace(0, 2 * np.pi, 8, endpoint=False)
    y, x = b * np.sin(angle), b * np.cos(angle)
    held = [
        b * np.mean(alpha_y * np.sin(angle) + alpha_x * np.cos(angle))
        for alpha_y, alpha_x in (lens.deflections(y, x), lens.deflections(y, x, 0.05))
    ]
    assert held[0] == pytest.approx(b * b, rel=1e-6)
    assert held[0] - held[1] == pytest.approx(0.05 * b, rel=1e-5)
