"""`oddlens score`: files of all kinds, bad input, tables and pictures."""

import re
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from conftest import ROOT
from oddlens.files.artefacts import read_arrays
from oddlens.pretrained import published_models
from tiny_models import COUNT, rings, write_fits
from toy_lenses import SCALE, toy_lens, write_lens


def test_fits_hdf5_and_npy_of_equal_images_score_alike(published_command, published_folder, tmp_path):
    images = read_arrays(published_folder / "toy" / "mini.h5")[0]["images"][:3]
    np.save(tmp_path / "images.npy", images)
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["stamps"] = images
    write_fits(tmp_path / "cube.fits", images[:, ::-1], PIXSCALE=0.4)
    units = [fits.ImageHDU(np.flipud(image), name=f"SCI{k}") for k, image in enumerate(images)]
    units += [fits.ImageHDU(np.full((5, 5), 0.04), name="PSF"), fits.ImageHDU(images[0], name="TWIN")]
    fits.HDUList([fits.PrimaryHDU(), *units]).writeto(tmp_path / "units.fits")
    files = [tmp_path / name for name in ("images.npy", "images.h5", "cube.fits", "units.fits")]
    end = published_command("score", *files, "--model", "toy/dcae", "--dataset", "stamps", "--csv", tmp_path / "o.csv")
    assert (end.status, end.err) == (0, "")
    table = pd.read_csv(tmp_path / "o.csv")
    expected = published_models.load("toy/dcae", published_folder).score(images)
    np.testing.assert_allclose(table["score"].to_numpy().reshape(4, 3), np.tile(expected, (4, 1)), rtol=1e-6)
    assert table["image"].tolist()[-3:] == [f"{files[-1]}#SCI{k}" for k in range(3)]
    assert "units.fits#SCI2" in end.out
    assert f"{expected[2]:.4g}" in end.out


def test_a_shard_is_scored(published_command, tiny_study, published_folder):
    end = published_command("score", tiny_study / "test-cdm.h5", "--model", "toy/flux")
    assert end.status == 0
    assert len(end.out.splitlines()) == 1 + COUNT


def test_a_frame_is_brought_to_the_models_geometry(published_command, tmp_path):
    folder = write_lens(tmp_path / "lens", 181, PIXSCALE=SCALE)
    end = published_command("score", folder, "--model", "toy/dcae")
    assert (end.status, end.err) == (0, "")
    assert 'pixels of 0.05" resampled to 0.4"' in end.out
    assert "not a detection" in end.out
    np.save(tmp_path / "lens.npy", sum(toy_lens(181)))
    psf = ["--psf", folder / "psf.fits", "--noise", folder / "noise_map.fits", "--pixel-scale", SCALE]
    end = published_command("score", tmp_path / "lens.npy", "--model", "toy/dcae", *psf)
    assert end.status == 0
    assert "lens.npy" in end.out


BAD = {
    "missing.fits": (None, "no file"),
    "text.fits": (lambda path, image: path.write_text("SIMPLY"), "NPY"),
    "cut.fits": (
        lambda path, image: path.write_bytes(write_fits(path, image).read_bytes()[:3000]),
        "cannot be read",
    ),
    "table.fits": (
        lambda path, image: fits.HDUList(
            [fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("a", "D", array=[1.0])])]
        ).writeto(path),
        "no two-dimensional image",
    ),
    "twin.fits": (
        lambda path, image: fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image, name="TWIN")]).writeto(path),
        "TWIN",
    ),
    "border.fits": (
        lambda path, image: write_fits(path, np.pad(image[1:-1, 1:-1], 1, constant_values=np.nan)),
        "60 of its 256 pixels",
    ),
    "fine.fits": (lambda path, image: write_fits(path, image, PIXSCALE=0.05), '6.40" x 6.40"'),
    "coarse.fits": (lambda path, image: write_fits(path, image, CDELT1=1 / 3600), '1"'),
    "words.fits": (lambda path, image: write_fits(path, image, PIXSCALE="small"), "'small'"),
    "huge.fits": (lambda path, image: write_fits(path, np.zeros((2100, 20), np.int8)), "2100 pixels"),
    "stretched.fits": (
        lambda path, image: write_fits(path, image, fits.ImageHDU(np.ones((5, 5)), name="PSF")),
        "PSF sums to 25",
    ),
    "other.fits": (lambda path, image: write_fits(path, np.pad(image, 2)), "20 x 20 pixels"),
    "counts.npy": (lambda path, image: np.save(path, 1e6 * image), "1e+06"),
    "dark.npy": (lambda path, image: np.save(path, 0 * image), "is 0,"),
    "names.npy": (lambda path, image: np.save(path, np.array(["a"])), "<U1"),
    "complex.npy": (lambda path, image: np.save(path, image + 1j), "complex64"),
    "empty.npy": (lambda path, image: np.save(path, image[None][:0]), "(0, 16, 16)"),
    "other.h5": (lambda path, image: h5py.File(path, "w").update({"stamps": image, "models": image}), "'images'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_line_and_the_others_are_scored(published_command, tmp_path, name):
    write, words = BAD[name]
    if write:
        write(tmp_path / name, rings(1, 3)[0])
    good = write_fits(tmp_path / "good.fits", rings(1, 4)[0], PIXSCALE=0.4)
    end = published_command("score", tmp_path / name, good, "--model", "toy/dcae", "--csv", tmp_path / "o.csv")
    assert end.status == 1
    assert len(end.err.splitlines()) == 1
    assert words in end.err
    assert name in end.err
    table = pd.read_csv(tmp_path / "o.csv")
    assert table["score"].notna().tolist() == [False, True]
    assert words in table["problem"][0]
    assert "good.fits" in end.out


def test_a_wrong_pixel_scale_is_an_error(published_command, tmp_path):
    good = write_fits(tmp_path / "good.fits", rings(1, 4)[0])
    end = published_command("score", good, "--model", "toy/dcae", "--pixel-scale", "-1")
    assert end.status == 2
    assert "above 0" in end.err


def test_anomaly_maps_of_the_highest_scores_are_drawn(published_command, tmp_path, monkeypatch):
    np.save(tmp_path / "images.npy", rings(15, 3, broken=True))
    end = published_command("score", tmp_path / "images.npy", "--model", "toy/dcae", "--map", tmp_path / "o.png")
    assert end.status == 0
    assert "(the 12 highest scores)" in end.out
    assert (tmp_path / "o.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr(published_models.PublishedModel, "anomaly_maps", lambda self, images: None)
    end = published_command("score", tmp_path / "images.npy", "--model", "toy/dcae", "--map", tmp_path / "p.png")
    assert end.status == 0
    assert "no picture: toy/dcae" in end.out


def test_scoring_one_image_imports_no_more_than_it_needs(published_folder, tmp_path):
    good = write_fits(tmp_path / "good.fits", rings(1, 4)[0], PIXSCALE=0.4)
    code = "import sys; from oddlens.cli.main import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "print(*sorted({'matplotlib', 'sklearn', 'jax', 'autolens', 'astropy.modeling'} & set(sys.modules)))"
    arguments = ["score", str(good), "--model", str(published_folder / "toy" / "dcae.safetensors")]
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT / "src", capture_output=True, text=True, check=True
    )
    assert "good.fits" in run.stdout
    assert run.stdout.splitlines()[-1] == ""


def test_a_group_of_an_hdf5_file_is_scored_as_inspected(published_command, published_folder, tmp_path):
    images = read_arrays(published_folder / "toy" / "mini.h5")[0]["images"][:3]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for k, image in enumerate(images):
            file[f"images/lens_{k}/x_F106"] = image
    end = published_command("score", f"{tmp_path}/a.h5#images", "--model", "toy/dcae", "--csv", tmp_path / "o.csv")
    assert (end.status, end.err) == (0, "")
    table = pd.read_csv(tmp_path / "o.csv")
    expected = published_models.load("toy/dcae", published_folder).score(images)
    np.testing.assert_allclose(table["score"], expected, rtol=1e-6)
    assert table["image"].tolist() == [f"{tmp_path}/a.h5#images/lens_{k}/x_F106" for k in range(3)]
    assert "3 images in 3 data sets" in published_command("inspect", f"{tmp_path}/a.h5#images").out
    one = published_command("score", f"{tmp_path}/a.h5#images/lens_1/x_F106", "--model", "toy/dcae")
    assert f"{expected[1]:.4g}" in one.out


def test_a_star_beside_a_lens_is_masked_as_by_real(published_command, tmp_path):
    image = sum(toy_lens(181))
    starry = image.copy()
    starry[20, 30] += 60 * image.max()
    scores, spots = [], []
    for name, pixels in {"plain": image, "starry": starry}.items():
        write_fits(tmp_path / f"{name}.fits", pixels, PIXSCALE=SCALE)
        end = published_command(
            "score", tmp_path / f"{name}.fits", "--model", "toy/dcae", "--csv", tmp_path / f"{name}.csv"
        )
        assert end.status == 0
        scores.append(pd.read_csv(tmp_path / f"{name}.csv")["score"][0])
        spots.append(int(re.search(r"(\d+) bright spot", end.out)[1]))
    assert spots[1] == spots[0] + 1
    assert scores[1] == pytest.approx(scores[0], rel=0.05)
