"""Fits of real lenses and of their twins in the workflow, in a study without data sets."""

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from frames_like_hst import SCALE, Lens, frame
from project import fresh_copy, planned, snakemake

pytestmark = pytest.mark.workflow

CONFIG = """
study: fitted
datasets: {model_a: null, model_b: null}
real:
  mine:
    path: mine
    fit: {twins: 1, planted: 2, twins_per_job: 1, radius_arcsec: 1.1}
"""
LENS = Lens(b=0.65, q=0.8, source=(0.04, 0.06))


def write_lenses(folder):
    """A lens, and a frame of noise."""
    folder.mkdir()
    pixels = frame(LENS, pixels=81, signal_to_noise=40)
    noise = pixels.sigma.mean() * np.random.default_rng(2).standard_normal(pixels.image.shape)
    for name, image in (("lens", pixels.image), ("empty", noise)):
        fits.writeto(folder / f"{name}.fits", image[::-1].astype(np.float32))
    fits.writeto(folder / "noise.fits", pixels.sigma[::-1].astype(np.float32))
    fits.writeto(folder / "psf.fits", pixels.psf.astype(np.float32))
    rows = [f"{name},{SCALE},{name}.fits,noise.fits,psf.fits,0.2,0.6" for name in ("lens", "empty")]
    (folder / "index.csv").write_text("\n".join(["name,pixel_scale_arcsec,data,noise,psf,z_lens,z_source", *rows]))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = fresh_copy(tmp_path_factory.mktemp("fits") / "project")
    (folder / "fits.yaml").write_text(CONFIG)
    write_lenses(folder / "mine")
    return folder


def test_lenses_and_twins_are_jobs(project):
    jobs = planned(project, "--configfile", "fits.yaml")
    assert jobs == {"fit_frames": 2, "fit_twins": 6, "lens_fit_tables": 1, "all": 1, "total": 10}


def test_a_study_of_real_lenses_runs_whole(project):
    snakemake(project, "--cores", "2", "--configfile", "fits.yaml")
    results = project / "results/fitted"
    table = pd.read_csv(results / "tables/real_lenses.csv").set_index("lens")
    assert table.loc["lens", "einstein_radius"] == pytest.approx(LENS.b, rel=0.05)
    assert table.loc["lens", "false_alarm_probability"] in (0.5, 1.0)
    assert (table.loc["lens", "twins"], table.loc["lens", "planted"]) == (1, 2)
    assert "no lens explains" in table.loc["empty", "problem"]
    summary = (results / "lens_fits.html").read_text()
    for lens in ("lens", "empty"):
        assert f'href="lens_pages/mine/{lens}.html"' in summary
        assert (results / f"lens_pages/mine/{lens}.html").exists()
    twins = pd.read_csv(results / "lens_twins/mine/lens/planted-00001.csv")
    assert (twins["twin"] == 1).all()
    assert twins["true_area"].between(1e-3, 0.1).all()
