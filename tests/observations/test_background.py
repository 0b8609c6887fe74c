"""The sky of a frame: its level, its noise, and gradients."""

import numpy as np
import pytest
from scipy import ndimage

from oddlens.observations.background import border, measure_background
from toy_lenses import SCALE, toy_lens


def background(image, usable=None):
    return measure_background(image, np.ones(image.shape, bool) if usable is None else usable, SCALE)


def sky(size=161, seed=0):
    """Noise of scatter 0.01."""
    return toy_lens(size, seed)[2]


def galaxies(count, peak, size=161):
    """Round galaxies of 0.3 arcsec in the border."""
    rng, image = np.random.default_rng(5), np.zeros((size, size))
    rows, columns = np.nonzero(border(np.ones((size, size), bool)))
    for k in rng.choice(len(rows), count):
        image[rows[k], columns[k]] = 1
    return peak * ndimage.gaussian_filter(image, 3) * 2 * np.pi * 9


def test_the_border_is_the_outer_tenth_of_the_usable_pixels():
    outer = np.ones((100, 60), bool)
    outer[10:-10, 6:-6] = False
    np.testing.assert_array_equal(border(np.ones((100, 60), bool)), outer)
    framed = np.pad(np.ones((100, 60), bool), 15)  # a masked frame around moves the border inwards
    assert (border(framed)[15:-15, 15:-15] & ~outer).sum() < 0.2 * outer.sum()


@pytest.mark.parametrize("level", [0, 5.0, -5.0, 5000.0])
def test_level_and_noise_of_a_flat_sky(level):
    found = background(sky() + level)
    assert found.level == pytest.approx(level, abs=1e-3)
    assert found.noise == pytest.approx(0.01, rel=0.03)
    assert found.change < 0.005


def test_a_constant_changes_the_level_alone():
    light, ring, noise = toy_lens()
    plain, raised = background(light + ring + noise), background(light + ring + noise - 7)
    assert raised.level == pytest.approx(plain.level - 7, abs=1e-12)
    assert (raised.noise, raised.change) == pytest.approx((plain.noise, plain.change), rel=1e-9)


def test_galaxies_in_the_border_are_neither_sky_nor_noise():
    crowded = sky() + 2 + galaxies(40, 0.5)
    assert np.mean(crowded[border(np.ones(crowded.shape, bool))] > 2.05) > 0.2
    found = background(crowded)
    assert found.level == pytest.approx(2, abs=0.01)
    assert found.noise == pytest.approx(0.01, rel=0.25)


def test_a_wide_halo_and_a_gradient_are_not_noise():
    y, x = np.indices((161, 161))
    assert background(sky() + 5 * np.exp(-np.hypot(y - 80, x - 80) / 20)).noise == pytest.approx(0.01, rel=0.05)
    tilted = background(sky() + 0.2 * x / 161)
    assert tilted.noise == pytest.approx(0.01, rel=0.05)
    assert tilted.change == pytest.approx(0.2, rel=0.05)


def test_unusable_pixels_have_no_influence():
    usable = np.ones((161, 161), bool)
    usable[:30] = False
    usable[100:, 140:] = False
    lit = np.where(usable, sky(), 50.0)
    assert background(lit, usable) == background(sky(), usable)


def test_integers_have_a_level_between_them():
    counts = np.round(np.random.default_rng(2).normal(100.3, 0.8, (161, 161)))
    found = background(counts)
    assert found.level == pytest.approx(100.3, abs=0.05)
    assert found.noise == pytest.approx(np.hypot(0.8, 12**-0.5), rel=0.15)
