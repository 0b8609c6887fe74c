"""Heavy-tailed priors against closed forms and sampling."""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from oddlens.detectors.blocks.heavy_tails import HeavyTails
from oddlens.detectors.blocks.linearised_model import NormalPrior, linearise
from oddlens.detectors.blocks.noise_model import NoiseModel

WHITE = NoiseModel(0.0, 1.0)


def precision(rows, data, *, nu, scale, passes):
    """The precision of all parameters of the linear model data = parameters . rows + noise."""
    p = len(rows)
    prior, zero = NormalPrior(torch.zeros(p), torch.ones(p)), torch.zeros(1, p)
    linearised = linearise(data[None], torch.zeros_like(data[None]), rows[None], WHITE, prior, zero)
    return HeavyTails(slice(0, p), nu, scale, passes).precision(linearised, prior, zero)[0]


def test_with_many_degrees_of_freedom_the_prior_is_normal():
    rows, data = torch.eye(3), torch.tensor([0.0, 1.0, 30.0])
    found = precision(rows, data, nu=1e8, scale=0.5, passes=4)
    torch.testing.assert_close(found, torch.full((3,), 4.0), rtol=1e-4, atol=0)


@pytest.mark.parametrize("observed", [0.0, 1.0, 10.0])
def test_the_variance_of_one_amplitude_is_the_fixed_point(observed):
    sensitivity, nu, scale = 3.0, 1.0, 0.1

    def excess(v):
        variance = 1 / (sensitivity**2 + 1 / v)
        square = (variance * sensitivity * observed) ** 2 + variance
        return (nu * scale**2 + square) / (nu + 1) - v

    found = precision(torch.tensor([[sensitivity]]), torch.tensor([observed]), nu=nu, scale=scale, passes=60)
    assert 1 / found.item() == pytest.approx(brentq(excess, 1e-4, 1e3), rel=1e-3)


def test_a_reweighted_fit_is_near_the_mean_of_the_posterior():
    """Gibbs sampling of a linear model with Student's t prior, whose amplitudes are zero but for one."""
    random, nu, scale, count = np.random.default_rng(0), 1.0, 0.05, 12
    rows = random.normal(size=(count, 40))
    truth = np.where(np.arange(count) == 4, 2.0, 0.0)
    data = truth @ rows + random.normal(size=40)
    a, samples = np.zeros(count), []
    for _ in range(6000):
        inverse = random.gamma((nu + 1) / 2, 2 / (nu * scale**2 + a**2))
        covariance = np.linalg.inv(rows @ rows.T + np.diag(inverse))
        a = random.multivariate_normal(covariance @ rows @ data, covariance)
        samples.append(a)
    samples = np.array(samples[500:])

    tensors = (torch.tensor(each, dtype=torch.float32) for each in (rows, data))
    found = precision(*tensors, nu=nu, scale=scale, passes=40).double().numpy()
    fitted = np.linalg.solve(rows @ rows.T + np.diag(found), rows @ data)
    normal = np.linalg.solve(rows @ rows.T + np.eye(count) / 0.6**2, rows @ data)  # of the true variance
    assert np.abs(fitted - samples.mean(axis=0)).max() < 0.5 * samples.std(axis=0).max()
    assert np.abs(fitted - truth).sum() < 0.5 * np.abs(normal - truth).sum()


@pytest.mark.parametrize("scale", [0.05, 0.3])
def test_the_scale_of_an_image_is_that_of_its_amplitudes(scale):
    generator = torch.Generator().manual_seed(2)
    uniform = torch.rand(400, generator=generator)
    truth = scale * torch.tan(torch.pi * (uniform - 0.5))  # of one degree of freedom
    sensitivity = 100.0
    found = precision(sensitivity * torch.eye(400), sensitivity * truth, nu=1.0, scale=None, passes=60)
    assert found.mean().item() ** -0.5 == pytest.approx(scale, rel=0.2)


@pytest.mark.parametrize("passes", [1, 60])
def test_other_parameters_follow_the_amplitudes(passes):
    """The passes solve for the amplitudes alone, and agree with the expectation maximisation of all parameters."""
    generator = torch.Generator().manual_seed(4)
    rows, data = torch.randn(9, 30, generator=generator), torch.randn(30, generator=generator)
    prior = NormalPrior(0.1 * torch.randn(9, generator=generator), torch.linspace(1, 3, 9))
    at, amplitudes, nu, scale = 0.2 * torch.randn(1, 9, generator=generator), slice(2, 7), 1.0, 0.2
    linearised = linearise(data[None], at @ rows, rows[None], WHITE, prior, at)
    found = HeavyTails(amplitudes, nu, scale, passes).precision(linearised, prior, at)[0]

    precision = prior.precision.double()
    for _ in range(passes):
        covariance = torch.linalg.inv(rows.double() @ rows.double().T + torch.diag(precision))
        mean = covariance @ (rows.double() @ data.double() + precision * prior.mean.double())
        square = (mean.square() + covariance.diagonal())[amplitudes]
        precision = precision.clone()
        precision[amplitudes] = (nu + 1) / (nu * scale**2 + square)
    torch.testing.assert_close(found, precision.float(), rtol=1e-3, atol=0)


def test_amplitudes_that_the_data_hardly_tell_apart_have_finite_variances():
    """The information is singular in single precision."""
    rows = 3e4 * torch.ones(3, 20) + torch.eye(3, 20)
    found = precision(rows, 3e4 * torch.ones(20), nu=1.0, scale=1e3, passes=4)
    assert (found > 9e-7).all()
    assert (found < 2e-6).all()
