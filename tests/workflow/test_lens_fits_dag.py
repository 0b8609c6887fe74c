"""Fits of real lenses and of their twins in the workflow, in a study without data sets."""

import pandas as pd
import pytest

from frames_like_hst import Lens, write_frames
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


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = fresh_copy(tmp_path_factory.mktemp("fits") / "project")
    (folder / "fits.yaml").write_text(CONFIG)
    write_frames(folder / "mine", LENS)
    return folder


def test_lenses_and_twins_are_jobs(project):
    jobs = planned(project, "--configfile", "fits.yaml")
    assert jobs == {"fit_frames": 3, "fit_twins": 9, "lens_fit_tables": 1, "all": 1, "total": 14}


def test_lenses_that_do_not_exist_are_refused_at_once(project):
    (project / "absent.yaml").write_text(CONFIG.replace("path: mine", "path: absent"))
    told = snakemake(project, "-n", "--configfile", "absent.yaml", fails=True)
    assert "real.mine.path is absent, which does not exist" in told


def test_a_study_of_real_lenses_runs_whole(project):
    snakemake(project, "--cores", "2", "--configfile", "fits.yaml")
    results = project / "results/fitted"
    table = pd.read_csv(results / "tables/real_lenses.csv").set_index("lens")
    assert table.loc["lens", "einstein_radius"] == pytest.approx(LENS.b, rel=0.05)
    assert table.loc["lens", "false_alarm_probability"] in (0.5, 1.0)
    assert (table.loc["lens", "twins"], table.loc["lens", "planted"]) == (1, 2)
    assert "no lens explains" in table.loc["empty", "problem"]
    assert "absent.fits" in table.loc["absent", "problem"]
    summary = (results / "lens_fits.html").read_text()
    for lens in ("lens", "empty", "absent"):
        assert f'href="lens_pages/mine/{lens}.html"' in summary
        assert (results / f"lens_pages/mine/{lens}.html").exists()
    twins = pd.read_csv(results / "lens_twins/mine/lens/planted-00001.csv")
    assert (twins["twin"] == 1).all()
    assert twins["true_area"].between(1e-3, 0.1).all()
