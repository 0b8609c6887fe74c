"""What the camera makes of light: point-spread functions, and noise whose figures are those it states."""

import numpy as np
import pytest
from scipy import optimize, special, stats

from oddlens.config.presets import preset_simulation
from oddlens.lensing import camera as cameras
from oddlens.lensing import scene
from oddlens.lensing.camera import MAX_EXACT_ELECTRONS, expose, noise_sigma, poisson_quantile, psf_profile

SIMULATION = preset_simulation("model_a")
SHAPES = [("airy", 0.0), ("gaussian", 0.0), ("moffat", 2.5), ("moffat", 4.765)]
EXPOSURE, SKY, READ = 1000.0, 0.04, 30.0
TAKEN = {"exposure_s": EXPOSURE, "sky": SKY}


def camera(**changes):
    return preset_simulation("model_a", above={"camera": changes}).camera


def kernel(cam):
    columns = {"psf_fwhm_arcsec": np.array([cam.psf.fwhm_arcsec.parameters[0]])}
    if cam.psf.moffat_beta is not None:
        columns["psf_moffat_beta"] = np.array([cam.psf.moffat_beta.parameters[0]])
    return cameras.psf_kernels(cam, columns)[0]


# --- point-spread function -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("profile", "beta"), SHAPES)
def test_a_psf_has_half_its_maximum_at_half_its_width(profile, beta):
    assert psf_profile(profile, np.array([0.0]), beta)[0] == pytest.approx(1)
    width = 2 * optimize.brentq(lambda r: psf_profile(profile, np.array([r]), beta)[0] - 0.5, 0.1, 0.9)
    assert width == pytest.approx(1, rel=1e-6)


def test_an_airy_pattern_is_dark_at_its_first_zero():
    first_zero = 0.84366 * 1.2196698912665045 / 1.0289939699621880
    assert first_zero == pytest.approx(1, abs=1e-5)  # what the preset says of its width
    assert psf_profile("airy", np.array([1 / 0.84366]), 0)[0] == pytest.approx(0, abs=1e-9)
    inside = psf_profile("airy", np.linspace(0, 1.17, 200), 0)
    assert np.all(np.diff(inside) < 0)


def test_the_kernel_of_model_a_is_an_airy_pattern_of_unit_sum():
    cam = SIMULATION.camera
    offset = (np.arange(cam.psf.pixels) - cam.psf.pixels // 2) * cam.pixel_scale_arcsec
    v = special.jn_zeros(1, 1)[0] * np.hypot(offset[:, None], offset)  # first zero at 1 arcsec
    v[v == 0] = 1e-9
    airy = (2 * special.j1(v) / v) ** 2
    np.testing.assert_allclose(kernel(cam), airy / airy.sum(), atol=1e-6)


def test_a_gaussian_kernel_has_the_variance_of_its_width():
    k = kernel(camera(pixel_scale_arcsec=0.1, psf={"profile": "gaussian", "fwhm_arcsec": 0.4, "pixels": 41}))
    offset = (np.arange(41) - 20) * 0.1
    assert (k.sum(axis=0) * offset**2).sum() == pytest.approx((0.4 / np.sqrt(8 * np.log(2))) ** 2, rel=1e-6)


def test_a_moffat_kernel_falls_as_a_power_of_the_distance():
    far = psf_profile("moffat", np.array([50.0, 100.0]), 2.5)
    assert far[1] / far[0] == pytest.approx(2.0**-5, rel=1e-3)


@pytest.mark.parametrize(("profile", "beta"), SHAPES)
def test_a_kernel_is_symmetric_and_sums_to_one(profile, beta):
    psf = {"profile": profile, "moffat_beta": beta or None, "fwhm_arcsec": 0.9}
    k = kernel(camera(psf=psf))
    assert k.sum() == pytest.approx(1)
    for other in (k[::-1], k[:, ::-1], k.T):
        np.testing.assert_allclose(k, other, atol=1e-15)
    assert k.argmax() == k.size // 2


def test_each_image_has_its_own_kernel_where_the_width_varies():
    simulation = preset_simulation("model_a", above={"camera": {"psf": {"fwhm_arcsec": {"uniform": [0.5, 1.0]}}}})
    drawn = scene.draw_scenes(simulation, 1, "d", "test", "smooth", np.arange(5)).lens
    kernels = cameras.psf_kernels(simulation.camera, drawn)
    assert kernels.shape == (5, 21, 21)
    np.testing.assert_allclose(kernels.sum(axis=(1, 2)), 1)
    order = np.argsort(drawn["psf_fwhm_arcsec"])
    assert np.all(np.diff(kernels[order, 10, 10]) < 0)


def test_images_share_a_kernel_where_the_width_is_fixed():
    drawn = scene.draw_scenes(SIMULATION, 1, "d", "test", "smooth", np.arange(5)).lens
    assert cameras.psf_kernels(SIMULATION.camera, drawn).shape == (1, 21, 21)


# --- electrons -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("zero_point", "electrons"), [(25.0, 1.0), (27.5, 10.0), (22.5, 0.1), (25.72, 1.941)])
def test_the_zero_point_turns_flux_into_electrons(zero_point, electrons):
    found = cameras.electrons_per_flux({"zero_point_mag": np.array([zero_point])})
    assert found == pytest.approx([electrons], rel=1e-3)


def test_sky_is_given_per_square_arcsecond_and_counted_per_pixel():
    q = {"zero_point_mag": np.array([27.5]), "sky_per_arcsec2": np.array([3.0])}
    assert cameras.sky(SIMULATION.camera, q) == pytest.approx([3.0 * 10 * 0.2**2])


# --- noise -----------------------------------------------------------------------------------------------------------


def exposed(image, count, seed=8, **changes):
    rng = np.random.default_rng(seed)
    return np.stack([expose(image, rng, **(TAKEN | changes)) for _ in range(count)])


@pytest.mark.parametrize("read", [0.0, READ])
def test_noise_has_the_mean_and_variance_it_states(read):
    image = np.random.default_rng(7).exponential(0.05, (16, 16))
    noisy = exposed(image, 400, read_electrons=read)
    sigma = noise_sigma(image, EXPOSURE, SKY, read)
    pull = (noisy.mean(axis=0) - image) / sigma * np.sqrt(400)
    assert np.abs(pull.mean()) < 4 / 16  # 256 pixels
    assert np.mean(pull**2) == pytest.approx(1, abs=4 * np.sqrt(2 / 256))
    assert np.mean(noisy.var(axis=0, ddof=1) / sigma**2) == pytest.approx(1, abs=4 * np.sqrt(2 / 400) / 16)


def test_read_noise_adds_its_own_variance():
    quiet, loud = (exposed(np.zeros((32, 32)), 100, read_electrons=read).var() for read in (0.0, READ))
    assert (loud - quiet) * EXPOSURE**2 == pytest.approx(READ**2, rel=0.05)
    assert quiet * EXPOSURE**2 == pytest.approx(SKY * EXPOSURE, rel=0.05)


def test_noise_sigma_in_numbers():
    assert noise_sigma(0.06, 1000.0, 0.04) == pytest.approx(0.01)
    assert noise_sigma(0.06, 1000.0, 0.04, 30.0) == pytest.approx(np.hypot(0.01, 0.03))
    assert noise_sigma(-5.0, 1000.0, 0.04) == pytest.approx(np.sqrt(0.04 / 1000))


@pytest.mark.parametrize("correlation", [0.3, 0.5, 1.0, 2.5])
def test_correlated_noise_keeps_its_variance(correlation):
    noise = exposed(np.full((64, 64), 0.1), 60, read_electrons=READ, correlation_pixels=correlation) - 0.1
    assert noise.shape == (60, 64, 64)
    assert noise.var() == pytest.approx(noise_sigma(0.1, EXPOSURE, SKY, READ) ** 2, rel=0.04)
    assert noise.mean() == pytest.approx(0, abs=noise.std() * correlation * 4 * 4 / np.sqrt(noise.size))


# exp(-shift^2 / 4 s^2), and for half a pixel, where the Gaussian has weights 1, 0.135 and 0.0003 only, by hand.
CORRELATIONS = {
    0.5: (0.261, 0.018, 0.0),
    1.0: tuple(np.exp(-np.array([1, 4, 9]) / 4)),
    2.0: tuple(np.exp(-np.array([1, 4, 9]) / 16)),
}


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize("axis", [1, 2])
def test_noise_is_correlated_as_far_as_asked(correlation, axis):
    noise = exposed(np.full((64, 64), 0.1), 60, correlation_pixels=correlation) - 0.1
    for shift, expected in enumerate(CORRELATIONS[correlation], start=1):
        ahead, behind = np.take(noise, range(shift, 64), axis), np.take(noise, range(64 - shift), axis)
        found = (ahead * behind).mean() / noise.var()
        assert found == pytest.approx(expected, abs=0.03)


def test_uncorrelated_noise_is_uncorrelated():
    noise = exposed(np.full((64, 64), 0.1), 60, correlation_pixels=0.0) - 0.1
    assert (noise[:, 1:] * noise[:, :-1]).mean() / noise.var() == pytest.approx(0, abs=4 / np.sqrt(noise.size))


@pytest.mark.parametrize("correlation", [0.0, 1.0])
def test_noise_of_two_images_is_uncorrelated(correlation):
    image = np.full((32, 32), 0.5)
    streams = [scene.noise_stream(7, "model_a", "test", "smooth", k) for k in range(40)]
    noise = np.stack(
        [expose(image, rng, **TAKEN, read_electrons=READ, correlation_pixels=correlation).ravel() for rng in streams]
    )
    found = np.corrcoef(noise - 0.5)[np.triu_indices(40, 1)]
    independent = 1 / 32 if correlation == 0 else np.sqrt(2 * np.pi) * correlation / 32  # pixels of their own
    assert found.std() == pytest.approx(independent, rel=0.15)
    assert np.abs(found).max() < 5 * independent


def test_correlated_noise_follows_the_light_of_its_own_place():
    image = np.zeros((32, 32))
    image[:, 16:] = 5.0
    noise = exposed(image, 60, correlation_pixels=0.5) - image
    for half, light in ((np.s_[:, :, 2:14], 0.0), (np.s_[:, :, 18:30], 5.0)):
        assert noise[half].var() == pytest.approx(noise_sigma(light, EXPOSURE, SKY) ** 2, rel=0.05)


# Twins share their stream: equal light has equal noise, and elsewhere it differs as the light does.
@pytest.mark.parametrize("read", [0.0, READ])
@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_twins_have_equal_noise_where_their_light_is_equal(read, correlation):
    one = np.random.default_rng(7).exponential(0.05, (32, 32))
    other = one.copy()
    other[:, 16:] *= 1.1
    taken = TAKEN | {"read_electrons": read, "correlation_pixels": correlation}
    noise = [
        expose(image, scene.noise_stream(7, "d", "test", cls, 3), **taken) - image
        for image, cls in ((one, "smooth"), (other, "cdm"))
    ]
    np.testing.assert_allclose(noise[0][:, :13], noise[1][:, :13], atol=1e-12)
    assert np.abs(noise[0] - noise[1])[:, 16:].max() > 1e-6
    left = (noise[0] - noise[1]) / np.hypot(*(noise_sigma(image, EXPOSURE, SKY, read) for image in (one, other)))
    assert np.sqrt(np.mean(left**2)) < 0.1


@pytest.mark.parametrize("light", [MAX_EXACT_ELECTRONS / 2 / EXPOSURE, np.nan, np.inf])
def test_a_pixel_too_bright_for_the_counter_is_refused(light):
    image = np.zeros((8, 8))
    image[3, 4] = light
    with pytest.raises(ValueError, match=r"collects .* electrons.*lower camera.exposure_s or the brightness"):
        expose(image, np.random.default_rng(0), **TAKEN)


def test_the_brightest_image_allowed_survives_float32():
    image = np.full((8, 8), (MAX_EXACT_ELECTRONS / 2 - 1000) / EXPOSURE - SKY)
    electrons = (exposed(image, 1)[0] + SKY) * EXPOSURE
    np.testing.assert_allclose(electrons, np.rint(electrons), atol=1e-6)
    assert electrons.max() < MAX_EXACT_ELECTRONS


def test_negative_light_counts_as_none():
    noisy = exposed(np.full((16, 16), -1.0), 50)
    assert noisy.min() >= -SKY
    assert noisy.mean() == pytest.approx(0, abs=5 * noise_sigma(0, EXPOSURE, SKY) / np.sqrt(noisy.size))


# --- counts ----------------------------------------------------------------------------------------------------------


def smallest_count(u, mean):
    """The definition: P(K <= k) >= u and P(K <= k - 1) < u."""
    k = poisson_quantile(u, mean)
    assert np.all(k >= 0)
    assert np.all(k == np.rint(k))
    assert np.all(special.pdtr(k, mean) >= u)
    assert np.all((k == 0) | (special.pdtr(k - 1, mean) < u))
    return k


@pytest.mark.parametrize("mean", [0.01, 0.3, 1.0, 7.5, 9.99, 10.0, 10.01, 40.0, 1e3, 1e4, 1e5, 1e6])
def test_counts_are_those_of_the_definition_and_of_scipy(mean):
    u = np.random.default_rng(5).random(5000)
    counts = smallest_count(u, np.full(5000, mean))
    np.testing.assert_array_equal(counts, stats.poisson.ppf(u, mean))


TAILS = [10.0**-k for k in range(1, 13)]


@pytest.mark.parametrize("mean", [0.01, 0.5, 1.0, 5.0, 9.9, 10.1, 30.0, 100.0, 1000.0])
def test_counts_in_the_tails_are_exact(mean):
    u = np.array([*TAILS, *(1 - t for t in TAILS)])
    counts = smallest_count(u, np.full(len(u), mean))
    np.testing.assert_array_equal(counts, stats.poisson.ppf(u, mean))


@pytest.mark.parametrize("mean", [2.0, 30.0, 1000.0])
def test_counts_step_where_the_distribution_function_does(mean):
    k = np.rint(mean + np.arange(-1, 3) * np.sqrt(mean))
    step = special.pdtr(k, mean)
    np.testing.assert_array_equal(poisson_quantile(step * (1 - 1e-9), np.full(4, mean)), k)
    np.testing.assert_array_equal(poisson_quantile(step * (1 + 1e-9), np.full(4, mean)), k + 1)


def test_counts_of_nothing_are_nothing():
    assert np.all(poisson_quantile(np.array([1e-9, 0.5, 1 - 1e-9]), np.zeros(3)) == 0)


def test_the_count_at_zero_probability_is_zero():
    assert poisson_quantile(np.zeros(1), np.ones(1)) == 0


def test_a_mean_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="1 of 2 pixels"):
        poisson_quantile(np.full(2, 0.5), np.array([1.0, np.nan]))


def test_counts_never_fall_as_the_mean_grows():
    u = np.random.default_rng(6).random(200)[:, None]
    counts = poisson_quantile(*np.broadcast_arrays(u, np.logspace(-2, 4, 120)))
    assert np.all(np.diff(counts, axis=1) >= 0)
