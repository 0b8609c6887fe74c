"""`oddlens inspect`: what files hold, and how they would be read."""

import h5py
import numpy as np
import pytest
from PIL import Image

from fits_makers import WCS, image, psf, unit, write_units


def test_units_roles_scale_and_companions_are_shown(oddlens_command, tmp_path):
    units = [unit("SCI", image(), **WCS), unit("ERR", np.full((161, 161), 0.01)), unit("PSF", psf())]
    path = write_units(tmp_path / "lens.fits", *units, unit("CTX", np.ones((161, 161), np.int32)))
    end = oddlens_command("inspect", path)
    assert (end.status, end.err) == (0, "")
    for words in ("FITS", "SCI: science", "ERR: noise", "PSF: psf", "CTX: other", '161 x 161 pixels of 0.05"'):
        assert words in end.out


def test_what_cannot_be_read_is_said_and_the_rest_shown(oddlens_command, tmp_path):
    np.save(tmp_path / "stamps.npy", np.random.default_rng(1).normal(size=(5, 16, 16)))
    (tmp_path / "page.html").write_text("<html>not found</html>")
    end = oddlens_command("inspect", tmp_path / "page.html", tmp_path / "stamps.npy", tmp_path / "none.fits")
    assert end.status == 1
    assert "5 images" in end.out
    assert "16 x 16 pixels of unknown scale" in end.out
    assert end.out.count("cannot be read") == 2


def test_a_picture_is_described_with_its_missing_unit(oddlens_command, tmp_path):
    rgb = np.random.default_rng(1).integers(0, 256, (16, 20, 3)).astype(np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    end = oddlens_command("inspect", tmp_path / "a.png")
    assert end.status == 1
    assert "luminance" in end.out
    end = oddlens_command("inspect", tmp_path / "a.png", "--channel", "luminance")
    assert end.status == 0
    assert "format: PNG" in end.out
    assert "16 x 20 pixels" in end.out
    assert "no unit" in end.out
    assert oddlens_command("inspect", tmp_path / "a.png", "--channel", "grey").status == 2


def test_groups_of_images_are_summed_up(oddlens_command, tmp_path):
    with h5py.File(tmp_path / "roman.h5", "w") as file:
        for k in range(12):
            group = file.create_group(f"images/strong_lens_{k:08}")
            group.attrs["substructure"] = [str(k < 4), "comment"]
            for band in ("F106", "F129"):
                image = group.create_dataset(f"exposure_{k:08}_{band}", data=np.ones((16, 16)) * k)
                image.attrs["pixel_scale"] = ["0.11", "arcsec"]
    end = oddlens_command("inspect", tmp_path / "roman.h5")
    assert end.status == 0
    for words in ("24 images", "12, the first", "F106 (12), F129 (12)", "substructure (8), smooth (16)", '0.11" (24)'):
        assert words in end.out
    assert "and 14 more arrays" in end.out


def test_files_of_a_folder_that_are_read_alike_are_one_line(oddlens_command, tmp_path):
    for k in range(15):
        np.save(tmp_path / f"{k:02}.npy", np.random.default_rng(k).normal(size=(16, 16)))
    np.save(tmp_path / "other.npy", np.random.default_rng(1).normal(size=(3, 16, 16)))
    np.save(tmp_path / "bad.npy", np.ones((16, 16), bool))
    (tmp_path / "cdm").mkdir()
    np.save(tmp_path / "cdm" / "1.npy", np.ones((16, 16)))
    end = oddlens_command("inspect", tmp_path)
    assert end.status == 1
    assert f"{tmp_path / '00.npy'} and 14 more files: 1 image of 16 x 16" in end.out
    assert f"{tmp_path / 'other.npy'}: 3 images" in end.out
    assert "folder cdm: 1 .npy" in end.out
    assert "17 .npy" in end.out
    assert end.out.count("not read") == 1


@pytest.mark.parametrize("name", ["png", "jpg"])
def test_a_folder_of_pictures_is_described(oddlens_command, tmp_path, name):
    grey = np.random.default_rng(1).integers(0, 256, (16, 16)).astype(np.uint8)
    for k in range(3):
        Image.fromarray(grey).save(tmp_path / f"{k}.{name}")
    end = oddlens_command("inspect", tmp_path)
    assert end.status == 0
    assert "and 2 more files: 1 image of 16 x 16" in end.out
