"""`oddlens fit` and `oddlens.fit`: real frames from their files to the files of the fit."""

import json

import numpy as np
import pytest

import oddlens
from frames_like_hst import SCALE, Lens, write_frames
from oddlens.lensing.cosmology import planes

LENS = Lens(b=0.65, q=0.8, source=(0.04, 0.06))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("frames")


@pytest.fixture(scope="module")
def pixels(folder):
    return write_frames(folder / "mine", LENS)


def test_a_batch_goes_on_after_lenses_that_cannot_be_fitted(oddlens_command, folder, pixels):
    out = folder / "fits"
    end = oddlens_command("fit", folder / "mine", "--out", out, "--radius", "1.1")
    assert end.status == 1
    assert "Einstein radius" in end.out
    assert "empty: no lens explains" in end.err
    assert "absent.fits" in end.err
    numbers = json.loads((out / "lens/fit.json").read_text())
    assert numbers["lens"]["einstein_radius"]["value"] == pytest.approx(LENS.b, rel=0.02)
    assert numbers["redshifts"] == {"lens": 0.2, "source": 0.6}
    per_area = 1 / planes(np.array([0.2]), np.array([0.6]))["area_per_msun"][0]
    assert numbers["scan"]["msun_per_arcsec2"] == pytest.approx(per_area)
    assert {path.name for path in (out / "lens").iterdir()} == {
        "coolest",
        "fit.fits",
        "fit.json",
        "fit.png",
        "lens.npz",
    }
    assert not (out / "empty").exists()


def test_arrays_are_fitted_in_python(pixels):
    given = {"psf": pixels.psf, "noise": pixels.sigma, "radius_arcsec": 1.1}
    result = oddlens.fit(pixels.image, SCALE, **given)
    assert result.numbers["lens"]["einstein_radius"]["value"] == pytest.approx(LENS.b, rel=0.02)
    assert "mass_msun" not in result.numbers["masses"][0]
    assert result.to_coolest()["standard"] == "COOLEST"


def test_every_image_of_a_file_without_index_is_fitted(oddlens_command, folder, pixels):
    noise = np.random.default_rng(3).standard_normal((2, 41, 41, 2))
    np.save(folder / "stack.npy", noise)
    end = oddlens_command("fit", folder / "stack.npy", "--channel", "1", "--pixel-scale", SCALE, "--out", folder / "x")
    assert end.status == 1
    problems = end.err.split("could not be fitted:")[1].splitlines()[1:]
    assert [line.split(":")[0] for line in problems] == ["stack[0]", "stack[1]"]
    end = oddlens_command("fit", folder / "mine", "--channel", "1")
    assert end.status
    assert "is an index" in end.err


@pytest.mark.parametrize("redshifts", [(0.6, 0.2), (0.6, 0.6), (-0.1, 0.2), (float("nan"), 0.2)])
def test_redshifts_that_no_lens_has_are_refused_before_the_fit(pixels, redshifts):
    with pytest.raises(ValueError, match="the first must be positive, and the second larger"):
        oddlens.fit(pixels.image, SCALE, redshifts=redshifts)


@pytest.mark.parametrize(("image", "scale"), [("stack", SCALE), ("complex", SCALE), ("image", 0.0), ("image", -1.0)])
def test_arrays_that_are_no_images_are_refused(pixels, image, scale):
    arrays = {"image": pixels.image, "stack": pixels.image[None], "complex": pixels.image + 0j}
    with pytest.raises(ValueError, match="two dimensions of real numbers"):
        oddlens.fit(arrays[image], scale)
    with pytest.raises(TypeError, match="list"):
        oddlens.fit(pixels.image.tolist(), SCALE)


def test_what_is_missing_or_too_much_is_said(folder, pixels):
    with pytest.raises(ValueError, match="pixel_scale_arcsec is needed"):
        oddlens.fit(pixels.image)
    with pytest.raises(ValueError, match="psf is str"):
        oddlens.fit(pixels.image, SCALE, psf="psf.fits")
    with pytest.raises(ValueError, match="has 3 lenses"):
        oddlens.fit(folder / "mine")
