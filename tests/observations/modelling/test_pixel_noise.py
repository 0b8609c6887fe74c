"""Noise that is correlated between pixels is measured in the sky, and whitened whatever is masked."""

import numpy as np
import pytest
import torch
from scipy import ndimage, signal

from frames_like_hst import DRIZZLE
from oddlens.observations.modelling.pixel_noise import (
    MIN_SKY_PIXELS,
    REACH,
    PixelNoise,
    measure_pixel_noise,
    white_noise,
    whitening_matrix,
)

TRUE = signal.convolve2d(DRIZZLE, DRIZZLE)  # the covariance of white noise under the kernel


def drizzled(shape, seed=0):
    white = np.random.default_rng(seed).standard_normal((shape[0] + 2, shape[1] + 2))
    return signal.convolve2d(white, DRIZZLE, mode="valid")


def test_variance_and_correlation_are_measured():
    sigma = np.random.default_rng(1).uniform(1, 2, (300, 300))
    found = measure_pixel_noise(drizzled(sigma.shape) * sigma, sigma, np.ones(sigma.shape, bool), 0.05)
    assert found.variance == pytest.approx(TRUE.max(), rel=0.03)
    np.testing.assert_allclose(found.correlation, TRUE / TRUE.max(), atol=0.02)
    assert found.large_scale_variance == pytest.approx(1, abs=0.1)


def test_objects_and_slow_changes_of_the_sky_do_not_enter():
    image = drizzled((300, 300))
    y, x = np.indices(image.shape)
    image += 2 * np.sin(y / 90) + 0.01 * x
    image[40:50, 60:70] += 50
    found = measure_pixel_noise(image, np.ones(image.shape), np.ones(image.shape, bool), 0.05)
    assert found.variance == pytest.approx(TRUE.max(), rel=0.05)
    np.testing.assert_allclose(found.correlation, TRUE / TRUE.max(), atol=0.03)


def test_a_small_sky_says_nothing():
    image, sky = drizzled((100, 100)), np.zeros((100, 100), bool)
    sky.ravel()[: MIN_SKY_PIXELS - 1] = True
    found = measure_pixel_noise(image, np.ones(image.shape), sky, 0.05)
    assert (found.variance, found.pixels) == (1.0, 0)
    np.testing.assert_array_equal(found.correlation, white_noise().correlation)


def test_whitened_noise_is_white_also_beside_masked_pixels():
    use = np.random.default_rng(2).random((150, 150)) > 0.1
    use[60:70] = False
    sigma = np.random.default_rng(3).uniform(1, 2, use.shape)
    noise = PixelNoise(TRUE.max(), TRUE / TRUE.max(), 1)
    rows, columns = np.nonzero(use)
    matrix = whitening_matrix(rows, columns, sigma[use], noise)
    whitened = np.zeros(use.shape)
    whitened[use] = matrix @ torch.tensor((drizzled(use.shape) * sigma)[use])
    assert whitened[use].var() == pytest.approx(1, abs=0.03)
    both = use[1:] & use[:-1]
    assert abs((whitened[1:] * whitened[:-1])[both].mean()) < 0.03
    both = use[:, 1:] & use[:, :-1]
    assert abs((whitened[:, 1:] * whitened[:, :-1])[both].mean()) < 0.03
    beside = use & ndimage.binary_dilation(~use)
    assert whitened[beside].var() == pytest.approx(1, abs=0.05)


def test_the_matrix_is_exact_where_a_pixel_depends_on_those_near_it():
    """Noise that is a first-order chain along rows: covariance rho^|distance|, and rows independent."""
    rho, side = 0.4, 12
    correlation = np.zeros((2 * REACH + 1, 2 * REACH + 1))
    correlation[REACH] = rho ** np.abs(np.arange(-REACH, REACH + 1))
    rows, columns = (part.ravel() for part in np.indices((3, side)))
    matrix = whitening_matrix(rows, columns, np.ones(3 * side), PixelNoise(2.0, correlation, 1)).to_dense().numpy()
    covariance = 2.0 * (rows[:, None] == rows) * rho ** np.abs(columns[:, None] - columns)
    np.testing.assert_allclose(matrix @ covariance @ matrix.T, np.eye(3 * side), atol=1e-12)


def test_white_noise_is_divided_by_its_scatter():
    rows, columns = (part.ravel() for part in np.indices((4, 5)))
    sigma = np.linspace(1, 2, 20)
    matrix = whitening_matrix(rows, columns, sigma, white_noise()).to_dense().numpy()
    np.testing.assert_allclose(matrix, np.diag(1 / sigma))
