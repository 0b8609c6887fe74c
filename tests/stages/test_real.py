"""Real lenses scored by a small study: tables, figures, and one line for each problem."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from oddlens.detectors.interface import loading
from oddlens.detectors.interface.model_files import save_model
from toy_lenses import SCALE, add_toy_models, toy_lens, write_index, write_lens, write_toy_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study with one data set and two controls that need no training."""
    return add_toy_models(write_toy_study(tmp_path_factory.mktemp("results") / "tiny"))


def test_a_lens_is_scored(tmp_path, study, oddlens_command):
    folder = write_lens(tmp_path / "lens", PIXSCALE=SCALE)
    out = oddlens_command("real", folder, "--study", study).out
    table = pd.read_csv(study / "real" / "lens" / "toy.csv")
    assert list(table["detector"]) == ["flux", "flux", "pca", "pca"]
    assert table["percentile"].between(0, 100).all()
    assert table["false_alarm_probability"].between(0.0196, 1).all()  # 50 validation images have ranks and no tail
    assert f"(1 in {1 / table['false_alarm_probability'].iloc[0]:.0f})" in out
    assert "not a detection" in out
    assert (study / "real" / "lens" / "toy" / "lens.png").read_bytes().startswith(b"\x89PNG")
    before = (study / "real" / "lens" / "toy.csv").read_bytes()
    assert oddlens_command("real", folder / "data.fits", "--study", study).status == 0
    assert (study / "real" / "lens" / "toy.csv").read_bytes() == before


def test_unusable_inputs_are_reported_and_the_others_are_scored(tmp_path, study, oddlens_command):
    """Each kind of unusable input once."""
    write_lens(tmp_path / "good")
    light, ring, noise = toy_lens()
    image = light + ring + noise
    framed = np.pad(image, 20, constant_values=np.nan)
    fits.PrimaryHDU(np.flipud(framed)).writeto(tmp_path / "framed.fits")
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("a", "D", array=[1.0])])]).writeto(
        tmp_path / "table.fits"
    )
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image, name="A"), fits.ImageHDU(image, name="B")]).writeto(
        tmp_path / "two.fits"
    )
    fits.PrimaryHDU(np.zeros((4, 3000), np.uint8)).writeto(tmp_path / "huge.fits")
    fits.PrimaryHDU(np.full((5, 5), 7.0)).writeto(tmp_path / "psf.fits")
    index = write_index(
        tmp_path,
        "good,x,0.05,good/data.fits,good/noise_map.fits,good/psf.fits,,,Somebody 2010",
        "good,y,0.05,two.fits#B,,,,,",
        "framed,,0.05,framed.fits,,,,,",
        "table,,0.05,table.fits,,,,,",
        "two,,0.05,two.fits,,,,,",
        "third,,0.05,two.fits#C,,,,,",
        "huge,,0.05,huge.fits,,,,,",
        "bright psf,,0.05,good/data.fits,,psf.fits,,,",
        "missing,,0.05,nowhere.fits,,,,,",
        "scale,,wide,good/data.fits,,,,,",
        "small,,0.005,good/data.fits,,,,,",
        "coarse,,0.5,good/data.fits,,,,,",
    )
    end = oddlens_command("real", index, "--study", study)
    assert end.status == 1
    assert len(end.err.partition("could not be scored:\n")[2].splitlines()) == 9
    place = study / "real" / tmp_path.name
    table = pd.read_csv(place / "toy.csv")
    scored, problems = table[table["score"].notna()], table[table["problem"].notna()].set_index("lens")["problem"]
    assert set(scored["lens"]) == {"good x", "good y", "framed"}
    assert scored.groupby("object")["claimed"].max().to_dict() == {"good": 1, "framed": 0}
    for lens, words in {
        "table": "no two-dimensional image",
        "two": "choose one by two.fits#NAME",
        "third": "has no image 'C'. Known: A, B.",
        "huge": "3000 pixels on a side; at most 2048",
        "bright psf": "PSF sums to 175",
        "missing": "there is no file",
        "scale": "line 11: pixel_scale_arcsec is 'wide'",
        "small": "give a larger cut-out",
        "coarse": 'pixels of 0.5", larger than the 0.2"',
    }.items():
        assert words in problems[lens], (lens, problems[lens])
    assert problems.str.contains("\n").sum() == 0
    assert {path.stem for path in (place / "toy").glob("*.png")} == {"good_x", "good_y", "framed"}
    out = end.out
    assert "good ranks 1 of n = 2" in out or "good ranks 2 of n = 2" in out
    assert "no p below 0.5 is possible" in out


def test_a_model_of_another_geometry_is_reported_and_the_others_score(tmp_path, study, oddlens_command):
    other = shutil.copytree(study, tmp_path / "other")
    model = loading.detector("flux").build(8)
    save_model(model, other / "models/toy/flux/seed-1/none-0.safetensors", diverged=None, input="images", seed=1)
    assert oddlens_command("real", write_lens(tmp_path / "lens", PIXSCALE=SCALE), "--study", other).status == 1
    table = pd.read_csv(other / "real/lens/toy.csv")
    (problem,) = table["problem"].dropna()
    assert "this detector takes (n, 8, 8)" in problem
    assert list(table.dropna(subset="score")["detector"]) == ["flux", "pca", "pca"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "the following arguments are required: path"),
        (["nowhere.fits"], 1, "there is no file nowhere.fits"),
        (["{small}", "--dataset", "toy"], 1, '2.05" x 2.05".*toy shows 3.20" x 3.20"'),
        (["{lens}", "--study", "elsewhere"], 2, "elsewhere is not a study.*run `make study` first"),
        (["{lens}", "--dataset", "model_x"], 2, "no validation images of 'model_x': run `make study` first"),
        (["{lens}", "--claimed", "ring"], 2, "no lens has the claimed name 'ring'. Known: lens."),
    ],
)
def test_wrong_arguments_are_explained(tmp_path, study, arguments, status, words, oddlens_command):
    small, lens = (write_lens(tmp_path / name, size, PIXSCALE=SCALE) for name, size in (("small", 41), ("lens", 101)))
    end = oddlens_command("real", "--study", study, *(a.format(small=small, lens=lens) for a in arguments))
    assert end.status == status
    assert re.search(words, end.err)
