"""Distances of samples from real images, against closed forms."""

import numpy as np
import pytest
from scipy import special

from oddlens.statistics.sample_quality import MEASURES, MIN_VARIETY, compare_samples, frechet, sliced_wasserstein


def points(count=4000, dimensions=3, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimensions))


def test_the_frechet_distance_is_that_of_normal_distributions():
    """Shifted by v and stretched by s: |v|^2 + sum (s - 1)^2 s'^2, with the variances of the very points."""
    one, shift, stretch = points(), np.array([1.0, 2.0, 0.0]), np.array([1.0, 2.0, 0.5])
    variance = one.var(axis=0, ddof=1)
    assert frechet(one, one) == pytest.approx(0, abs=1e-6)
    assert frechet(one + shift, one) == pytest.approx(5, rel=1e-9)
    found = frechet((one - one.mean(axis=0)) * stretch + one.mean(axis=0), one)
    assert found == pytest.approx(((stretch - 1) ** 2 * variance).sum(), rel=0.01)


def test_the_sliced_distance_of_a_shift_is_its_mean_projection():
    """|v . d| over the unit sphere of n dimensions: |v| Gamma(n / 2) / (sqrt(pi) Gamma((n + 1) / 2))."""
    one, shift = points(), np.array([3.0, 0.0, 0.0])
    mean = 3 * special.gamma(1.5) / (np.sqrt(np.pi) * special.gamma(2))
    assert sliced_wasserstein(one, one) == 0
    assert sliced_wasserstein(one + shift, one) == pytest.approx(mean, rel=0.1)
    assert sliced_wasserstein(one, one + shift) == sliced_wasserstein(one + shift, one)


def images(count, seed, scale=1.0, noise=0.1):
    rng = np.random.default_rng(seed)
    patterns = np.random.default_rng(99).normal(size=(30, 8, 8))
    codes = rng.normal(size=(count, 30)) * np.linspace(2, 0.5, 30)
    return scale * np.tensordot(codes, patterns, 1) + rng.normal(0, noise, (count, 8, 8))


def test_images_of_the_same_kind_are_at_the_floor():
    found = compare_samples(images(2000, 1), images(1900, 2), images(2100, 3))
    assert sorted(found) == sorted(MEASURES)
    for name in ("sliced_wasserstein", "frechet", "variety"):
        assert found[name] == pytest.approx(found[f"{name}_floor"], rel=0.25)
    assert found["variety"] == pytest.approx(1, abs=0.05)
    # Of a direction among 20 that hold all the variance, the spread is about 1 / sqrt(20).
    assert found["sliced_wasserstein"] < 0.1 / np.sqrt(20)


def test_narrower_and_collapsed_samples_are_detected():
    real, held_out = images(500, 2), images(500, 3)
    narrow = compare_samples(images(500, 1, scale=0.6), real, held_out)
    assert narrow["variety"] == pytest.approx(0.6, abs=0.03)
    assert narrow["frechet"] == pytest.approx(0.4**2, rel=0.2), "the whole variance is 1"
    one = compare_samples(np.repeat(images(1, 1), 500, axis=0), real, held_out)
    assert one["variety"] < 1e-6 < MIN_VARIETY
    assert one["frechet"] > 10 * one["frechet_floor"]
