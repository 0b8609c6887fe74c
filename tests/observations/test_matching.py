"""Brightness and noise of matched frames."""

import numpy as np
import pytest

from oddlens.data import shards
from oddlens.observations.frames import make_frame
from oddlens.observations.matching import match_brightness_and_noise, match_frame
from oddlens.observations.resampling import to_camera
from oddlens.observations.simulated_set import SimulatedSet
from oddlens.observations.target import BRIGHTNESS_PERCENTILE
from toy_lenses import SCALE, toy_frame, toy_lens, write_toy_study


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
    frame = toy_frame(ring, sigma=0.3)
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


def test_sky_unit_and_name_change_no_matched_image(study):
    target, image = SimulatedSet.read(study, "toy").target, sum(toy_lens())
    plain = match_frame(make_frame("plain", image, SCALE), target)
    scatter = plain.image.std()
    for name, unit, sky in (("a", 1, -0.05), ("../b", 1, 0.05), ("", 1e4, 5e4), ("plain", 1e-6, -1)):
        matched = match_frame(make_frame(name, unit * image + sky, SCALE), target)
        assert matched.centre == plain.centre
        np.testing.assert_allclose(matched.image, plain.image, atol=1e-5 * scatter)
    counts = np.round(2000 * image + 1000).astype(np.uint16)
    np.testing.assert_allclose(
        match_frame(make_frame("c", counts, SCALE), target).image, plain.image, atol=0.01 * scatter
    )


def test_a_masked_core_changes_little(study):
    target, image = SimulatedSet.read(study, "toy").target, sum(toy_lens()) - 3
    plain = match_frame(make_frame("plain", image, SCALE), target)
    cored = np.where(np.hypot(*(np.indices(image.shape) - 80)) < 0.3 / SCALE, np.nan, image)
    matched = match_frame(make_frame("cored", cored, SCALE), target)
    assert matched.centre == plain.centre
    assert np.abs(matched.image - plain.image).max() < 0.05 * plain.image.max()


@pytest.mark.parametrize("sky", [0.0, 100.0, -100.0])
def test_empty_sky_is_refused(study, sky):
    target, (light, _, noise) = SimulatedSet.read(study, "toy").target, toy_lens()
    for image in (noise, light + noise, 0 * noise + 1e-3 * noise):
        with pytest.raises(ValueError, match="no light"):
            match_frame(make_frame("toy", image + sky, SCALE), target)
