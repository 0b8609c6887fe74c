"""Reading of frames: masks, noise, PSF and pixel scale."""

import numpy as np
import pytest
from astropy.io import fits
from scipy import ndimage

from conftest import ROOT
from oddlens.observations.frames import lens_centre, make_frame, mask_bright_spots, read_frame, read_lens
from oddlens.observations.lens_index import read_lenses, with_unique_labels
from oddlens.observations.reading.image_files import Reading
from toy_lenses import SCALE, toy_frame, toy_lens, write_lens

LENSES = ROOT.parent / "shared" / "data" / "real-lenses"


def test_the_lens_centre_may_be_off_the_middle():
    light, ring, _ = toy_lens()
    assert lens_centre(toy_frame(np.roll(light + ring, (4, -6), axis=(0, 1)))) == (84, 74)


def test_a_folder_is_read_with_its_companion_files(tmp_path):
    folder = write_lens(tmp_path / "lens", PIXSCALE=SCALE)
    frame = read_frame(folder)
    assert (frame.name, frame.pixel_scale_arcsec) == ("lens", SCALE)
    assert frame.psf.sum() == pytest.approx(1)
    assert (frame.sigma == 0.01).all()
    offset = frame.image - sum(toy_lens())  # row 0 of a FITS file is the bottom
    np.testing.assert_allclose(offset, offset[0, 0], atol=1e-9)  # the sky
    assert abs(offset[0, 0]) < 0.01
    np.testing.assert_array_equal(read_frame(folder / "data.fits").image, frame.image)


def test_noise_is_measured_where_no_map_is_given(tmp_path):
    frame = read_frame(write_lens(tmp_path / "lens", noise_map=False, psf=False, CDELT1=-SCALE / 3600))
    assert frame.psf is None
    assert frame.pixel_scale_arcsec == pytest.approx(SCALE)
    assert np.median(frame.sigma) == pytest.approx(0.01, rel=0.2)


def test_nan_and_mask_are_masked(tmp_path):
    folder = write_lens(tmp_path / "lens", PIXSCALE=SCALE)
    with fits.open(folder / "data.fits", mode="update") as file:
        file[0].data[0, 0] = np.nan
    mask = np.zeros((161, 161))
    mask[-1, -1] = 1
    fits.PrimaryHDU(mask).writeto(folder / "mask_extra_galaxies.fits")
    frame = read_frame(folder)
    assert set(zip(*np.nonzero(frame.masked), strict=True)) == {(160, 0), (0, 160)}
    assert np.isfinite(frame.image).all()


def test_an_unknown_pixel_scale_is_an_error_that_says_how_to_give_it(tmp_path):
    folder = write_lens(tmp_path / "lens")
    with pytest.raises(ValueError, match=r"(?s)--pixel-scale.*PIXSCALE.*info\.json"):
        read_frame(folder)
    assert read_frame(folder, Reading(pixel_scale_arcsec=0.07)).pixel_scale_arcsec == 0.07
    (folder / "info.json").write_text('{"pixel_scale": 0.06, "z": NaN}')
    assert read_frame(folder).pixel_scale_arcsec == 0.06
    fits.setval(folder / "data.fits", "PIXSCALE", value=0.03)
    with pytest.raises(ValueError, match="disagree"):
        read_frame(folder)


def test_unsuitable_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_frame(tmp_path / "nowhere.fits")
    (tmp_path / "text.fits").write_text("not FITS")
    with pytest.raises(ValueError, match=r"text\.fits is not FITS"):
        read_frame(tmp_path / "text.fits")
    folder = write_lens(tmp_path / "lens", PIXSCALE=SCALE)
    with pytest.raises(ValueError, match=r"no\.fits"):
        read_frame(folder, Reading(companions={"psf": folder / "no.fits"}))
    fits.PrimaryHDU(np.zeros((5, 5))).writeto(folder / "small.fits")
    with pytest.raises(ValueError, match=r"\(161, 161\) pixels, the noise map \(5, 5\)"):
        read_frame(folder, Reading(companions={"noise": folder / "small.fits"}))


def faint_lens():
    """A toy lens without its cusp, which fits into 16 bits."""
    return np.clip(sum(toy_lens()), None, 10)


def sky_cases():
    """A toy lens with skies of many kinds, and the unit of its pixels."""
    image = faint_lens()
    for sky in (-5, 5, 500, -1e5):  # in units of the noise
        yield image + 0.01 * sky, 1
    yield (image + 5).astype(np.float32), 1
    yield image - 2 * image.max(), 1  # every pixel is negative
    yield np.round(2000 * image + 1000).astype(np.uint16), 2000
    yield np.round(2000 * image - 1000).astype(">i2"), 2000
    yield np.round(2000 * image + 1e6).astype(np.int64), 2000


@pytest.mark.parametrize("case", range(9))
@pytest.mark.parametrize("noise", [None, 0.01])
def test_the_sky_is_subtracted(case, noise):
    image, unit = list(sky_cases())[case]
    plain, frame = (
        make_frame("toy", i, SCALE, noise=None if noise is None else np.full(i.shape, u * noise))
        for i, u in ((faint_lens(), 1), (image, unit))
    )
    rounding = 0.04 if unit > 1 else 1e-4  # in units of the noise
    np.testing.assert_allclose(frame.image / unit, plain.image, atol=0.01 * rounding)
    np.testing.assert_allclose(frame.sigma / unit, plain.sigma, rtol=rounding)
    assert lens_centre(frame) == lens_centre(plain)
    np.testing.assert_array_equal(mask_bright_spots(frame).masked, mask_bright_spots(plain).masked)
    assert (plain.notes, "sky" in "".join(frame.notes)) == ((), True)


def test_a_halo_of_the_given_lens_light_is_no_sky():
    light, ring, noise = toy_lens()
    y, x = np.indices(light.shape)
    halo = np.exp(-np.hypot(y - 80, x - 80) / 100)
    for sky, model_sky in ((0, 0), (3, 0), (3, 3), (-3, 2)):
        image = light + halo + ring + noise + sky
        frame = make_frame("toy", image, SCALE, lens_light=light + halo + model_sky)
        np.testing.assert_allclose(frame.image - frame.lens_light, ring + noise, atol=2e-3)
        assert frame.sigma[0, 0] == pytest.approx(0.01, rel=0.05)


def test_a_gradient_is_reported():
    image, across = sum(toy_lens()), np.indices((161, 161))[1] / 160
    for amplitude, reported in ((0.0, False), (0.01, False), (0.1, True), (-1.0, True)):
        frame = make_frame("toy", image + amplitude * across, SCALE, noise=np.full(image.shape, 0.01))
        assert any("gradient" in note for note in frame.notes) == reported
        np.testing.assert_array_equal(frame.sigma, 0.01)


def test_dead_pixels_are_masked():
    image, rng = sum(toy_lens()) + 1, np.random.default_rng(0)
    dead = rng.random(image.shape) < 1e-3
    for value in (-999, -32768, 0):  # in units of 100 times the noise
        frame = make_frame("toy", np.where(dead, value, image), SCALE)
        np.testing.assert_array_equal(frame.masked, dead)
        assert f"{dead.sum()} pixels" in frame.notes[-1]


def test_a_crowded_border_and_cut_pixels_are_reported():
    image, rng = sum(toy_lens()), np.random.default_rng(0)
    galaxies = np.zeros(image.shape)
    galaxies[rng.integers(0, 161, 60), rng.integers(0, 20, 60)] = 50
    frame = make_frame("toy", image + ndimage.gaussian_filter(galaxies, 3), SCALE)
    assert any("other objects" in note for note in frame.notes)
    cut = np.clip(image, 0, None)
    assert any("cut off" in note for note in make_frame("toy", cut, SCALE, noise=np.full(cut.shape, 0.01)).notes)
    with pytest.raises(ValueError, match=r"cut off.*noise map"):
        make_frame("toy", np.clip(image - 0.01, 0, None), SCALE)


def test_a_rotated_frame_with_an_empty_border_is_read():
    image = ndimage.rotate(sum(toy_lens()) + 3, 45, cval=np.nan, order=1)
    frame = make_frame("toy", image, SCALE)
    assert 0.45 < frame.masked.mean() < 0.55
    assert np.abs(frame.image[~frame.masked & (np.hypot(*frame.offsets_arcsec((113, 113))) > 3.7)]).mean() < 0.02
    assert np.hypot(*np.subtract(lens_centre(frame), 113.5)) < 2


def test_spots_beside_a_mask_are_not_its_edge():
    image = sum(toy_lens()) + 2
    beside = np.hypot(*(np.indices(image.shape) - np.reshape((80, 86), (2, 1, 1)))) < 5
    spots = mask_bright_spots(make_frame("toy", image, SCALE)).masked
    masked = mask_bright_spots(make_frame("toy", image, SCALE, mask=beside)).masked
    assert (masked & ~spots & ~beside).sum() < 10


@pytest.mark.skipif(not LENSES.is_dir(), reason="the real lenses are not here")
def test_frames_of_the_shared_lenses():
    entries = {lens.label: lens for lens in with_unique_labels(read_lenses(LENSES, "shared"))}
    assert len(entries) == 8
    lenses = {label: read_lens(entry) for label, entry in entries.items()}
    blue = lenses["SL2SJ0219-0829 F475X"]
    assert blue.masked[[-1 - 22, -1 - 12], [5, 70]].all(), "the cosmic rays; row 0 of the file is the bottom"
    assert not lenses["SL2SJ0219-0829 F600LP"].masked[-1 - 12, 70]
    assert np.median(blue.sigma) == pytest.approx(0.0067, rel=0.1)
    floored = lenses["COSJ100024+015334 F277W"]
    assert np.median(floored.sigma) == pytest.approx(0.0062, rel=0.15), "and not the floor of 0.02"
    assert lenses["dolphin lens_system1"].psf.sum() == pytest.approx(1)
