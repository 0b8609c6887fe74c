"""Catalogues of galaxies: what is read and refused, restoration, measurement, and the division into pools."""

import numpy as np
import pytest
from astropy.io import fits
from scipy import ndimage

from galaxy_makers import PSF_FWHM, SIDE, bell, correlation, galaxy, noise, noisy, psf, units, write_catalogue
from oddlens.lensing import galaxy_files, galaxy_images, restoration, spline
from oddlens.lensing.galaxy_files import Cutout
from oddlens.lensing.galaxy_images import GalaxyImage, galaxy_image
from oddlens.lensing.source_images import SourceImages


def write(path, *hdus):
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path, overwrite=True)
    return str(path)


def error(a, b):
    return np.sqrt(np.mean((a - b) ** 2) / np.mean(b**2))


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_cutout_has_its_top_row_first_its_noise_and_its_psf(tmp_path):
    image = np.arange(30.0).reshape(5, 6)
    (cutout,) = galaxy_files.read_cutouts(write(tmp_path / "g.fits", *units("7", image, 0.25, 0.98 * psf())))
    assert cutout.name == "GAL7"
    np.testing.assert_array_equal(cutout.image, image)
    assert cutout.psf.sum() == pytest.approx(1)
    assert cutout.peak_sn == 29 / 0.5


@pytest.mark.parametrize(
    ("hdus", "words"),
    [
        ([fits.ImageHDU(np.ones((5, 5)), name="SKY")], "has no galaxies: its images must be named GAL<name>.*SKY"),
        (units("1", np.ones((5, 5)), 0.0), "GAL1 has no NOISEVAR above 0"),
        (units("1", np.ones((5, 5)), 1.0)[:1], "GAL1 has no point-spread function: add PSF1"),
        (units("1", np.ones((5, 5)), 1.0, 3 * psf()), "GAL1: the PSF sums to 3"),
        (units("1", np.full((5, 5), np.nan), 1.0), "GAL1 has .* pixels that are not finite"),
    ],
)
def test_a_catalogue_that_lacks_something_is_refused(tmp_path, hdus, words):
    with pytest.raises(ValueError, match=words):
        galaxy_files.read_cutouts(write(tmp_path / "g.fits", *hdus))


def test_a_missing_or_damaged_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*g\.fits"):
        galaxy_files.read_cutouts(str(tmp_path / "g.fits"))
    (tmp_path / "g.fits").write_text("no FITS file")
    with pytest.raises(ValueError, match="is no FITS file, or damaged"):
        galaxy_files.read_cutouts(str(tmp_path / "g.fits"))


def test_a_correlation_function_is_one_in_the_middle_or_refused(tmp_path):
    path = tmp_path / "n.fits"
    fits.PrimaryHDU(3 * correlation()).writeto(path)
    np.testing.assert_allclose(galaxy_files.read_noise_correlation(str(path)), correlation())
    fits.PrimaryHDU(correlation()[1:]).writeto(path, overwrite=True)
    with pytest.raises(ValueError, match="lag 0, in the middle; this one has the shape"):
        galaxy_files.read_noise_correlation(str(path))


# --- restoration -----------------------------------------------------------------------------------------------------


def test_the_power_spectrum_is_that_of_the_noise():
    random = np.random.default_rng(1)
    measured = np.mean([np.abs(np.fft.fft2(noise(random))) ** 2 for _ in range(400)], axis=0) / SIDE**2
    expected = restoration.noise_power((SIDE, SIDE), correlation())
    assert expected.mean() == pytest.approx(1)
    low = expected > 0.1 * expected.max()  # edges of the images leak into the rest
    np.testing.assert_allclose(measured[low], expected[low], rtol=0.35)
    assert measured[low].sum() == pytest.approx(expected[low].sum(), rel=0.05)


@pytest.mark.parametrize(("peak_sn", "gain"), [(10, 1.8), (20, 1.5), (50, 1.5)])
def test_restoration_lowers_the_error_against_the_noise_free_sharper_truth(peak_sn, gain):
    before, blurred, after = [], [], []
    for seed in range(6):
        truth = galaxy(np.random.default_rng(seed), fwhm=0.6 * PSF_FWHM)
        observed, variance = noisy(np.random.default_rng(seed), peak_sn)
        noise_free = galaxy(np.random.default_rng(seed))
        found = restoration.restored(observed, variance, correlation(), psf())
        before.append(error(observed, truth))
        blurred.append(error(noise_free, truth))
        after.append(error(found, truth))
    assert np.mean(after) < np.mean(before) / gain
    assert peak_sn < 50 or np.mean(after) < np.mean(blurred)  # sharper than without noise and restoration


def test_noise_taken_for_white_leaves_more_of_it():
    observed, variance = noisy(np.random.default_rng(0), 15)
    truth = galaxy(np.random.default_rng(0), fwhm=0.6 * PSF_FWHM)
    right, white = (restoration.restored(observed, variance, c, psf()) for c in (correlation(), None))
    assert error(right, truth) < 0.9 * error(white, truth)


def test_without_noise_a_point_gets_the_remaining_psf_which_has_more_contrast():
    point = np.zeros((SIDE, SIDE))
    point[13:28, 13:28] = psf()
    found, remaining = restoration.restored(point, 1e-14, None, psf()), restoration.remaining_psf(psf())
    middle = len(remaining) // 2
    np.testing.assert_allclose(
        found, remaining[middle - 20 : middle + 21, middle - 20 : middle + 21], atol=1e-3 * remaining.max()
    )
    k = np.abs(np.fft.fft(remaining.sum(axis=0)))[:20]  # contrast by frequency
    before = np.abs(np.fft.fft(psf().sum(axis=0), len(remaining)))[:20]
    band = (before > 0.1) & (before < 0.8)
    assert np.all(k[band] > 1.1 * before[band])
    assert k[0] == pytest.approx(0.99, abs=0.01)


# --- measurement -----------------------------------------------------------------------------------------------------


def ellipse(q, angle, radius, side=121, row=58.0, column=63.0):
    """An elliptical Gaussian of a half-light radius (the geometric mean of both axes), counter-clockwise from +x."""
    y, x = row - np.arange(side)[:, None], np.arange(side) - column
    v, u = np.cos(angle) * y - np.sin(angle) * x, np.cos(angle) * x + np.sin(angle) * y
    return np.exp(-np.log(2) * (q * u * u + v * v / q) / radius**2)


def test_centre_shape_direction_and_half_light_radius_are_measured():
    row, column, q, angle, radius = galaxy_images._measured(ellipse(0.6, 0.7, 9.0))
    assert (row, column) == pytest.approx((58, 63), abs=0.01)
    assert q == pytest.approx(0.6, abs=0.02)
    assert angle == pytest.approx(0.7, abs=0.02)
    assert radius == pytest.approx(9, rel=0.01)


def test_a_galaxy_has_positive_light_of_sum_one_that_fades_to_its_edge():
    found = galaxy_image(Cutout("GAL", *noisy(np.random.default_rng(2), 20), psf()), correlation())
    assert isinstance(found, GalaxyImage)
    assert found.image.min() >= 0
    assert found.image.sum() == pytest.approx(1)
    edge = np.concatenate([found.image[0], found.image[-1], found.image[:, 0], found.image[:, -1]])
    assert edge.max() < 0.02 * found.image.max()
    assert found.fwhm == pytest.approx(PSF_FWHM, rel=0.1)


def test_a_background_is_taken_off():
    image, variance = noisy(np.random.default_rng(2), 20)
    plain, raised = (galaxy_image(Cutout("GAL", image + b, variance, psf()), correlation()) for b in (0.0, 0.5))
    np.testing.assert_allclose(raised.image, plain.image, atol=1e-12)


def test_a_neighbour_is_masked():
    random = np.random.default_rng(3)
    image, variance = noisy(random, 40, side=81)
    beside = image + np.roll(0.7 * image.max() * bell(81, 4.0), (-28, -28), axis=(0, 1))
    alone, masked = (galaxy_image(Cutout("GAL", i, variance, psf()), correlation()) for i in (image, beside))
    assert masked.radius == pytest.approx(alone.radius, rel=0.05)


@pytest.mark.parametrize(
    ("shift", "words"), [((0, 14), "its brightest part is 0.34 sides from"), ((0, 8), "its light at the edge is")]
)
def test_a_galaxy_at_the_side_or_cut_off_is_not_used(shift, words):
    wide = ndimage.zoom(galaxy(np.random.default_rng(1)), 2, order=1)[20:61, 20:61] if shift == (0, 8) else None
    image = galaxy(np.random.default_rng(1)) if wide is None else wide
    found = galaxy_image(Cutout("GAL", np.roll(image, shift, axis=(0, 1)), 1e-4, psf()), None)
    assert isinstance(found, str)
    assert words in found


# --- splines ---------------------------------------------------------------------------------------------------------


def test_a_spline_is_that_of_scipy_and_zero_outside():
    random = np.random.default_rng(0)
    image = np.pad(ndimage.gaussian_filter(random.random((20, 24)), 1) * bell(24, 9)[2:22], 20)
    side = 90
    made = spline.coefficients(image, side)
    row, column = random.uniform(0, side - 1, (2, 500))
    first = [(side - length) // 2 for length in image.shape]
    expected = ndimage.map_coordinates(image, [row - first[0], column - first[1]], order=3, mode="constant")
    np.testing.assert_allclose(spline.value(made, row, column, np), expected, atol=1e-6)
    far = np.array([-1e6, -30.0, 200.0])
    np.testing.assert_allclose(spline.value(made, far, far, np), 0, atol=1e-12)


# --- selection and pools ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return SourceImages(**write_catalogue(tmp_path_factory.mktemp("galaxies")))


def test_pools_are_disjoint_and_hold_all_usable_galaxies(catalogue):
    training, test = galaxy_images.prepared(catalogue)
    assert not set(training.name) & set(test.name)
    usable = {name for name, found in galaxy_images.selection(catalogue).items() if isinstance(found, GalaxyImage)}
    assert set(training.name) | set(test.name) == usable
    for pool in ("train", "contaminant", "validation"):
        assert galaxy_images.galaxies(catalogue, pool) is training
    assert galaxy_images.galaxies(catalogue, "test") is test


def test_a_galaxy_keeps_its_pool_whatever_else_the_catalogue_has():
    names = [f"GAL{k}" for k in range(2000)]
    half = {name for name in names if galaxy_images.is_for_tests(name, 0.5)}
    assert len(half) == pytest.approx(1000, abs=100)
    assert {name for name in names if galaxy_images.is_for_tests(name, 0.3)} < half


def test_faint_and_small_galaxies_are_left_out_with_the_reason(tmp_path):
    random = np.random.default_rng(0)
    hdus = units("faint", *noisy(random, 5)) + units("good", *noisy(random, 30))
    hdus += units("small", bell(SIDE, 1.05 * PSF_FWHM), 1e-4)
    found = galaxy_images.selection(SourceImages(file=write(tmp_path / "g.fits", *hdus), min_radius_fwhm=0.8))
    assert found["GALfaint"].startswith("peak signal-to-noise ratio ")
    assert found["GALsmall"].startswith("half-light radius of 0.")
    assert isinstance(found["GALgood"], GalaxyImage)


def test_too_few_galaxies_are_refused(tmp_path):
    images = SourceImages(**write_catalogue(tmp_path, count=6))
    with pytest.raises(ValueError, match=r"usable galaxies for .* at least 4 are needed: change test_fraction \(0.5\)"):
        galaxy_images.prepared(images)


def test_a_catalogue_that_has_changed_is_read_again(tmp_path):
    images = SourceImages(**write_catalogue(tmp_path))
    before = galaxy_images.prepared(images)[0].spline
    write_catalogue(tmp_path, seed=1)
    assert not np.array_equal(before, galaxy_images.prepared(images)[0].spline)
