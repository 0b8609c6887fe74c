"""The Sersic profile with a smooth core."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from oddlens.lensing import profiles
from oddlens.lensing.sersic_core import sersic_with_core

CORE = 0.02**2
RADIUS, INTENSITY = 0.15, 20.0


def column(value):
    return torch.full((1, 1, 1), float(value), dtype=torch.float64)


def at(squared, index, derivatives=False, radius=RADIUS):
    squared = torch.as_tensor(squared, dtype=torch.float64).view(1, 1, -1)
    return sersic_with_core(
        squared, column(np.log(radius)), column(np.log(INTENSITY)), column(index), CORE, derivatives
    )


def sersic(squared, index):
    return INTENSITY * np.exp(-profiles.sersic_b(index) * ((squared / RADIUS**2) ** (0.5 / index) - 1))


@pytest.mark.parametrize("index", [0.5, 1, 2.5, 4, 6])
@pytest.mark.parametrize("power", [0, 1])
def test_the_core_has_the_light_and_the_second_moment_of_the_profile(index, power):
    # With u = R^2 and u = s^8 the cusp is smooth.
    exact, _ = quad(lambda s: sersic(s**8, index) * s ** (8 * power) * 8 * s**7, 0, CORE**0.125, epsrel=1e-10)
    found, _ = quad(lambda u: at(u, index).light.item() * u**power, 0, CORE, epsrel=1e-10)
    assert found == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize("index", [0.5, 1, 4])
def test_outside_its_core_it_is_the_profile_and_the_edge_is_smooth(index):
    squared = np.array([1.0001, 1.5, 30]) * CORE
    np.testing.assert_allclose(at(squared, index).light.flatten(), sersic(squared, index), rtol=1e-12)
    inner, outer = (at(CORE * (1 + step), index, True) for step in (-1e-7, 1e-7))
    for inside, outside in zip(inner, outer, strict=True):
        torch.testing.assert_close(inside, outside, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("index", [0.5, 1, 4])
def test_derivatives_agree_with_finite_differences(index):
    squared, step = np.array([1e-6, 0.1, 0.5, 0.9, 1.2, 40]) * CORE, 1e-5
    found = at(squared, index, True)

    def difference(higher, lower, width):
        return (higher.light - lower.light) / width

    by_radius = difference(
        at(squared, index, radius=RADIUS * np.exp(step)), at(squared, index, radius=RADIUS * np.exp(-step)), 2 * step
    )
    by_index = difference(at(squared, index * np.exp(step)), at(squared, index * np.exp(-step)), 2 * step)
    by_square = difference(
        at(squared * (1 + step), index), at(squared * (1 - step), index), 2 * step * torch.tensor(squared)
    )
    torch.testing.assert_close(found.by_log_radius, by_radius, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found.by_log_index, by_index, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found.slope, -2 * by_square, rtol=1e-3, atol=1e-3)
