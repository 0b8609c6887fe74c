"""The linear fit against normal distributions, and derivatives against differences."""

import numpy as np
import pytest
import torch
from scipy import signal, stats

from frames_like_hst import SCALE, Lens, frame
from oddlens.observations.modelling import frame_model
from oddlens.observations.modelling.frame_model import FREE_LIGHT_PRECISION, FrameModel
from oddlens.observations.modelling.lens_light import LensLight
from oddlens.observations.modelling.mass_model import MacroModel
from oddlens.observations.modelling.observation import Observation
from oddlens.observations.modelling.optimiser import optimise
from oddlens.observations.modelling.priors import prior_about
from oddlens.observations.modelling.source_grid import SourceGrid
from oddlens.observations.modelling.source_prior import SourcePrior

LENS = Lens()
TRUTH = {"einstein_radius": LENS.b, "slope": LENS.slope, "centre_y": LENS.centre[0], "centre_x": LENS.centre[1]}
SIZE = (1 / LENS.q - LENS.q) / 2
TRUTH |= {"ellipse_1": SIZE * np.cos(2 * LENS.angle), "ellipse_2": SIZE * np.sin(2 * LENS.angle)}
TRUTH |= {"shear_1": LENS.shear * np.cos(2 * LENS.shear_angle), "shear_2": LENS.shear * np.sin(2 * LENS.shear_angle)}
TRUTH |= {"multipole_4_cos": LENS.multipole_4 * np.cos(4 * 0.3), "multipole_4_sin": LENS.multipole_4 * np.sin(4 * 0.3)}
TRUTH |= {"light_y": LENS.centre[0], "light_x": LENS.centre[1]}
TRUTH |= {f"light_{k}_ellipse_{part}": TRUTH[f"ellipse_{part}"] for k in (1, 2) for part in (1, 2)}


def model_of(pixels, radius=1.5, side=20, widths=8):
    seen = Observation(pixels, pixels.within(radius), 2)
    light = LensLight.of_widths(0.03, radius, widths)
    return FrameModel(seen, (MacroModel(),), light, SourceGrid.around(*LENS.source, 0.35, side))


def parameters_of(model, **changes):
    values = TRUTH | changes
    return torch.tensor([values.get(name, 0.0) for name in model.names], dtype=torch.float64)


@pytest.fixture(scope="module")
def model():
    return model_of(frame(LENS))


@pytest.fixture(scope="module")
def fit(model):
    columns = model.columns(parameters_of(model))
    return model.adapted(model.solve(columns, SourcePrior(model.grid, 1.0)), 8)


def test_the_true_lens_fits_to_the_noise(model, fit):
    assert fit.chi_square / model.observation.count == pytest.approx(0.95, abs=0.06)


def test_the_normal_matrix_has_the_products_of_all_columns(model, monkeypatch):
    monkeypatch.setattr(frame_model, "GRAM_BLOCK", 150)  # several blocks, the last of another size
    columns = model.columns(parameters_of(model))
    every = torch.cat([columns.light, columns.source.double()], dim=1)
    torch.testing.assert_close(columns.normal, every.T @ every, rtol=1e-5, atol=1e-5 * float(columns.normal.max()))


def test_light_is_computed_wherever_the_psf_takes_it_from():
    pixels = frame(LENS, pixels=41)
    seen = Observation(pixels, pixels.within(0.7), 1)
    light = np.random.default_rng(1).standard_normal(len(seen.y))
    everywhere = np.zeros(pixels.image.shape)
    row, column = (pixels.centre[0] - seen.y / SCALE).round().int(), (pixels.centre[1] + seen.x / SCALE).round().int()
    everywhere[row, column] = light
    found = seen.blurred(seen.pixel_means(torch.tensor(light))[None])[:, 0]
    np.testing.assert_allclose(found, signal.convolve2d(everywhere, pixels.psf, mode="same")[seen.use], atol=1e-5)


def test_a_step_that_leaves_the_model_undetermined_is_not_taken(model, fit, monkeypatch):
    prior, solve, calls = prior_about(model.names, fit.columns.parameters, ()), FrameModel.solve, []

    def fails_first(self, columns, source_prior):
        calls.append(columns)
        if len(calls) == 1:
            raise torch.linalg.LinAlgError
        return solve(self, columns, source_prior)

    monkeypatch.setattr(FrameModel, "solve", fails_first)
    better = optimise(model, fit, prior, 2)  # the first failure is in the adaptation of the source's prior
    assert len(calls) > 1
    assert better.linear.log_evidence > fit.log_evidence


def test_the_transpose_of_observing_has_its_products():
    pixels = frame(LENS, pixels=41)
    seen, generator = Observation(pixels, pixels.within(0.7), 1), torch.Generator().manual_seed(0)
    columns = torch.randn(3, seen.shape[0] * seen.shape[1], generator=generator)
    images = torch.randn(seen.count, 5, generator=generator)
    torch.testing.assert_close(
        seen.observe(columns).T @ images, columns @ seen.observe_transposed(images).T, rtol=1e-4, atol=1e-3
    )


def test_derivatives_of_the_determinant_are_those_of_its_logarithm(model, fit):
    found, parameters = model.log_det_derivatives(fit), fit.columns.parameters

    def log_det(at):
        return 2 * float(model.solve(model.columns(at), fit.prior).factor.diagonal().log().sum())

    for k in range(model.light_parameters.start):
        step = torch.zeros_like(parameters)
        step[k] = 1e-4
        wanted = (log_det(parameters + step) - log_det(parameters - step)) / 2e-4
        assert float(found[k]) == pytest.approx(wanted, rel=2e-3, abs=0.05)
    assert (found[model.light_parameters] == 0).all()


def test_blurring_is_a_convolution():
    pixels = frame(LENS, pixels=41)
    seen = Observation(pixels, pixels.within(0.8), 1)
    image = np.random.default_rng(1).standard_normal(seen.shape)
    margin = len(pixels.psf) // 2
    expected = signal.convolve2d(image, pixels.psf, mode="same")[margin:-margin, margin:-margin]
    rows, columns = np.nonzero(seen.use)
    found = seen.blurred(torch.tensor(image.reshape(1, -1)))[:, 0]
    np.testing.assert_allclose(found, expected[rows - rows.min(), columns - columns.min()], atol=1e-5)


def test_the_evidence_is_the_probability_of_the_data():
    """That of a normal distribution with the covariance of noise and of all amplitudes, up to the same constant."""
    pixels = frame(LENS, pixels=41, drizzled=False)
    model = model_of(pixels, radius=0.9, side=8, widths=3)
    found, expected = [], []
    for strength in (0.3, 3.0):
        prior = SourcePrior(model.grid, strength)
        columns = model.columns(parameters_of(model))
        found.append(model.solve(columns, prior).log_evidence)
        lights = len(columns.norms)
        precision = torch.zeros_like(columns.normal)
        precision[lights:, lights:] = prior.matrix
        precision.diagonal()[:lights] = FREE_LIGHT_PRECISION
        matrix = torch.cat([columns.light, columns.source.double()], dim=1).numpy()
        covariance = np.eye(len(matrix)) + matrix @ np.linalg.inv(precision.numpy()) @ matrix.T
        data = model.observation.whitened_data.numpy()
        expected.append(stats.multivariate_normal(cov=covariance, allow_singular=True).logpdf(data))
    assert found[1] - found[0] == pytest.approx(expected[1] - expected[0], abs=1e-3)


def test_the_strength_of_the_prior_has_most_evidence(model, fit):
    strength = fit.prior.strength
    around = [
        model.solve(fit.columns, SourcePrior(model.grid, strength * factor)).log_evidence for factor in (0.5, 1, 2)
    ]
    assert max(around) == around[1]


def test_derivatives_are_those_of_the_image(model, fit):
    derivatives, parameters = model.derivatives(fit), fit.columns.parameters
    amplitudes = fit.amplitudes.clone()
    amplitudes[: len(fit.columns.norms)] = fit.light

    def image(at):
        columns = model.columns(at)
        own = amplitudes.clone()
        own[: len(columns.norms)] *= columns.norms
        return columns.image(own)

    for k, name in enumerate(model.names):
        step = torch.zeros_like(parameters)
        step[k] = 5e-4
        change = (image(parameters + step) - image(parameters - step)) / 1e-3
        error = float((derivatives[:, k] - change).norm() / change.norm())
        assert error < 0.02, (name, error)
