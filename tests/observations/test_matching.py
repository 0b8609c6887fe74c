"""Brightness and noise of matched frames."""

import numpy as np
import pytest

from oddlens.data import shards
from oddlens.observations.matching import match_brightness_and_noise
from oddlens.observations.resampling import to_camera
from oddlens.observations.simulated_set import SimulatedSet
from oddlens.observations.target import BRIGHTNESS_PERCENTILE
from toy_lenses import toy_frame, toy_lens, write_toy_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_toy_study(tmp_path_factory.mktemp("results") / "tiny")


def smooth_images(study):
    return shards.read(study / "shards/toy/validation/smooth/000.h5").images


def test_brightness_and_noise_match_the_data_set(study):
    target, images = SimulatedSet.read(study, "toy").target, smooth_images(study)
    _, ring, noise = toy_lens()
    for factor in (1.0, 1e4):
        frame = toy_frame(factor * (ring + 0.1 * noise), sigma=factor * 1e-3)
        image, too_noisy, _ = match_brightness_and_noise(frame, frame.image, (80, 80), target)
        bright = np.percentile(images, BRIGHTNESS_PERCENTILE, axis=(1, 2))
        assert np.percentile(image, BRIGHTNESS_PERCENTILE) == pytest.approx(np.median(bright), rel=0.1)
        assert too_noisy == 0
    frame = toy_frame(ring, sigma=1.0)
    assert match_brightness_and_noise(frame, frame.image, (80, 80), target)[1] == 1


def test_only_the_missing_noise_is_added(study):
    target, images = SimulatedSet.read(study, "toy").target, smooth_images(study)
    target = target.model_copy(
        update={"camera": target.camera.model_copy(update={"pixels": 36})}
    )  # with much empty sky
    _, ring, _ = toy_lens()
    clean, unit = to_camera(toy_frame(ring, sigma=1.0), ring, (80, 80), target.camera)
    bright = np.median(np.percentile(images, BRIGHTNESS_PERCENTILE, axis=(1, 2)))
    factor = bright / np.percentile(clean, BRIGHTNESS_PERCENTILE)
    wanted = (clean.clip(0) * factor + target.sky) / target.exposure_s
    sigma = np.sqrt(0.7 * wanted.min() / unit.max()) / factor
    image, *_ = match_brightness_and_noise(toy_frame(ring, sigma=sigma), ring, (80, 80), target)
    had = unit * (sigma * factor) ** 2
    faint = had > 0.4 * wanted
    assert faint.sum() > 300
    assert np.mean(((image - factor * clean) ** 2 / (wanted - had))[faint]) == pytest.approx(1, abs=0.3)
