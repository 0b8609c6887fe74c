"""Real lenses scored by a small study: tables, figures, and one line for each problem."""

import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from astropy.io import fits

from oddlens.detectors.interface import loading
from oddlens.detectors.interface.model_files import save_model
from toy_lenses import SCALE, add_toy_models, toy_lens, write_index, write_lens, write_toy_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study with one data set and two controls that need no training."""
    return add_toy_models(write_toy_study(tmp_path_factory.mktemp("results") / "tiny"))


@pytest.fixture
def real(oddlens_command):
    """The command `oddlens real`: arguments to its end, and the folder of its results if there is one."""

    def run(*arguments):
        end = oddlens_command("real", *arguments)
        written = re.search(r"^Written: (.*)$", end.out, re.MULTILINE)
        return end, Path(written[1]) if written else None

    return run


def test_a_lens_is_scored(tmp_path, study, real):
    folder = write_lens(tmp_path / "lens", PIXSCALE=SCALE)
    end, place = real(folder, "--study", study)
    out = end.out
    assert re.fullmatch(r"lens-[0-9a-f]{8}", place.name)
    assert place.parent == study / "real"
    table = pd.read_csv(place / "toy.csv")
    assert list(table["detector"]) == ["flux", "flux", "pca", "pca"]
    assert table["percentile"].between(0, 100).all()
    assert table["false_alarm_probability"].between(0.0196, 1).all()  # 50 validation images have ranks and no tail
    assert f"(1 in {1 / table['false_alarm_probability'].iloc[0]:.0f})" in out
    assert "not a detection" in out
    assert (place / "toy" / "lens.png").read_bytes().startswith(b"\x89PNG")
    before = (place / "toy.csv").read_bytes()
    (place / "toy" / "earlier.png").touch()
    assert real(folder / "data.fits", "--study", study)[1] == place
    assert (place / "toy.csv").read_bytes() == before
    assert [path.name for path in (place / "toy").iterdir()] == ["lens.png"]


def test_no_result_overwrites_another(tmp_path, study, real):
    """Lenses of one name in two folders, another content or option, and a run that scores nothing."""
    image = write_lens(tmp_path / "made", PIXSCALE=SCALE) / "data.fits"
    for name in ("J0001", "J0002"):
        (tmp_path / name).mkdir()
        shutil.copy(image, tmp_path / name / "image.fits")
    first, second = (real(tmp_path / name / "image.fits", "--study", study)[1] for name in ("J0001", "J0002"))
    assert (first.name[:-9], second.name[:-9]) == ("J0001_image", "J0002_image")
    kept = {path: path.read_bytes() for path in (first / "toy.csv", second / "toy.csv")}
    places = {first, second, real(tmp_path / "J0001/image.fits", "--study", study, "--annulus", 0.6, 2)[1]}
    write_lens(tmp_path / "other", 131, PIXSCALE=SCALE)
    shutil.copy(tmp_path / "other/data.fits", tmp_path / "J0001/image.fits")
    places.add(real(tmp_path / "J0001/image.fits", "--study", study)[1])
    (tmp_path / "J0001/info.json").write_text(f'{{"pixel_scale": {SCALE}}}')
    places.add(real(tmp_path / "J0001/image.fits", "--study", study)[1])
    assert len(places) == 5
    others = shutil.copytree(study, tmp_path / "study")
    shutil.rmtree(others / "models")
    end, place = real(tmp_path / "J0002/image.fits", "--study", others)
    assert (end.status, place, "Nothing was written" in end.out) == (1, None, True)
    assert (others / "real" / second.name / "toy.csv").read_bytes() == kept[second / "toy.csv"]
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert not [path for path in (others / "real").iterdir() if path.name.startswith(".")]


def test_a_hint_is_printed_once_and_names_what_is_possible(tmp_path, study, real):
    """A frame without a scale; a study of two data sets."""
    both = shutil.copytree(study, tmp_path / "both", ignore=shutil.ignore_patterns("real"))
    config = yaml.safe_load((both / "config.yaml").read_text())
    config["datasets"]["again"] = config["datasets"]["toy"]
    (both / "config.yaml").write_text(yaml.safe_dump(config))
    for part in ("shards", "models", "scores"):
        shutil.copytree(both / part / "toy", both / part / "again")
    lens = write_lens(tmp_path / "lens")
    end, _ = real(lens, "--study", both)
    assert end.err.count("--pixel-scale") == 1
    assert real(lens, "--study", both, "--pixel-scale", SCALE)[0].status == 0
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["stamp"] = file["other"] = np.zeros((9, 9))
    end, _ = real(tmp_path / "a.h5", "--study", study)
    assert "path#NAME" in end.err
    assert "--dataset" not in end.err


def test_parts_of_one_file_have_results_of_their_own(tmp_path, study, real):
    image = sum(toy_lens())
    units = [
        fits.ImageHDU(np.flipud(factor * image), fits.Header({"PIXSCALE": SCALE}), f"LENS{factor}") for factor in (1, 2)
    ]
    fits.HDUList([fits.PrimaryHDU(), *units]).writeto(tmp_path / "two.fits")
    places = [real(tmp_path / f"two.fits#LENS{factor}", "--study", study)[1] for factor in (1, 2)]
    assert [place.name[-18:-9] for place in places] == ["two_LENS1", "two_LENS2"]
    assert all((place / "toy.csv").is_file() for place in places)


def test_unusable_inputs_are_reported_and_the_others_are_scored(tmp_path, study, real):
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
    end, place = real(index, "--study", study)
    assert end.status == 1
    assert len(end.err.partition("could not be scored:\n")[2].splitlines()) == 9
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


def test_a_model_of_another_geometry_is_reported_and_the_others_score(tmp_path, study, real):
    other = shutil.copytree(study, tmp_path / "other")
    model = loading.detector("flux").build(8)
    save_model(model, other / "models/toy/flux/seed-1/none-0.safetensors", diverged=None, input="images", seed=1)
    end, place = real(write_lens(tmp_path / "lens", PIXSCALE=SCALE), "--study", other)
    assert end.status == 1
    table = pd.read_csv(place / "toy.csv")
    (problem,) = table["problem"].dropna()
    assert "this detector takes (n, 8, 8)" in problem
    assert list(table.dropna(subset="score")["detector"]) == ["flux", "pca", "pca"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "the following arguments are required: path"),
        (["nowhere.fits"], 1, "there is no file nowhere.fits"),
        (["{small}", "--dataset", "toy"], 1, '2.05" x 2.05".*toy shows 3.20" x 3.20"'),
        (["{lens}", "--study", "elsewhere"], 2, "elsewhere is not a study.*--study"),
        (["{lens}", "--dataset", "model_x"], 2, "has no data set 'model_x'. Known: toy."),
        (["{lens}", "--claimed", "ring"], 2, "no lens has the claimed name 'ring'. Known: lens."),
    ],
)
def test_wrong_arguments_are_explained(tmp_path, study, arguments, status, words, oddlens_command):
    small, lens = (write_lens(tmp_path / name, size, PIXSCALE=SCALE) for name, size in (("small", 41), ("lens", 101)))
    end = oddlens_command("real", "--study", study, *(a.format(small=small, lens=lens) for a in arguments))
    assert end.status == status
    assert re.search(words, end.err)
