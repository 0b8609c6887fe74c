"""Units: images that were scaled or are in another unit are refused, those of the models' cameras are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conftest import ROOT
from oddlens.files.artefacts import read_arrays
from oddlens.lensing.camera import expose
from oddlens.observations.units import ExpectedPixels, check_set, check_units, unit_problems
from oddlens.pretrained import published_models

EXPOSURE, SKY = 1000.0, 0.04
CAMERA = ExpectedPixels(peak=2.0, gain=1 / EXPOSURE, background=SKY / EXPOSURE)


def observed(count, pixels=32, seed=1, bright=1.0):
    """Rings with the noise of `CAMERA`, [n, pixels, pixels], electrons / s."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((pixels, pixels)) - (pixels - 1) / 2
    radius, peak = pixels * rng.uniform(0.2, 0.3, (count, 1, 1)), bright * rng.uniform(1.2, 1.8, (count, 1, 1))
    light = peak * np.exp(-0.5 * ((np.hypot(x, y) - radius) / 2.5) ** 2)
    images = [expose(image, rng, exposure_s=EXPOSURE, sky=SKY) for image in light]
    return np.array(images, np.float32)


IMAGES = observed(12)
LOW, HIGH = IMAGES.min((1, 2), keepdims=True), IMAGES.max((1, 2), keepdims=True)
UNIT = (IMAGES - LOW) / (HIGH - LOW)
SCALED = {
    "0..1": UNIT,
    "0..1 in half precision": UNIT.astype(np.float16),
    "0..1 in 8 bits": np.round(255 * UNIT) / 255,
    "0..255": np.round(255 * UNIT).astype(np.uint8),
    "-1..1": 2 * UNIT - 1,
    "divided by the maximum": IMAGES / HIGH,
    "clipped and divided": np.clip(IMAGES, 0, None) / HIGH,
    "standardised": (IMAGES - IMAGES.mean((1, 2), keepdims=True)) / IMAGES.std((1, 2), keepdims=True),
    "standardised as a set": (IMAGES - IMAGES.mean()) / IMAGES.std(),
    "counts": IMAGES * 60,
    "magnitudes": 25 - 2.5 * np.log10(np.clip(IMAGES, 1e-3, None)),
    "logarithm": np.log10(np.clip(IMAGES, 1e-3, None)),
    "a tenth": IMAGES / 10,
    "clipped": np.clip(IMAGES, 0, None),
    "with sky": IMAGES + 0.5,
    "oversubtracted": IMAGES - 0.5,
    "smooth": np.stack(
        [np.mean([np.roll(i, (a, b), (0, 1)) for a in (-1, 0, 1) for b in (-1, 0, 1)], 0) for i in IMAGES]
    ),
    "nothing": 0 * IMAGES,
    "constant": 0 * IMAGES + 1.5,
    "inverted": -IMAGES,
}


@pytest.mark.parametrize("name", SCALED)
def test_scaled_images_are_refused(name):
    problems = list(unit_problems(SCALED[name], CAMERA))
    assert all(problems)
    assert {len(problem.splitlines()) for problem in problems} == {1}
    with pytest.raises(ValueError, match="its "):
        check_units(SCALED[name][0], CAMERA)


def test_images_as_observed_are_not_refused():
    assert not any(unit_problems(observed(300, seed=2), CAMERA))
    check_set(observed(300, seed=2))


@pytest.mark.parametrize("dataset", ["model_a", "model_b"])
def test_the_models_own_images_are_far_from_the_limits(dataset):
    images = read_arrays(ROOT / "pretrained" / dataset / "mini.h5")[0]["images"]
    expected = published_models.load(f"{dataset}/rbm", ROOT / "pretrained").expected_pixels
    assert expected.gain == pytest.approx(1e-3, rel=1e-5)
    assert expected.background == pytest.approx(4e-5, rel=1e-5)
    assert not any(unit_problems(images, expected))
    check_set(images)
    for factor in (0.6, 1.4):  # of another exposure
        other = ExpectedPixels(expected.peak, expected.gain / factor, expected.background / factor)
        assert not any(unit_problems(images, other))
    scaled = images / images.max((1, 2), keepdims=True)
    assert all(unit_problems(scaled, expected))


def test_a_whole_number_of_electrons_may_be_exactly_one_per_second():
    image = observed(1, bright=0.5)[0]
    image.flat[image.argmax()] = 1.0
    assert image.max() == 1
    check_units(image, CAMERA)


@given(st.integers(0, 500), st.integers(0, 11))
@hypothesis_settings(max_examples=30, deadline=None)
def test_pixels_that_are_not_finite_do_not_count(missing, index):
    rng = np.random.default_rng(missing)
    image = IMAGES[index].copy()
    image.flat[rng.permutation(image.size)[:missing]] = rng.choice([np.nan, np.inf, -np.inf])
    check_units(image, CAMERA)
    assert list(unit_problems(np.full((2, 32, 32), np.nan), CAMERA)) == ["", ""]


def test_an_unknown_camera_leaves_brightness_and_exact_ranges():
    unknown = ExpectedPixels(2.0)
    assert not any(unit_problems(SCALED["smooth"], unknown))
    for name in ("0..1", "-1..1", "standardised", "nothing"):
        assert all(unit_problems(SCALED[name], unknown))


def test_sets_that_were_scaled_one_by_one_are_refused():
    for images in (0.8 * UNIT, IMAGES / HIGH * 2.05, 1.3 * UNIT[:3]):
        with pytest.raises(ValueError, match="one by one"):
            check_set(images)
    with pytest.raises(ValueError, match="faintest"):
        check_set(IMAGES - LOW)


def test_copies_of_one_image_are_no_scaled_set():
    copies = np.stack([np.rot90(IMAGES[0], k) for k in range(4)] * 3)
    check_set(copies)
    check_set(np.zeros((5, 32, 32)))
    check_set(IMAGES[:1])
    check_set(np.full((4, 32, 32), np.nan))
