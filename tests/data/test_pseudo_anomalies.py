"""Weak deflections added to images, compared with images that are resampled at deflected positions."""

import numpy as np
import pytest
from scipy import ndimage

from oddlens.data import pseudo_anomalies
from oddlens.data.pseudo_anomalies import add_weak_deflection


def ring(count=4, pixels=32, noise=0.0, seed=0):
    y, x = np.mgrid[:pixels, :pixels] - (pixels - 1) / 2
    light = np.exp(-0.5 * ((np.hypot(y, x) - 8) / 2.5) ** 2)
    return (light + np.random.default_rng(seed).normal(0, noise, (count, pixels, pixels))).astype(np.float32)


def test_the_change_is_that_of_light_displaced_at_one_position(monkeypatch):
    """For a small displacement the first order suffices: compared with an image resampled at shifted positions."""
    monkeypatch.setattr(pseudo_anomalies, "DISPLACEMENT_PIXELS", (0.05, 0.050001))
    image = ring(1)
    found = (add_weak_deflection(image, 1.0, "x", seed=1) - image)[0]
    light = ndimage.gaussian_filter(image[0].astype(float), 1.0, mode="constant")
    y, x = np.mgrid[:32, :32].astype(float)

    def resampled(at):
        dy, dx = y - at[0], x - at[1]
        size = 0.05 * 2 * pseudo_anomalies.SOFTENING_PIXELS / (dy**2 + dx**2 + pseudo_anomalies.SOFTENING_PIXELS**2)
        return ndimage.map_coordinates(light, [y - size * dy, x - size * dx], order=3) - light

    misfit = {at: np.abs(resampled(at) - found).max() for at in np.ndindex(32, 32) if image[0][at] > 0.5}
    first, second = sorted(misfit.values())[:2]
    assert first < 0.1 * np.abs(found).max()
    assert second > 3 * first, "only one position fits"
    assert np.abs(found).max() > 1e-3


def test_the_noise_is_unchanged():
    """What is added is smooth: at the pixel scale a pseudo-anomaly is as rough as its image."""
    images = ring(20, noise=0.2)
    made = add_weak_deflection(images, 1.0, "x", seed=1)
    rough = [np.std(ndimage.laplace(i.astype(float))) for i in images]
    assert np.std([ndimage.laplace(m.astype(float)) for m in made]) == pytest.approx(np.mean(rough), rel=0.02)
    assert made.dtype == images.dtype
    assert made.shape == images.shape


def test_a_pseudo_anomaly_depends_on_its_name_only():
    images = ring(6, noise=0.1)
    made = add_weak_deflection(images, 1.0, "one", seed=1)
    np.testing.assert_array_equal(made[:3], add_weak_deflection(images[:3], 1.0, "one", seed=1))
    assert (made != add_weak_deflection(images, 1.0, "other", seed=1)).any()
    assert (made != add_weak_deflection(images, 1.0, "one", seed=2)).any()
    assert len({tuple(np.unravel_index(np.abs(d).argmax(), d.shape)) for d in made - images}) > 1, "positions differ"


def test_brightness_does_not_reveal_the_deflection():
    """Deflection magnifies, by less than a hundredth of the light."""
    images = ring(50, noise=0.1)
    change = (add_weak_deflection(images, 1.0, "x", seed=1) - images).mean(axis=(1, 2))
    assert np.abs(change.mean()) < 0.01 * images.mean()
