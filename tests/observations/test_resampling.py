"""PSF matching and resampling: flux, positions, PSF and variance."""

import numpy as np
import pytest
import yaml
from astropy.convolution import AiryDisk2DKernel
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conftest import ROOT
from oddlens.lensing.simulation import Simulation
from oddlens.observations.resampling import pixel_overlaps, target_psf, to_camera
from toy_lenses import SCALE, gaussian, toy_frame


@pytest.fixture(scope="module")
def simulation():
    """Model A with 16 x 16 pixels."""
    simulation = yaml.safe_load((ROOT / "config" / "presets" / "model_a.yaml").read_text())
    return Simulation.model_validate(simulation | {"camera": simulation["camera"] | {"pixels": 16, "over_sampling": 1}})


@given(
    count=st.integers(2, 60),
    pixels=st.integers(1, 40),
    ratio=st.floats(0.2, 9),
    where=st.floats(0, 1),
)
@hypothesis_settings(max_examples=100, deadline=None)
def test_overlaps_of_a_pixel_sum_to_one(count, pixels, ratio, where):
    centre = where * (count - 1)
    shares = pixel_overlaps(count, centre, pixels, ratio)
    assert shares.shape == (pixels, count)
    assert shares.min() >= 0
    assert shares.max() <= min(1, ratio) + 1e-9
    low, high = centre - pixels * ratio / 2, centre + pixels * ratio / 2
    covered = (np.arange(count) - 0.5 >= low) & (np.arange(count) + 0.5 <= high)
    edges = low + np.arange(pixels + 1) * ratio
    inside = (edges[:-1] >= -0.5) & (edges[1:] <= count - 0.5)
    np.testing.assert_allclose(shares.sum(axis=0)[covered], 1, atol=1e-9)
    np.testing.assert_allclose(shares.sum(axis=1)[inside], ratio, atol=1e-9)
    assert (shares.sum(axis=0) <= 1 + 1e-9).all()


@given(ratio=st.floats(0.5, 6))
@hypothesis_settings(max_examples=20, deadline=None)
def test_positions_are_conserved(ratio):
    count, centre, pixels = 81, 40, 2 * round(30 / ratio)
    assume(pixels * ratio < count - 1)
    row = np.exp(-0.5 * ((np.arange(count) - 43) / 4) ** 2)
    new = pixel_overlaps(count, centre, pixels, ratio) @ row
    position = (np.arange(pixels) + 0.5 - pixels / 2) * ratio + centre
    assert (position * new).sum() / new.sum() == pytest.approx(43, abs=0.01)


@pytest.mark.parametrize("pixel_scale", [0.2, 0.25, 0.185, 0.0437])
def test_flux_is_conserved(simulation, pixel_scale):
    pixels = min(512, 2 * round(8 / pixel_scale))
    camera = simulation.camera.model_copy(update={"pixels": pixels, "pixel_scale_arcsec": pixel_scale})
    image = np.random.default_rng(1).random((101, 101)) * gaussian((101, 101), (52, 49), 1.0)
    rows, columns = (pixel_overlaps(101, 50, pixels, pixel_scale / SCALE) for _ in range(2))
    assert (rows @ image @ columns.T).sum() == pytest.approx(image.sum(), rel=1e-10)
    padded = np.pad(image, 60)
    matched, _ = to_camera(toy_frame(padded, gaussian((21, 21), (10, 10), 0.1)), padded, (110, 110), camera)
    assert matched.sum() == pytest.approx(image.sum(), rel=2e-3)  # the matched kernel has faint wings


def test_the_target_psf_is_the_kernel_of_the_shards(simulation):
    camera = simulation.camera
    size = camera.psf.pixels  # its first zero lies at 1 arcsec
    expected = AiryDisk2DKernel(1 / camera.pixel_scale_arcsec, x_size=size, y_size=size).array
    kernel = np.roll(target_psf((40, 41), camera.pixel_scale_arcsec, camera), (size // 2, size // 2), axis=(0, 1))
    np.testing.assert_allclose(kernel[:size, :size], expected / expected.sum(), atol=1e-6)
    assert kernel[:size, :size].sum() == pytest.approx(1)


@pytest.mark.parametrize("shape", [(21, 21), (20, 23)])
def test_a_point_becomes_an_airy_pattern(simulation, shape):
    centre = np.array(shape) // 2
    psf = 0.8 * gaussian(shape, centre, 0.12) + 0.2 * gaussian(shape, centre + np.array([1, 3]), 0.12)
    image = np.zeros((201, 201))
    image[100 - shape[0] // 2 :, 100 - shape[1] // 2 :][: shape[0], : shape[1]] = psf
    camera = simulation.camera.model_copy(
        update={
            "pixels": 31,
            "pixel_scale_arcsec": SCALE,
            "psf": simulation.camera.psf.model_copy(update={"pixels": 83}),
        }
    )
    matched, _ = to_camera(toy_frame(image, psf), image, (100, 100), camera)
    expected = np.roll(target_psf((201, 201), SCALE, camera), (100, 100), axis=(0, 1))[85:116, 85:116]
    np.testing.assert_allclose(matched, expected, atol=2e-3 * expected.max())


def test_without_a_psf_the_image_is_blurred_by_the_target_psf(simulation):
    image = gaussian((201, 201), (100, 100), 0.6)
    known, _ = to_camera(toy_frame(image, gaussian((41, 41), (20, 20), 0.3)), image, (100, 100), simulation.camera)
    unknown, _ = to_camera(toy_frame(image), image, (100, 100), simulation.camera)
    assert unknown.sum() == pytest.approx(known.sum(), rel=0.02)
    assert unknown.max() < known.max()


@pytest.mark.parametrize("pixel_scale", [0.2, 0.17])
def test_the_variance_is_that_of_resampled_noise(simulation, pixel_scale):
    camera = simulation.camera.model_copy(update={"pixel_scale_arcsec": pixel_scale})
    frame = toy_frame(np.zeros((200, 200)), gaussian((21, 21), (10, 10), 0.1), sigma=0.3)
    rng = np.random.default_rng(5)
    drawn = [to_camera(frame, rng.normal(0, 0.3, (200, 200)), (100, 100), camera)[0] for _ in range(60)]
    _, variance = to_camera(frame, frame.image, (100, 100), camera)
    assert variance.mean() == pytest.approx(np.var(drawn), rel=0.1)
