"""The source grid against direct sums, polynomials and differences."""

import numpy as np
import pytest
import torch

from frames_like_hst import Lens, frame
from oddlens.observations.modelling.observation import Observation
from oddlens.observations.modelling.source_grid import SourceGrid, cubic_weights
from oddlens.observations.modelling.source_prior import SourcePrior

GRID = SourceGrid.around(0.1, -0.05, 0.3, 16)


def test_weights_sum_to_one_and_reproduce_straight_lines():
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    weights, slopes = cubic_weights(t)
    nodes = torch.tensor([-1.0, 0.0, 1.0, 2.0], dtype=torch.float64)
    np.testing.assert_allclose(weights.sum(dim=0), 1)
    np.testing.assert_allclose(nodes @ weights, t, atol=1e-12)
    np.testing.assert_allclose(nodes @ slopes, 1, atol=1e-12)


def test_a_plane_is_exact_and_ends_at_the_edge():
    along_y, along_x = (start + GRID.step * np.arange(GRID.side) for start in (GRID.y, GRID.x))
    plane = torch.tensor((2 * along_y[:, None] - along_x + 3).ravel())
    points = torch.tensor([[0.12, 0.3, 0.1], [-0.03, 0.1, 5.0]], dtype=torch.float64)
    np.testing.assert_allclose(GRID.brightness(plane, points)[:2], (2 * points[0] - points[1] + 3)[:2], atol=1e-12)
    np.testing.assert_allclose(GRID.gradient(plane, points)[:, :2], [[2, 2], [-1, -1]], atol=1e-10)
    assert GRID.brightness(plane, points)[2] == 0


def test_the_gradient_is_that_of_the_brightness():
    coefficients = torch.tensor(np.random.default_rng(1).standard_normal(GRID.nodes))
    points = torch.tensor(np.random.default_rng(2).uniform(-0.15, 0.25, (2, 50)))
    for axis in (0, 1):
        step = torch.zeros(2, 1, dtype=torch.float64)
        step[axis] = 1e-6
        change = GRID.brightness(coefficients, points + step) - GRID.brightness(coefficients, points - step)
        np.testing.assert_allclose(GRID.gradient(coefficients, points)[axis], change / 2e-6, atol=1e-5)


def test_columns_are_the_ray_traced_means_of_pixels():
    pixels = frame(Lens(), pixels=41)
    seen = Observation(pixels, pixels.within(0.9), 2)
    alpha = Lens().deflections(seen.y.numpy(), seen.x.numpy())
    beta = torch.stack([seen.y, seen.x]) - torch.tensor(np.stack(alpha))
    coefficients = torch.tensor(np.random.default_rng(1).uniform(0, 1, GRID.nodes))
    direct = seen.pixel_means(GRID.brightness(coefficients, beta))
    np.testing.assert_allclose(coefficients.float() @ GRID.columns(seen, beta), direct.float(), atol=1e-5)


def test_the_log_determinant_is_that_of_the_matrix():
    prior = SourcePrior(GRID, 1.7)
    assert prior.log_det == pytest.approx(float(torch.linalg.slogdet(prior.matrix).logabsdet), rel=1e-9)
    coefficients = torch.tensor(np.random.default_rng(1).standard_normal(GRID.nodes))
    assert float(prior.penalty(coefficients)) == pytest.approx(float(coefficients @ prior.matrix @ coefficients))
