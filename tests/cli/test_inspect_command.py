"""`oddlens inspect`: what files hold, and how they would be read."""

import numpy as np

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
