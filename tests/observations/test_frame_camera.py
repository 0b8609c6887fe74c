"""The camera of a frame: what a simulation with its settings makes has the noise of the frame."""

import numpy as np
import pytest
import yaml
from astropy.io import fits
from scipy import signal

from frames_like_hst import SCALE, Lens, noise_free, psf
from oddlens.config.presets import preset_simulation
from oddlens.lensing.camera import correlation_width, expose, psf_kernels
from oddlens.observations.frame_camera import camera_of_frame
from oddlens.observations.frames import make_frame
from oddlens.observations.modelling.pixel_noise import measure_pixel_noise
from oddlens.stages.frame_camera import write_camera

EXPOSURE, SKY, ZERO_POINT = 800.0, 0.15, 25.94
SIDE = 161
DRIZZLE = np.array([[0.05, 0.14, 0.05], [0.14, 1, 0.14], [0.05, 0.14, 0.05]])
DRIZZLE = DRIZZLE / DRIZZLE.sum()


def frame_of(seed=1, noise_map=True):
    """A drizzled frame: its noise map is right for means over many pixels."""
    light = sum(noise_free(Lens(), SIDE))
    sigma = np.sqrt((light + SKY) / EXPOSURE)
    white = np.random.default_rng(seed).standard_normal((SIDE + 2, SIDE + 2))
    noise = signal.convolve2d(white, DRIZZLE, mode="valid") * sigma
    return make_frame("lens", light + noise, SCALE, psf=psf(), noise=sigma if noise_map else None)


@pytest.fixture(scope="module")
def camera():
    return camera_of_frame(frame_of())


def test_exposure_and_sky_are_those_of_the_noise_of_single_pixels(camera):
    variance = (DRIZZLE**2).sum()
    assert camera.exposure_s == pytest.approx(EXPOSURE / variance, rel=0.1)
    assert camera.sky == pytest.approx(SKY, rel=0.1)
    assert camera.pixels == SIDE
    np.testing.assert_allclose(camera.psf, psf(), atol=1e-6)


def test_simulated_noise_is_that_of_the_frame(camera):
    dark = np.zeros((SIDE, SIDE))
    drawn = expose(
        dark,
        np.random.default_rng(2),
        exposure_s=camera.exposure_s,
        sky=camera.sky,
        correlation_pixels=camera.noise_correlation_pixels,
    )
    frame = frame_of()
    sky = np.hypot(*frame.offsets_arcsec((SIDE // 2, SIDE // 2))) > 3
    ours = measure_pixel_noise(frame.image, frame.sigma, sky, SCALE)
    theirs = measure_pixel_noise(drawn, np.full_like(drawn, np.sqrt(SKY / EXPOSURE)), np.ones_like(sky), SCALE)
    assert theirs.variance == pytest.approx(ours.variance, rel=0.1)
    np.testing.assert_allclose(theirs.correlation, ours.correlation, atol=0.08)


def test_a_frame_without_noise_of_its_light_needs_an_exposure():
    frame = frame_of(noise_map=False)
    with pytest.raises(ValueError, match="exposure"):
        camera_of_frame(frame)
    assert camera_of_frame(frame, EXPOSURE).sky == pytest.approx(SKY * (DRIZZLE**2).sum(), rel=0.15)


@pytest.mark.parametrize("correlation", [0.05, 0.24, 0.5])
def test_the_width_of_a_correlation_gives_it(correlation):
    width = correlation_width(correlation)
    drawn = expose(np.full((400, 400), 1e4), np.random.default_rng(3), exposure_s=1, sky=0, correlation_pixels=width)
    z = drawn - drawn.mean()
    assert (z[:, 1:] * z[:, :-1]).mean() / z.var() == pytest.approx(correlation, abs=0.01)


def test_the_config_is_a_camera_with_the_psf_of_the_frame(tmp_path, camera):
    path = write_camera(tmp_path / "like", camera, "model_c", ZERO_POINT, pixels=41)
    section = yaml.safe_load(path.read_text())["datasets"]["model_c"]["camera"]
    simulation = preset_simulation("model_c", above={"camera": section})
    assert simulation.camera.pixels == 41
    np.testing.assert_allclose(psf_kernels(simulation.camera, {})[0], psf(), atol=1e-6)
    with pytest.raises(ValueError, match="pixels"):
        write_camera(tmp_path / "wide", camera, "model_c", ZERO_POINT, pixels=4)
    assert not (tmp_path / "wide/camera.yaml").exists()


def test_the_command_writes_it(oddlens_command, tmp_path):
    frame = frame_of()
    for name, array in (("data", frame.image), ("noise_map", frame.sigma), ("psf", frame.psf)):
        fits.writeto(tmp_path / f"{name}.fits", array[::-1].astype(np.float32))
    given = ("--pixel-scale", str(SCALE), "--zero-point", str(ZERO_POINT), "--out", tmp_path / "like")
    end = oddlens_command("camera", tmp_path / "data.fits", *given)
    assert end.status == 0
    assert f"{SIDE} pixels" in end.out
    assert (tmp_path / "like/camera.yaml").exists()
