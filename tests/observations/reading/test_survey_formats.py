"""Three images in the layout of each simulator, survey and challenge: read rightly, or refused with what to do."""

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from fits_makers import WCS, psf, unit, write_units
from oddlens.observations.reading.image_files import Reading, read, read_single
from tiny_models import rings

THREE = rings(3, 3)  # [3, 16, 16]
BANDS = np.stack([THREE, 2 * THREE, 3 * THREE], 1)  # [n, bands, h, w]


def images(reference, **reading):
    (stack,) = read(reference, Reading(**reading))
    assert not stack.problem
    return np.asarray(stack.images, float)


def refusal(reference, **reading):
    with pytest.raises(ValueError, match=r"\S") as error:
        list(read(reference, Reading(**reading)))
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


# --- DeepLense -------------------------------------------------------------------------------------------------------


def test_deeplense_files_have_an_axis_of_length_one(tmp_path):
    for k, image in enumerate(THREE):
        np.save(tmp_path / f"{k}.npy", image[None])
    np.save(tmp_path / "images.npy", THREE[:, None])
    for k, image in enumerate(THREE):
        np.testing.assert_array_equal(images(tmp_path / f"{k}.npy"), image[None])
    np.testing.assert_array_equal(images(tmp_path / "images.npy"), THREE)


def test_batches_with_bands_are_refused_with_what_to_do(tmp_path):
    np.save(tmp_path / "no_sub_train.npy", np.zeros((2, 3, 3, 16, 16), np.float32))
    assert "save the images as [n, h, w]" in refusal(tmp_path / "no_sub_train.npy")


def test_axion_files_are_refused_with_the_line_that_saves_their_image(tmp_path):
    pair = np.empty(2, object)
    pair[:] = [(100 * THREE[0]).astype(int), 1e-23]
    path = tmp_path / "axion_sim_1.npy"
    np.save(path, pair)
    message = refusal(path)
    remedy = f'a = np.load({str(path)!r}, allow_pickle=True); np.save("image.npy", a[0])'
    assert remedy in message


def test_model_iv_has_its_bands_last(tmp_path):
    path = tmp_path / "sim_1.npy"
    np.save(path, np.moveaxis(BANDS[0], 0, -1).astype(float))
    assert "--channel" in refusal(path)
    for band in range(3):
        np.testing.assert_array_equal(images(path, channel=band), BANDS[:1, band])


# --- simulators ------------------------------------------------------------------------------------------------------


def test_paltas_has_files_or_the_data_set_data(tmp_path):
    for k, image in enumerate(THREE):
        np.save(tmp_path / f"image_{k:07}.npy", image.astype(float))
    with h5py.File(tmp_path / "image_data.h5", "w") as file:
        file["data"] = THREE.astype(float)
    np.testing.assert_array_equal(images(tmp_path / "image_data.h5"), THREE)
    assert images(tmp_path / "image_0000002.npy").shape == (1, 16, 16)


def test_deeplenstronomy_has_bands(tmp_path):
    np.save(tmp_path / "CONFIGURATION_1_images.npy", BANDS)
    with h5py.File(tmp_path / "CONFIGURATION_2_images.h5", "w") as file:
        file["MyDataset"] = BANDS
    for path in tmp_path.iterdir():
        assert "[n, bands, h, w]" in refusal(path)
        np.testing.assert_array_equal(images(path, channel=1), BANDS[:, 1])
        np.testing.assert_array_equal(images(f"{path}[2]", channel=1), BANDS[2:, 1])


def test_slsim_has_variances_and_psfs(tmp_path):
    arrays = {"image": THREE, "var": np.full((3, 16, 16), 4e-4), "Nexp": np.full((3, 16, 16), 9)}
    arrays["psf"] = np.stack([psf(57)] * 3)
    for name, array in arrays.items():
        with h5py.File(tmp_path / f"dp0_{name}_data.h5", "w") as file:
            file["data"] = array
    (stack,) = read(tmp_path)
    np.testing.assert_array_equal(stack.images, THREE)
    own = stack.companions.of_image(1, 3)
    assert own["noise"][3, 3] == pytest.approx(0.02)
    assert own["psf"].shape == (57, 57)
    assert not stack.pixel_scale_arcsec


def test_challenge_archives_have_bands_last_under_their_keys(tmp_path):
    stack = np.moveaxis(BANDS, 1, -1)  # [n, h, w, bands]
    np.savez(tmp_path / "lsst.npz", slsim_lens=stack, hsc_lens=2 * stack)
    assert "slsim_lens" in refusal(tmp_path / "lsst.npz")
    np.testing.assert_array_equal(images(f"{tmp_path}/lsst.npz#hsc_lens", channel=2), 2 * BANDS[:, 2])
    np.testing.assert_array_equal(images(f"{tmp_path}/lsst.npz#slsim_lens[1]", channel=0), BANDS[1:2, 0])


def test_lenstronomy_begins_at_the_bottom_and_says_its_noise(tmp_path):
    image, exposure = THREE[0], np.linspace(100, 200, 256).reshape(16, 16)
    with h5py.File(tmp_path / "image_lens_F390W.h5", "w") as file:
        file["image_data"], file["background_rms"], file["exposure_time"] = image, 0.02, exposure
        file["transform_pix2angle"] = 0.04 * np.array([[-0.6, 0.8], [0.8, 0.6]])
        file["ra_at_xy_0"], file["dec_at_xy_0"] = 0.3, -0.3
    kernel = np.zeros((5, 5))
    kernel[2, 2], kernel[0, 2] = 0.9, 0.1
    with h5py.File(tmp_path / "psf_lens_F390W.h5", "w") as file:
        file["kernel_point_source"] = kernel
    stack = read_single(tmp_path / "image_lens_F390W.h5")
    np.testing.assert_array_equal(stack.images[0], image[::-1])
    assert stack.pixel_scale_arcsec == pytest.approx(0.04)
    np.testing.assert_allclose(stack.companions.arrays["psf"], kernel[::-1])
    noise, sky = stack.companions.arrays["noise"], 0.0
    expected = np.sqrt(0.02**2 + np.clip(image - sky, 0, None) / exposure)[::-1]
    np.testing.assert_allclose(noise, expected, rtol=0.2)
    assert abs(np.corrcoef(noise.ravel(), expected.ravel())[0, 1]) > 0.99
    assert any("bottom" in note for note in stack.companions.notes)


def test_pyautolens_has_a_folder_for_each_lens_and_band(tmp_path):
    for k, band in enumerate(("F115W", "F150W")):
        folder = tmp_path / "lens" / "wavebands" / band
        folder.mkdir(parents=True)
        fits.writeto(folder / "data.fits", THREE[k])
        fits.writeto(folder / "noise_map.fits", np.full((16, 16), 0.1 + k))
        fits.writeto(folder / "psf.fits", psf(5) / psf(5).sum() * 0.956)
        fits.writeto(folder / "mask_extra_galaxies.fits", np.eye(16))
        (folder / "info.json").write_text('{"pixel_scale": 0.05, "redshift": NaN}')
        stack = read_single(folder)
        np.testing.assert_array_equal(stack.images[0], THREE[k][::-1])
        assert stack.pixel_scale_arcsec == 0.05
        assert stack.companions.arrays["noise"][0, 0] == 0.1 + k
        assert stack.companions.arrays["mask"].sum() == 16
        assert stack.companions.arrays["psf"].sum() == pytest.approx(1)


def test_euclid_has_a_band_in_each_unit(tmp_path):
    units = []
    for k, band in enumerate(("VIS", "NIR_Y", "DES_G")):
        noise = np.full((16, 16), 0.01)
        noise[0, 0] = 1e16
        units += [unit(f"{band}_PSF", psf(5)), unit(f"{band}_RMS", noise), unit(f"{band}_BGSUB", THREE[k], **WCS)]
    path = write_units(tmp_path / "102.fits", *units)
    stacks = list(read(path))
    assert [stack.label for stack in stacks] == [f"{path}#{band}_BGSUB" for band in ("VIS", "NIR_Y", "DES_G")]
    np.testing.assert_array_equal(stacks[1].images[0], THREE[1][::-1])
    assert stacks[2].companions.arrays["noise"][-1, 0] == 1e16


# --- challenges ------------------------------------------------------------------------------------------------------


def test_the_lsst_challenge_has_its_image_in_a_cell_of_a_table(tmp_path):
    for k, image in enumerate(THREE):
        Table({"ID": [75339100000000001 + k], "image": image[None]}).write(tmp_path / f"lens_{k:08}_g.fits")
    np.testing.assert_array_equal(images(tmp_path / "lens_00000001_g.fits"), THREE[1:2, ::-1])
    Table({"name": ["a", "b", "c"], "IMAGE": THREE, "ERR": 0.1 * THREE}).write(tmp_path / "table.fits")
    stack = next(read(tmp_path / "table.fits"))
    np.testing.assert_array_equal(stack.images, THREE[:, ::-1])
    np.testing.assert_allclose(stack.companions.of_image(2, 3)["noise"], 0.1 * THREE[2, ::-1], rtol=1e-6)
    np.testing.assert_array_equal(images(f"{tmp_path}/table.fits#image[1]"), THREE[1:2, ::-1])


def test_a_table_without_images_is_no_image(tmp_path):
    Table({"x": [1.0, 2.0], "flat": THREE[:2].reshape(2, -1)}).write(tmp_path / "table.fits")
    assert "no two-dimensional image" in refusal(tmp_path / "table.fits")


def test_a_table_beside_images_is_not_read(tmp_path):
    table = fits.BinTableHDU(Table({"image": THREE}), name="SOURCES")
    fits.HDUList([fits.PrimaryHDU(THREE[0]), table]).writeto(tmp_path / "x.fits")
    np.testing.assert_array_equal(images(tmp_path / "x.fits"), THREE[:1, ::-1])


def test_a_cube_of_bands_is_read_by_a_channel(tmp_path):
    path = write_units(tmp_path / "cube.fits", unit("SCI", BANDS[0], CTYPE3="WAVE"), unit("ERR", 0.1 * BANDS[0]))
    assert "WAVE" in next(read(path)).problem
    (stack,) = read(path, Reading(channel=2))
    np.testing.assert_array_equal(stack.images, BANDS[0, 2:, ::-1])
    np.testing.assert_allclose(stack.companions.of_image(0, 1)["noise"], 0.1 * BANDS[0, 2, ::-1])
    assert "3 bands" in next(read(path, Reading(channel=3))).problem


def test_euclid_challenge_images_have_missing_pixels(tmp_path):
    image = THREE[0].copy()
    image[3, 4] = np.nan
    fits.writeto(tmp_path / "imageEUC_VIS-200001.fits", image)
    assert np.isnan(images(tmp_path / "imageEUC_VIS-200001.fits")[0, 12, 4])
