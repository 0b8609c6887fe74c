"""PSFs, noise maps and masks in files next to an image, or named by the user."""

import h5py
import numpy as np
import pytest
from astropy.io import fits

from fits_makers import WCS, image, psf, unit, write_units
from oddlens.observations.reading.image_files import Reading, read, read_single


def write_image(folder, name, seed=0, **cards):
    folder.mkdir(exist_ok=True)
    return write_units(folder / name, primary=image(seed=seed), **WCS, **cards)


def write_plain(path, array):
    fits.PrimaryHDU(array).writeto(path)
    return path


def noise(sigma=0.01):
    return np.full((161, 161), sigma, np.float32)


@pytest.mark.parametrize(
    ("image_name", "companion"),
    [
        ("image.fits", "noise.fits"),
        ("data.fits", "noise_map.fits"),
        ("J0109+1500.fits", "J0109+1500_rms.fits"),
        ("lens.fits", "lens_noise.npy"),
        ("sci_F814W.fits", "err_F814W.fits"),
        ("anything.fits", "noise.fits"),
        ("lens.fits", "lens_var.fits"),
    ],
)
def test_a_noise_map_next_to_an_image_is_used_and_named(tmp_path, image_name, companion):
    write_image(tmp_path, image_name)
    array = noise(1e-4) if "var" in companion else noise()
    np.save(tmp_path / companion, array) if companion.endswith("npy") else write_plain(tmp_path / companion, array)
    stack = read_single(tmp_path)
    assert stack.companions.arrays["noise"][3, 3] == pytest.approx(0.01)
    assert any(companion in note for note in stack.companions.notes)


def test_each_image_of_a_folder_has_its_own_companions(tmp_path):
    for k, name in enumerate(("a", "b"), 1):
        write_image(tmp_path, f"{name}.fits", seed=k)
        write_plain(tmp_path / f"{name}_rms.fits", noise(k))
    write_plain(tmp_path / "psf.fits", psf())
    write_plain(tmp_path / "mask.fits", noise())
    stacks = list(read(tmp_path))
    assert [stack.label for stack in stacks] == [str(tmp_path / "a.fits"), str(tmp_path / "b.fits")]
    for k, stack in enumerate(stacks, 1):
        assert sorted(stack.companions.arrays) == ["noise", "psf"], "a mask may belong to one image only"
        assert stack.companions.arrays["noise"][0, 0] == k
        assert any("mask.fits" in note for note in stack.companions.notes)


def test_of_two_possible_psfs_none_is_used(tmp_path):
    write_image(tmp_path, "lens.fits")
    write_plain(tmp_path / "psf.fits", psf())
    np.save(tmp_path / "psf.npy", psf())
    stack = read_single(tmp_path)
    assert not stack.companions.arrays
    assert any("psf.fits" in note and "psf.npy" in note for note in stack.companions.notes)
    chosen = read_single(tmp_path, Reading(companions={"psf": tmp_path / "psf.npy"}))
    assert chosen.companions.arrays["psf"].sum() == pytest.approx(1)


def test_a_folder_without_images_says_what_it_has(tmp_path):
    (tmp_path / "readme.txt").touch()
    write_plain(tmp_path / "psf.fits", psf())
    with pytest.raises(FileNotFoundError, match=r"psf\.fits.*readme\.txt"):
        list(read(tmp_path))


def test_an_oversampled_psf_is_not_taken_for_one_at_the_pixels_of_the_image(tmp_path):
    lens = write_image(tmp_path / "lens", "lens.fits")
    fine, coarse = psf(85, 0.4), psf()
    path = tmp_path / "stpsf.fits"
    fits.HDUList(
        [
            fits.PrimaryHDU(fine, fits.Header({"EXTNAME": "OVERSAMP", "PIXELSCL": 0.0125, "OVERSAMP": 4})),
            unit("DET_SAMP", coarse, PIXELSCL=0.05, OVERSAMP=1),
        ]
    ).writeto(path)
    stack = read_single(lens, Reading(companions={"psf": path}))
    assert stack.companions.arrays["psf"].shape == (21, 21)
    assert any("DET_SAMP" in note for note in stack.companions.notes)
    (refused,) = read(lens, Reading(companions={"psf": f"{path}#OVERSAMP"}))
    assert "0.0125" in refused.problem
    assert "0.05" in refused.problem


def test_a_psf_is_read_from_hdf5(tmp_path):
    lens = write_image(tmp_path / "lens", "lens.fits")
    with h5py.File(tmp_path / "psf.h5", "w") as file:
        file["kernel_point_source"] = psf()
    stack = read_single(lens, Reading(companions={"psf": tmp_path / "psf.h5"}))
    assert stack.companions.arrays["psf"].shape == (21, 21)


def test_a_companion_of_another_shape_is_refused(tmp_path):
    lens = write_image(tmp_path / "lens", "lens.fits")
    write_plain(tmp_path / "lens" / "lens_psf.fits", 7 * psf())
    (stack,) = read(lens)
    assert "7" in stack.problem
    assert "lens_psf.fits" in stack.problem
