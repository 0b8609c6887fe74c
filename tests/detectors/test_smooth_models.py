"""Smooth models of images: the lens of the simulation where it explains them, else a ring model, else none."""

import numpy as np
import pytest
import torch

from oddlens.config.presets import preset_simulation
from oddlens.detectors.evaluation.smooth_models import Observation, SmoothModels
from oddlens.lensing import injection, scene
from oddlens.lensing.fitted_lens import FittedLens
from oddlens.lensing.injection import Perturber
from oddlens.lensing.model import LensModel
from oddlens.lensing.ring_model import NODES, RingModel, Source

SIMULATION = preset_simulation("model_b").only("smooth")
MODEL = LensModel(SIMULATION, rays=4)
PIXELS, SCALE, GAIN, BACKGROUND = 32, 0.2, 1e-3, 4e-5


class TwoSources(RingModel):
    """A lens whose source is a faint galaxy with a bright companion."""

    def source_brightness(self, y, x):
        galaxy, companion = (np.hypot(y - b, x - a) / s for b, a, s in ((0.1, -0.1, 0.3), (-0.35, 0.45, 0.12)))
        return 0.4 * np.exp(-(galaxy**2)) + 1.2 * np.exp(-(companion**2))


def true_lens(index):
    scenes = scene.draw_scenes(SIMULATION, 3, "d", "test", "smooth", np.array([index]))
    return FittedLens(MODEL, torch.from_numpy(MODEL.parametrisation.of_scenes(scenes.lens)))


def observed(lens=None, seed=0, masked=0, background=BACKGROUND):
    """An observation of a lens, or of noise alone."""
    clean = np.zeros((PIXELS, PIXELS))
    if lens is not None:
        clean = injection.model_image(lens, PIXELS, SCALE, MODEL.kernel)
    image = clean + np.random.default_rng(seed).normal(size=clean.shape) * np.sqrt(background + GAIN * clean)
    image[:masked] = np.nan
    return Observation(image, GAIN, background, SCALE, np.ones((1, 1)) if lens is None else MODEL.kernel)


@pytest.fixture(scope="module")
def auto():
    return SmoothModels("auto", SIMULATION.plain(), 1)


@pytest.fixture(scope="module")
def complex_lens():
    return TwoSources(1.4, (0.0, 0.0), (0.05, 0.02), Source(np.zeros((NODES, NODES)), (0.0, 0.0), 1.0))


@pytest.mark.parametrize("masked", [0, 5])
def test_a_simulated_lens_is_found_and_its_change_is_the_true_one(auto, masked):
    true = true_lens(0)
    lens, psf = auto(observed(true, masked=masked))
    assert lens.kind == "lensfit"
    assert 0.8 < lens.chi_square < 1.2
    assert lens.unexplained < 0.003
    assert lens.einstein_radius_arcsec == pytest.approx(true.einstein_radius_arcsec, abs=0.02)
    np.testing.assert_array_equal(psf, MODEL.kernel)
    perturber = Perturber(0.9, 1.0, 0.02, 0.2)
    found, expected = (injection.change(each, perturber, PIXELS, SCALE, psf) for each in (lens, true))
    assert np.linalg.norm(found - expected) < 0.1 * np.linalg.norm(expected)


def test_an_image_has_the_same_model_after_others(auto):
    again = SmoothModels("auto", SIMULATION.plain(), 1)
    again(observed(true_lens(1), background=10 * BACKGROUND))
    first, second = (models(observed(true_lens(0))).lens.parameters for models in (auto, again))
    assert torch.equal(first, second)


def test_a_lens_that_the_simulation_does_not_explain_has_a_ring_model(auto, complex_lens):
    image = observed(complex_lens)
    lens, _ = auto(image)
    assert lens.kind == "ring"
    assert lens.unexplained < 0.003
    assert auto.fit(image.image, GAIN, BACKGROUND).unexplained > 3 * lens.unexplained


def test_faint_light_that_only_noise_leaves_unexplained_keeps_the_lens_of_the_simulation(auto):
    image = observed(true_lens(0), background=0.1)
    lens, _ = auto(image)
    assert lens.kind == "lensfit"
    assert lens.chi_square < 1.3


def test_without_a_simulation_and_by_choice_models_are_rings():
    for models in (SmoothModels("auto", None, 1), SmoothModels("ring", SIMULATION.plain(), 1)):
        assert models(observed(true_lens(0))).lens.kind == "ring"


def test_noise_alone_has_no_model(auto):
    for seed in range(20):
        with pytest.raises(ValueError, match="no light"):
            auto(observed(seed=seed))


def test_lensfit_alone_refuses_what_it_does_not_explain(auto, complex_lens):
    alone = SmoothModels("lensfit", None, 1)
    alone.fit = lambda *_: FittedLens(MODEL, true_lens(0).parameters, chi_square=50.0, unexplained=0.3)
    with pytest.raises(ValueError, match="leaves 30 %"):
        alone(observed(complex_lens))
    alone.fit = lambda *_: None
    with pytest.raises(ValueError, match="no fit converges"):
        alone(observed(complex_lens))
