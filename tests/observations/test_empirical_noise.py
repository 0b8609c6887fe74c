"""Empirical noise: variance, correlation, and frames that are too small."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

from oddlens.observations.empirical_noise import EmpiricalNoise, add_noise, measure_noise
from oddlens.observations.matching import MatchedFrame
from oddlens.observations.resampling import to_camera
from oddlens.observations.simulated_set import SimulatedSet
from toy_lenses import toy_frame, toy_lens, write_toy_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_toy_study(tmp_path_factory.mktemp("results") / "tiny")


def matched_frame(frame, light, centre, factor):
    return MatchedFrame(frame, centre, light, np.zeros((16, 16), np.float32), factor, 0.0, "")


def test_sampled_noise_keeps_variance_and_correlation():
    rng = np.random.default_rng(0)
    sky = ndimage.gaussian_filter(rng.standard_normal((200, 200)), 1.0)
    windows = sliding_window_view(sky, (12, 12))
    noise = EmpiricalNoise.of(windows, np.argwhere(np.ones(windows.shape[:2], bool)), 250)
    sampled = noise.sample(400, 32, rng)
    assert sampled.shape == (400, 32, 32)
    assert sampled.var() == pytest.approx(sky.var(), rel=0.05)
    by_column = sampled.var(axis=(0, 1))
    assert by_column.max() / by_column.min() < 1.25  # no seams
    near = [np.mean(a[..., 1:] * a[..., :-1]) / a.var() for a in (sampled, sky)]
    assert near[0] == pytest.approx(near[1], abs=0.05)


def test_small_frames_have_no_empirical_noise(study):
    toy = SimulatedSet.read(study, "toy")
    light, ring, noise = toy_lens()
    with pytest.raises(ValueError, match="0 tiles"):
        measure_noise(matched_frame(toy_frame(light + ring + noise), light, (80, 80), 1.0), toy.target)


def test_the_noise_of_a_wide_frame_has_its_variance(study):
    toy, rng = SimulatedSet.read(study, "toy"), np.random.default_rng(1)
    frame = toy_frame(rng.normal(0, 0.3, (321, 321)), sigma=0.3)
    noise = measure_noise(matched_frame(frame, np.zeros((321, 321)), (160, 160), 2.0), toy.target)
    _, variance = to_camera(frame, frame.image, (160, 160), toy.target.camera)
    assert noise.variance == pytest.approx(4 * variance.mean(), rel=0.25)
    clean = np.full((3, 16, 16), 5.0)
    noisy = add_noise(clean, np.full(3, 1e9), np.zeros(3), noise, rng)
    assert (noisy - clean).var() == pytest.approx(noise.variance, rel=0.5)


def all_windows(sky):
    windows = sliding_window_view(sky, (8, 8))
    positions = np.argwhere(np.ones(windows.shape[:2], bool))
    return EmpiricalNoise.of(windows, positions, sky.size / 64)


def test_halves_share_no_pixel():
    rng = np.random.default_rng(2)
    sky = rng.normal(0, np.where(np.arange(80) < 40, 1.0, 2.0), (60, 80))  # noisier on the right
    noise = all_windows(sky)
    left, right = noise.halves()
    assert left.positions[:, 1].max() + 8 <= right.positions[:, 1].min()
    assert left.variance == pytest.approx(1, rel=0.1)
    assert right.variance == pytest.approx(4, rel=0.1)
    assert left.independent_tiles == pytest.approx(60 * 40 / 64, rel=0.1)
    assert right.sample(20, 16, rng).var() == pytest.approx(4, rel=0.2)
    assert noise._part(np.ones(len(noise.positions), bool)).variance == noise.variance


def test_small_backgrounds_have_no_halves():
    with pytest.raises(ValueError, match="at least 15"):
        all_windows(np.random.default_rng(3).normal(size=(20, 80))).halves()


def test_sampled_noise_has_no_level():
    """Even if pixels in the middle of the background, which more tiles contain, are brighter than its edges."""
    rng = np.random.default_rng(4)
    bump = np.exp(-0.5 * ((np.indices((60, 60)) - 30) ** 2).sum(axis=0) / 15**2)
    noise = all_windows(rng.normal(size=(60, 60)) + bump - bump.mean())
    assert noise.level > 0.05
    sampled = noise.sample(500, 32, rng)
    assert abs(sampled.mean()) < 0.02
    assert sampled.var() == pytest.approx(noise.variance, rel=0.1)


def test_twins_have_the_same_noise_of_the_sky():
    noise = all_windows(np.random.default_rng(5).normal(0, 3, (60, 60)))
    images = np.stack([np.full((20, 16, 16), level) for level in (0.5, 2.0)])
    seen = [add_noise(image, np.full(20, 1e4), np.zeros(20), noise, np.random.default_rng(6)) for image in images]
    assert np.corrcoef(*(image.ravel() for image in seen))[0, 1] > 0.99
