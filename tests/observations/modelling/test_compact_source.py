"""A lens with one elliptical source: derivatives, and what it finds."""

import numpy as np
import pytest
import torch

from frames_like_hst import Lens, frame
from oddlens.observations.modelling.binning import binned
from oddlens.observations.modelling.blind_start import BlindSearch
from oddlens.observations.modelling.compact_source import CompactModel
from oddlens.observations.modelling.elliptical_gaussians import elliptical_radius, gaussians, slope


@pytest.fixture(scope="module")
def search():
    return BlindSearch(binned(frame(Lens())), 1.9)


@pytest.fixture(scope="module")
def fit(search):
    mass = search._start(0.88, (0.1, 0.1))
    return search.compact.solve(mass, torch.tensor([0.06, 0.09, 0.1, -0.05], dtype=torch.float64))


def test_the_elliptical_radius_and_its_derivatives():
    y, x = (torch.tensor(np.random.default_rng(k).normal(size=50)) for k in (1, 2))
    h1, h2 = torch.tensor(0.3, dtype=torch.float64), torch.tensor(-0.2, dtype=torch.float64)
    found = elliptical_radius(y, x, h1, h2)
    # In its own frame, R^2 = q u^2 + v^2 / q.
    size = torch.hypot(h1, h2)
    q, angle = (1 + size**2).sqrt() - size, 0.5 * torch.atan2(h2, h1)
    u, v = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    torch.testing.assert_close(found.squared, q * u * u + v * v / q)
    given = [y, x, h1, h2]
    for k, derivative in enumerate(found[1:]):
        moved = [[part + sign * 1e-6 * (j == k) for j, part in enumerate(given)] for sign in (1, -1)]
        change = (elliptical_radius(*moved[0]).squared - elliptical_radius(*moved[1]).squared) / 2e-6
        torch.testing.assert_close(derivative, change, rtol=1e-6, atol=1e-8)


def test_the_slope_of_a_sum_of_gaussians():
    squared, widths = torch.linspace(0.1, 3, 20, dtype=torch.float64), torch.tensor([0.5, 1.2], dtype=torch.float64)
    amplitudes = torch.tensor([2.0, -1.0], dtype=torch.float64)
    change = amplitudes @ (gaussians(squared + 1e-6, widths) - gaussians(squared - 1e-6, widths)) / 2e-6
    torch.testing.assert_close(slope(squared, widths, amplitudes), change, rtol=1e-6, atol=1e-9)


def test_amplitudes_are_not_negative_and_better_than_none(search, fit):
    assert (fit.amplitudes >= 0).all()
    assert fit.amplitudes.any()
    assert fit.residual.square().sum() < search.compact.data.square().sum()


def test_derivatives_are_those_of_the_residual(search, fit):
    """The amplitudes are eliminated: Kaufman's approximation leaves the part of the change that they cannot absorb."""
    model: CompactModel = search.compact
    derivatives = model._derivatives(fit)
    basis = torch.linalg.qr(fit.columns[:, fit.amplitudes > 0]).Q
    for k in range(derivatives.shape[1]):
        images = []
        for sign in (1, -1):
            step = torch.zeros(derivatives.shape[1], dtype=torch.float64)
            step[k] = sign * 1e-4
            images.append(model._moved(fit, step).columns @ fit.amplitudes)
        change = (images[0] - images[1]) / 2e-4
        change = change - basis @ (basis.T @ change)
        assert float((derivatives[:, k] - change).norm() / change.norm()) < 0.02, k


def test_steps_lower_the_objective_and_find_the_radius(search, fit):
    found = search.compact.optimise(fit, 10)
    assert found.objective < fit.objective
    assert found.mass[0] == pytest.approx(Lens().b, rel=0.04)
