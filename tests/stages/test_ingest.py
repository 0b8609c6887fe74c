"""The user's own images as shards, and their camera."""

import json

import numpy as np
import pytest
from astropy.io import fits

from oddlens.config.files_dataset import Files
from oddlens.data import shards
from oddlens.files.artefacts import read_table
from oddlens.observations.sample.sample import read_sample
from oddlens.stages.camera import camera, read_camera
from oddlens.stages.ingest import ingest

CAMERA = {"noise_gain": 0.002, "noise_background": 0.01, "psf_fwhm_pixels": 2.0}
GAIN, BACKGROUND = 1 / 250, 0.01


def image(k, pixels=24):
    """A ring with the noise of an exposure of 250 s."""
    random = np.random.default_rng(k)
    y, x = np.mgrid[:pixels, :pixels] - (pixels - 1) / 2
    light = random.uniform(1, 3) * np.exp(-(((np.hypot(y, x) - pixels / 4) / 2) ** 2) / 2)
    return (light + random.normal(size=light.shape) * np.sqrt(GAIN * light + BACKGROUND)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    for pool, count in (("train", 40), ("validation", 6), ("test", 5)):
        (tmp_path / pool).mkdir()
        for k in range(count):
            np.save(tmp_path / pool / f"{k:03d}.npy", image(1000 * len(pool) + k))
    return tmp_path


def settings_of(folder, **others):
    return Files(folder=str(folder), **{"pixels": 24, "pixel_scale_arcsec": 0.1, **others})


def written(files, tmp_path, pool="train", cls="smooth", shard=0):
    sample, path = read_sample(files, 1, "mine"), tmp_path / "shard.h5"
    ingest(path, sample, files=files, camera=CAMERA, dataset="mine", pool=pool, cls=cls, shard=shard, seed=1)
    return shards.read(path)


def test_pixels_are_those_of_the_files(folder, tmp_path):
    shard = written(settings_of(folder), tmp_path)
    assert np.array_equal(shard.images, [image(5000 + k) for k in range(40)])
    assert shard.images.dtype == np.float32
    assert shard.arrays["index"].tolist() == list(range(40))
    assert shard.attributes["pixel_scale_arcsec"] == 0.1
    assert shard.attributes["skipped"] == "{}"
    assert {name: set(shard.group("truth")[name]) for name in CAMERA} == {n: {v} for n, v in CAMERA.items()}


def test_the_table_of_a_shard_names_its_files(folder, tmp_path):
    table = written(settings_of(folder, per_shard=15), tmp_path, shard=2).table
    assert table["index"].tolist() == list(range(30, 40))
    assert table["object"].tolist() == [f"train/{k:03d}.npy" for k in range(30, 40)]
    assert table["lens"].nunique() == 10


def test_facts_of_the_container_are_kept(folder, tmp_path):
    container = written(settings_of(folder), tmp_path).group("container")
    assert set(container["suffix"]) == {b".npy"}
    assert set(container["dtype"]) == {b"float32"}
    assert set(container["height"]) == {24.0}
    assert (container["bytes"] > 24 * 24 * 4).all()


def test_all_images_that_cannot_be_used_are_refused_at_once(folder, tmp_path):
    np.save(folder / "train/003.npy", np.full((24, 24), np.nan, np.float32))
    np.save(folder / "train/007.npy", np.ones((30, 24), np.float32))
    (folder / "train/009.npy").write_bytes(b"not an array")
    with pytest.raises(ValueError, match=r"003\.npy") as refusal:
        written(settings_of(folder), tmp_path)
    lines = str(refusal.value).splitlines()
    assert ["003" in lines[0], "007" in lines[1], "30 x 24" in lines[1], "009" in lines[2]] == [True] * 4
    assert not (tmp_path / "shard.h5").exists()


def test_they_can_be_skipped_and_are_named(folder, tmp_path):
    np.save(folder / "train/003.npy", np.full((24, 24), np.nan, np.float32))
    shard = written(settings_of(folder, bad="skip"), tmp_path)
    assert 3 not in shard.arrays["index"]
    assert len(shard.images) == 39
    assert [name.endswith("train/003.npy") for name in json.loads(shard.attributes["skipped"])] == [True]


def test_rows_of_a_sheet_state_their_camera_and_properties(folder, tmp_path):
    rows = [f"train/{k:03d}.npy,train,{0.001 * (k + 1)},{k / 2},t{k % 2}" for k in range(40)]
    rows += [f"{pool}/{k:03d}.npy,{pool},0.001,,t1" for pool in ("validation", "test") for k in range(5)]
    (folder / "s.csv").write_text("\n".join(["file,role,noise_gain,redshift,tile", *rows]))
    shard = written(Files(sheet=str(folder / "s.csv"), pixels=24), tmp_path)
    assert shard.group("truth")["noise_gain"] == pytest.approx(0.001 * np.arange(1, 41))
    assert set(shard.group("truth")["noise_background"]) == {CAMERA["noise_background"]}
    assert shard.table["redshift"].tolist() == [k / 2 for k in range(40)]
    assert set(shard.table["tile"]) == {"t0", "t1"}
    assert np.isnan(shard.attributes["pixel_scale_arcsec"])


def test_pixels_of_fits_files_and_their_scale_are_read(tmp_path):
    for k in range(12):
        header = fits.Header({"PIXSCALE": 0.05})
        fits.PrimaryHDU(image(k), header).writeto(tmp_path / f"{k:03d}.fits")
    sheet = tmp_path / "s.csv"
    roles = ["train"] * 6 + ["validation"] * 3 + ["test"] * 3
    sheet.write_text("file,role\n" + "".join(f"{k:03d}.fits,{role}\n" for k, role in enumerate(roles)))
    shard = written(Files(sheet=str(sheet), pixels=24), tmp_path)
    assert np.array_equal(shard.images[2], image(2)[::-1])  # FITS counts rows from the bottom
    assert shard.attributes["pixel_scale_arcsec"] == pytest.approx(0.05)
    with pytest.raises(ValueError, match=r"0\.1 and 0\.05"):
        written(Files(sheet=str(sheet), pixels=24, pixel_scale_arcsec=0.1), tmp_path)


def test_a_wrong_checksum_is_refused(folder, tmp_path):
    rows = [f"train/{k:03d}.npy,train,{'0' * 64 if k == 4 else ''}" for k in range(40)]
    rows += [f"{pool}/{k:03d}.npy,{pool}," for pool in ("validation", "test") for k in range(5)]
    (folder / "s.csv").write_text("\n".join(["file,role,sha256", *rows]))
    with pytest.raises(ValueError, match=r"004\.npy.*SHA-256"):
        written(Files(sheet=str(folder / "s.csv"), pixels=24), tmp_path)


# --- camera ----------------------------------------------------------------------------------------------------------


def camera_of(folder, tmp_path, **stated):
    files = settings_of(folder, camera=stated)
    camera(tmp_path / "camera.csv", read_sample(files, 1, "mine"), files, "mine")
    return read_table(tmp_path / "camera.csv")[0].set_index("quantity")


def test_the_camera_is_estimated_from_the_training_images(folder, tmp_path):
    table = camera_of(folder, tmp_path)
    assert table["used"]["noise_gain"] == pytest.approx(GAIN, rel=0.3)
    assert table["used"]["noise_background"] == pytest.approx(BACKGROUND, rel=0.15)
    assert table["used"]["psf_fwhm_pixels"] == 0
    assert read_camera(tmp_path / "camera.csv").keys() == CAMERA.keys()


def test_stated_values_are_used_and_compared(folder, tmp_path):
    table = camera_of(folder, tmp_path, noise="known", exposure_s=250, background=0.0101, psf_fwhm_arcsec=0.17)
    assert table["used"].tolist()[:3] == pytest.approx([1 / 250, 0.0101, 1.7])
    assert table["estimated"]["noise_gain"] == pytest.approx(GAIN, rel=0.3)
    with pytest.raises(ValueError, match="trust"):
        camera_of(folder, tmp_path, noise="known", exposure_s=25, background=0.01)
    trusted = camera_of(folder, tmp_path, noise="known", exposure_s=25, background=0.01, trust=True)
    assert trusted["used"]["noise_gain"] == 1 / 25


def test_an_assumed_pixel_scale_must_be_that_of_the_images(folder, tmp_path):
    files = settings_of(folder)
    camera(tmp_path / "camera.csv", read_sample(files, 1, "mine"), files, "mine", assumed_scale_arcsec=0.1)
    with pytest.raises(ValueError, match=r"0\.2.*0\.1 arcsec"):
        camera(tmp_path / "other.csv", read_sample(files, 1, "mine"), files, "mine", assumed_scale_arcsec=0.2)


def test_a_known_camera_must_be_stated(folder, tmp_path):
    with pytest.raises(ValueError, match="background"):
        camera_of(folder, tmp_path, noise="known", exposure_s=250)


def test_without_an_estimate_the_background_is_the_variance_of_the_border(folder, tmp_path):
    for path in (folder / "train").glob("*.npy"):
        np.save(path, np.round(np.load(path) * 4).astype(np.float32))  # grey steps that are coarser than the noise
    table = camera_of(folder, tmp_path)
    assert np.isnan(table["estimated"]["noise_background"])
    assert 0 <= table["used"]["noise_background"] < 1


def test_a_camera_without_gain_has_the_scatter_of_the_sky(folder, tmp_path):
    table = camera_of(folder, tmp_path, noise="none")
    assert table["used"]["noise_gain"] == 0
    assert table["used"]["noise_background"] == pytest.approx(BACKGROUND, rel=0.15)
