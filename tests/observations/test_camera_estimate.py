"""The camera that is estimated from images is that of the simulator, or it says what cannot be known."""

import numpy as np
import pytest

from oddlens.config.presets import preset_simulation
from oddlens.lensing import camera as cameras
from oddlens.lensing import render
from oddlens.lensing.simulated_images import simulate_images
from oddlens.observations.camera_estimate import contradictions, estimate_camera

COUNT = 100
EVERY = {"background", "gain", "lag1_correlation"}


@pytest.fixture(scope="module")
def model_b():
    """Model B: images and what the shard says of their noise, with exposures of 500 to 2000 s."""
    simulation = preset_simulation("model_b", above={"camera": {"exposure_s": {"uniform": [500, 2000]}}})
    smooth = render.renderer(simulation.camera, "smooth")
    return simulate_images(simulation, smooth, 1, "d", "train", "smooth", np.arange(COUNT))


@pytest.fixture(scope="module")
def images(model_b):
    """Images of one exposure, 1000 s."""
    return exposed(model_b.noise_free)


def exposed(light, exposure_s=1000.0, sky=0.04, **changes):
    rng = np.random.default_rng(5)
    return np.stack([cameras.expose(image, rng, exposure_s=exposure_s, sky=sky, **changes) for image in light])


def peak(images):
    return images.max(axis=(1, 2), keepdims=True)


def lowest(images):
    return images.min(axis=(1, 2), keepdims=True)


def test_the_camera_of_varying_exposures_is_that_of_the_median_image(model_b):
    found = estimate_camera(model_b.images)
    assert found.gain == pytest.approx(np.median(model_b.camera["noise_gain"]), rel=0.15)
    assert found.background == pytest.approx(np.median(model_b.camera["noise_background"]), rel=0.15)
    assert found.noise_spread == pytest.approx(2.5, rel=0.25)
    assert any("exposures" in note for note in found.notes)


@pytest.mark.parametrize("exposure", [200.0, 1000.0, 10000.0])
def test_the_camera_of_one_exposure_is_found_within_its_uncertainty(model_b, exposure):
    found = estimate_camera(exposed(model_b.noise_free, exposure))
    for value, truth, name in ((found.gain, 1 / exposure, "gain"), (found.background, 0.04 / exposure, "background")):
        assert value == pytest.approx(truth, rel=0.15)
        assert value == pytest.approx(truth, abs=4 * found.errors[name])
        assert found.errors[name] < 0.2 * truth
    assert abs(found.lag1_correlation) < 0.1
    assert found.correction == 1
    assert not found.unknown


def test_read_noise_belongs_to_the_background(model_b):
    found = estimate_camera(exposed(model_b.noise_free, read_electrons=20.0))
    assert found.background == pytest.approx(0.04 / 1000 + (20 / 1000) ** 2, rel=0.15)
    assert found.gain == pytest.approx(1e-3, rel=0.15)


@pytest.mark.parametrize(("width", "error"), [(0.5, 0.15), (0.8, 0.25)])
def test_correlated_noise_is_measured_and_corrected_for(model_b, width, error):
    weights = np.exp(-0.5 * (np.arange(-3, 4) / width) ** 2)
    truth = np.sum(weights[1:] * weights[:-1]) / np.sum(weights**2)
    found = estimate_camera(exposed(model_b.noise_free, correlation_pixels=width))
    assert found.lag1_correlation == pytest.approx(truth, abs=0.04)
    assert found.gain == pytest.approx(1e-3, rel=error)
    assert found.background == pytest.approx(4e-5, rel=error)
    assert any("correlates" in note for note in found.notes)


def test_noise_of_subtracted_lens_light_is_not_taken_for_photon_noise_of_the_source(model_b):
    y, x = np.indices((32, 32)) - 15.5
    lens = 5 * np.exp(-np.hypot(x, y) / 2)
    found = estimate_camera(exposed(model_b.noise_free + lens) - lens)
    assert found.gain == pytest.approx(1e-3, rel=0.15)
    assert found.background == pytest.approx(4e-5, rel=0.15)
    assert found.background_is_limit
    assert not contradictions({"background": 1e-5}, found)
    assert contradictions({"background": 1e-3}, found)


def test_pixels_that_are_unknown_are_ignored(images):
    damaged = images.copy()
    damaged[np.random.default_rng(1).random(images.shape) < 0.03] = np.nan
    damaged[:, :, :5] = np.nan
    damaged[7] = np.nan
    found = estimate_camera(damaged)
    assert found.gain == pytest.approx(1e-3, rel=0.15)
    assert found.background == pytest.approx(4e-5, rel=0.3)


def test_bad_pixels_change_nothing(images):
    rng = np.random.default_rng(1)
    hit = np.where(rng.random(images.shape) < 2e-3, rng.uniform(1, 50, images.shape), images)
    found = estimate_camera(hit)
    assert found.gain == pytest.approx(1e-3, rel=0.15)
    assert found.background == pytest.approx(4e-5, rel=0.15)


def test_counts_have_the_gain_1(images):
    found = estimate_camera(np.rint(images * 1000).astype(np.int64))
    assert found.gain == pytest.approx(1, rel=0.15)
    assert contradictions({"gain": 1e-3}, found)


def test_noise_that_does_not_grow_with_brightness_has_no_gain(model_b):
    noise = 0.02 * np.random.default_rng(2).standard_normal(model_b.images.shape)
    found = estimate_camera(model_b.noise_free + noise)
    assert found.gain == 0
    assert found.background == pytest.approx(4e-4, rel=0.1)


@pytest.mark.parametrize(
    ("change", "unknown"),
    [
        (lambda images: images / peak(images), {"gain"}),
        (lambda images: (images - lowest(images)) / peak(images - lowest(images)), {"gain", "background"}),
        (lambda images: images - lowest(images), {"background"}),
        (lambda images: np.clip(images, 0, None), {"background", "lag1_correlation"}),
        (lambda images: images + 10, {"background"}),
        (lambda images: np.rint(255 * np.clip(images / images.max(), 0, 1)), EVERY),
        (lambda images: images[:1], EVERY),
        (lambda images: np.zeros_like(images), EVERY),
        (lambda images: np.full_like(images, np.nan), EVERY),
        (lambda images: images[:0], EVERY),
    ],
    ids=["peak", "min-max", "shifted", "clipped", "with sky", "8 bits", "one", "zeros", "NaN", "none"],
)
def test_what_cannot_be_known_is_not_a_number_and_has_a_reason(images, change, unknown):
    found = estimate_camera(change(images))
    assert set(found.unknown) == unknown
    assert all(np.isnan(getattr(found, name)) for name in unknown)
    assert all(found.unknown.values())
    assert not contradictions(dict.fromkeys(unknown, 1e9), found)


def test_images_without_noise_have_no_camera(model_b):
    assert set(estimate_camera(model_b.noise_free).unknown) == EVERY


def test_a_stated_camera_is_refused_beyond_a_factor_of_two(images):
    found = estimate_camera(images)
    assert not contradictions({"gain": 1 / 1500, "background": 6e-5}, found)
    assert not contradictions({}, found)
    [gain] = contradictions({"gain": 1 / 3000, "background": 4e-5}, found)
    assert "gain" in gain
    assert "3000" in gain
    assert len(contradictions({"gain": 1.0, "background": 1e-6}, found)) == 2


def test_a_large_set_is_sampled(images):
    found = estimate_camera(np.tile(images, (50, 1, 1)))
    assert found.images < 5000
    assert found.gain == pytest.approx(1e-3, rel=0.15)
