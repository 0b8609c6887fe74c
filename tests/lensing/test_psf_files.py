"""Point-spread functions from files: what is read, what is refused, and where their kernels are used."""

import re

import numpy as np
import pytest
import torch
from astropy.io import fits

from oddlens.config.presets import preset_simulation
from oddlens.detectors.interface import loading
from oddlens.lensing import camera as cameras
from oddlens.lensing import psf_files, reference, render, scene
from oddlens.lensing.model import LensModel
from oddlens.lensing.simulated_images import simulate_images
from oddlens.observations.resampling import target_psf
from oddlens.schema.config_errors import ConfigError
from oddlens.stages import simulate as simulating

FEW = {"pixels": 16, "pixel_scale_arcsec": 0.3}
PROFILE = {"profile": "gaussian", "fwhm_arcsec": 0.7, "pixels": 9}
GAUSSIAN = preset_simulation("model_a", above={"camera": FEW | {"psf": PROFILE}})


def bell(side, fwhm, y=0.0, x=0.0):
    axis = np.arange(side) - side // 2
    values = np.exp(-4 * np.log(2) * ((axis[:, None] - y) ** 2 + (axis - x) ** 2) / fwhm**2)
    return values / values.sum()


def lopsided():
    """With wings up and to the right, so that a flip shows."""
    return 0.9 * bell(9, 2.3) + 0.1 * bell(9, 3.0, -2, 1)


def written(path, array, header=None, name=None):
    """Row 0 of the array is the top, and the last of a FITS file."""
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        hdu = fits.PrimaryHDU if name is None else fits.ImageHDU
        units = [hdu(array[::-1], fits.Header(header or {}))]
        if name is not None:
            units[0].name = name
            units = [fits.PrimaryHDU(), fits.ImageHDU(np.ones((3, 3)), name="OTHER"), *units]
        fits.HDUList(units).writeto(path)
    return str(path)


def with_file(file, **psf):
    nulls = {"profile": None, "fwhm_arcsec": None, "pixels": None}
    return preset_simulation("model_a", above={"camera": FEW | {"psf": {**nulls, "file": file, **psf}}})


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["psf.npy", "psf.fits", "psf.fits.gz"])
def test_a_kernel_is_read_with_its_row_0_at_the_top(tmp_path, name):
    file = written(tmp_path / name, 0.97 * lopsided())
    np.testing.assert_allclose(psf_files.kernel(file, 0.3), lopsided() / lopsided().sum(), rtol=1e-12)


def test_a_unit_is_named_or_has_the_name_psf(tmp_path):
    file = written(tmp_path / "psf.fits", bell(9, 2), name="PSF")
    np.testing.assert_allclose(psf_files.kernel(file, 0.3), bell(9, 2))
    other = written(tmp_path / "more.fits", bell(9, 2), name="F814W")
    np.testing.assert_allclose(psf_files.kernel(f"{other}#f814w", 0.3), bell(9, 2))
    for wrong in (other, f"{other}#F606W"):
        with pytest.raises(ValueError, match=r"choose one of its images by more\.fits#NAME: OTHER, F814W"):
            psf_files.kernel(wrong, 0.3)


def test_a_changed_file_is_read_again(tmp_path):
    file = written(tmp_path / "psf.npy", bell(9, 2))
    before, digest = psf_files.kernel(file, 0.3), psf_files.digest(file)
    written(tmp_path / "psf.npy", bell(11, 2))
    assert len(psf_files.kernel(file, 0.3)) == 11
    assert len(before) == 9
    assert psf_files.digest(file) != digest


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (bell(10, 2), "10 pixels a side; a PSF needs an odd number.*cut it out about the pixel of its peak"),
        (bell(9, 2)[1:], r"the shape \(8, 9\); a PSF is one square image"),
        (np.stack([bell(9, 2)] * 2), r"the shape \(2, 9, 9\)"),
        (5 * bell(9, 2), "the PSF sums to 5.*divide it by its sum"),
        (np.where(bell(9, 2) < 1e-4, np.nan, bell(9, 2)), "sums to nan"),
        (bell(9, 2, 1.0, 0.0), "its core is -1.00 pixels above and .* right of its centre.*shift it"),
        (bell(9, 2, 0.0, 0.4), "0.36 right of its centre"),
        (bell(9, 2) - 0.05 * bell(9, 1, 3, 3), "a pixel of -.* of its peak.*set such pixels to 0"),
    ],
)
def test_what_is_no_centred_psf_is_refused_with_what_to_do(tmp_path, array, message):
    with pytest.raises(ValueError, match=rf"psf\.npy.*{message}"):
        psf_files.kernel(written(tmp_path / "psf.npy", array), 0.3)


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*missing\.fits.*working directory"):
        psf_files.kernel(str(tmp_path / "missing.fits"), 0.3)
    (tmp_path / "psf.txt").write_text("0 1 0")
    with pytest.raises(ValueError, match="neither FITS nor NPY"):
        psf_files.kernel(str(tmp_path / "psf.txt"), 0.3)
    np.save(tmp_path / "objects.npy", np.array([{}]))
    with pytest.raises(ValueError, match=r"objects\.npy cannot be read.*numpy\.save"):
        psf_files.kernel(str(tmp_path / "objects.npy"), 0.3)
    whole = written(tmp_path / "whole.fits", bell(99, 2))
    (tmp_path / "half.fits").write_bytes((tmp_path / "whole.fits").read_bytes()[:9000])
    assert len(psf_files.kernel(whole, 0.3)) == 99
    with pytest.raises(ValueError, match=r"half\.fits"):
        psf_files.kernel(str(tmp_path / "half.fits"), 0.3)


# --- sampling --------------------------------------------------------------------------------------------------------


def test_a_finer_psf_is_resampled_where_its_scale_is_stated(tmp_path):
    file = written(tmp_path / "fine.fits", bell(61, 12), {"PIXELSCL": 0.1})
    with pytest.raises(ValueError, match=r'pixels have 0\.1", not 0\.3": set camera\.psf\.pixel_scale_arcsec: 0\.1'):
        psf_files.kernel(file, 0.3)
    with pytest.raises(ValueError, match=r'pixels have 0\.1", not 0\.05"'):
        psf_files.kernel(file, 0.3, 0.05)
    found = psf_files.kernel(file, 0.3, 0.1)
    assert found.shape == (21, 21)
    np.testing.assert_allclose(found, bell(21, 4), atol=1e-6)
    with pytest.raises(ValueError, match=r"as wide as the camera's: .* only resampled from finer pixels"):
        psf_files.kernel(written(tmp_path / "coarse.npy", bell(9, 2)), 0.3, 0.6)


def test_the_central_part_is_used_if_it_holds_the_light(tmp_path):
    file = written(tmp_path / "psf.npy", bell(31, 3))
    np.testing.assert_allclose(psf_files.kernel(file, 0.3, None, 15), bell(15, 3), rtol=1e-9)
    with pytest.raises(ValueError, match=r"central 3 pixels hold .*% of its light.*null for all 31"):
        psf_files.kernel(file, 0.3, None, 3)
    with pytest.raises(ValueError, match=r"31 pixels a side, fewer than camera\.psf\.pixels \(33\)"):
        psf_files.kernel(file, 0.3, None, 33)


@pytest.mark.parametrize("fwhm", [2.0, 3.5, 8.0])
def test_the_width_of_a_kernel_is_measured(fwhm):
    assert psf_files.fwhm_pixels(bell(31, fwhm)) == pytest.approx(fwhm, rel=0.03)


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("psf", "message"),
    [
        ({"file": "x.fits"}, r"profile and file and fwhm_arcsec given.*psf: \{file: psf\.fits, profile: null, fwhm_"),
        ({"profile": None}, "fwhm_arcsec"),
        ({"profile": None, "fwhm_arcsec": None}, "none given"),
        ({"pixels": None}, "pixels is missing"),
        ({"fwhm_arcsec": None}, "fwhm_arcsec is missing"),
        ({"pixel_scale_arcsec": 0.1}, "pixel_scale_arcsec is that of a file"),
    ],
)
def test_a_psf_is_a_profile_or_a_file(psf, message):
    with pytest.raises(ConfigError, match=message):
        preset_simulation("model_a", above={"camera": {"psf": psf}})


# --- use -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def measured(tmp_path):
    """The Gaussian of the profile, in a file."""
    q = {"psf_fwhm_arcsec": np.array([0.7])}
    return with_file(written(tmp_path / "psf.fits", cameras.psf_kernels(GAUSSIAN.camera, q)[0]))


def simulated(simulation, cls="cdm"):
    return simulate_images(simulation, render.renderer(simulation.camera, cls), 3, "d", "test", cls, np.arange(2))


def test_images_under_a_psf_of_a_file_are_those_under_its_profile(measured):
    ours, theirs = simulated(measured), simulated(GAUSSIAN)
    np.testing.assert_allclose(ours.rendered["image"], theirs.rendered["image"], rtol=1e-5)
    np.testing.assert_allclose(ours.camera["psf_fwhm_pixels"], theirs.camera["psf_fwhm_pixels"], rtol=0.05)
    assert reference.disagreement(measured.camera, "cdm", ours.scenes, 0, ours.rendered["image"][0]) < 0.1


def test_the_reference_has_the_orientation_of_the_file(tmp_path):
    simulation = with_file(written(tmp_path / "psf.fits", lopsided()))
    ours = simulated(simulation)
    assert reference.disagreement(simulation.camera, "cdm", ours.scenes, 1, ours.rendered["image"][1]) < 0.1
    flipped = with_file(written(tmp_path / "flipped.fits", lopsided()[::-1]))
    with pytest.raises(ArithmeticError, match="differs"):
        reference.disagreement(flipped.camera, "cdm", ours.scenes, 1, ours.rendered["image"][1])


def test_the_lens_model_has_the_psf_of_the_file(measured, tmp_path):
    q = torch.tensor(LensModel(GAUSSIAN).parametrisation.of_scenes(simulated(GAUSSIAN, "smooth").scenes.lens)).float()
    torch.testing.assert_close(LensModel(measured)(q), LensModel(GAUSSIAN)(q), rtol=1e-4, atol=1e-6)
    other = with_file(written(tmp_path / "other.npy", lopsided()))
    assert (LensModel(other)(q) - LensModel(measured)(q)).abs().max() > 0.01 * LensModel(measured)(q).max()


def test_a_model_needs_no_file(measured, tmp_path):
    plain = cameras.with_psf_itself(measured.plain())
    (tmp_path / "psf.fits").unlink()
    kind = loading.detector("lensfit")
    detector = kind.build(16, simulation=plain)
    assert detector.lens_model.side == 16 + 8
    with pytest.raises(FileNotFoundError):
        kind.build(16, simulation=measured.plain())
    assert cameras.with_psf_itself(GAUSSIAN.plain()) == GAUSSIAN.plain()


def test_a_shard_keeps_kernel_and_digest(measured, monkeypatch):
    monkeypatch.setattr(simulating, "MAX_BATCH_IMAGES", 2)
    shard = simulating.simulate(measured, seed=3, dataset="d", pool="train", cls="smooth", first=0, count=2)
    assert shard.attributes["psf_sha256"] == psf_files.digest(measured.camera.psf.file)
    np.testing.assert_array_equal(shard.arrays["psf"], cameras.psf_of_file(measured.camera))
    again = cameras.with_psf(measured.camera, shard.arrays["psf"])
    np.testing.assert_allclose(cameras.psf_of_file(again), shard.arrays["psf"], rtol=1e-12)


def test_frames_are_matched_to_the_psf_of_the_file(measured):
    ours, theirs = (target_psf((40, 40), 0.15, simulation.camera) for simulation in (measured, GAUSSIAN))
    assert np.abs(ours - theirs).max() < 0.02 * theirs.max()


def test_the_priors_of_other_parameters_do_not_notice(measured):
    ours, theirs = (scene.draw_scenes(s, 3, "d", "test", "cdm", np.arange(5)).lens for s in (measured, GAUSSIAN))
    assert set(theirs) - set(ours) == {"psf_fwhm_arcsec"}
    for name, column in ours.items():
        np.testing.assert_array_equal(column, theirs[name])


def test_a_message_names_the_file_and_stays_on_one_line(tmp_path):
    with pytest.raises(ValueError, match="odd number") as found:
        psf_files.kernel(written(tmp_path / "psf.npy", bell(10, 2)), 0.3)
    assert re.fullmatch(r"[^\n]*psf\.npy[^\n]*", str(found.value))
