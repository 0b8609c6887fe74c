"""The committed results: the README's figures are those of their tables, and nothing large is among them."""

import re

import pandas as pd
import pytest

from conftest import ROOT
from oddlens.results.tables.columns import TABLES

REFERENCE = ROOT / "results/reference"
LARGE = ROOT / "results/large"
STUDIES = [
    ROOT / "results" / name for name in ("physics", "stress", "sky") if (ROOT / "results" / name / "tables").exists()
]
"""Committed studies with all tables of today."""
LINE = re.compile(r"^\| `(\w+)`[^|]*\| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)
FIGURES = re.compile(r"(\d\.\d{3}) \((\d\.\d{3}), (\d\.\d{3})\)")


@pytest.fixture(scope="module")
def auc():
    """AUC and interval by row and data set, for all anomalies, after clean (or labelled) training."""
    summary = pd.read_csv(REFERENCE / "tables/summary.csv").query("anomaly == 'all'")
    own = summary[summary["training"].isin(["clean", "labelled"])]
    return own.set_index(["detector", "dataset"])[["auc", "auc_low", "auc_high"]]


def test_the_readme_has_the_figures_of_the_reference(auc):
    found = {
        (row, dataset): list(map(float, FIGURES.fullmatch(cell).groups()))
        for row, *cells in LINE.findall((ROOT / "README.md").read_text())
        for dataset, cell in zip(("model_a", "model_b"), cells, strict=True)
    }
    assert len(found) == 10
    assert found == {place: [round(x, 3) for x in auc.loc[place]] for place in found}


def test_the_readme_names_the_best_learned_detector(auc):
    summary = pd.read_csv(REFERENCE / "tables/summary.csv").query("anomaly == 'all' and training == 'clean'")
    learned = summary[(summary["role"] == "detector") & (summary["detector"] != "lensfit")]
    best = learned[learned["dataset"] == "model_b"].set_index("detector")["auc"].round(3)
    assert best["cvae"] == best.max()


@pytest.mark.parametrize("folder", [REFERENCE, LARGE, *STUDIES], ids=lambda folder: folder.name)
def test_committed_results_have_all_tables_and_no_pixels(folder):
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert kinds <= {".csv", ".png", ".html", ".yaml"}
    others = {"real", "real_claims", "real_noise", "regression", "fractions", "triage"}
    others |= {"completeness", "completeness_masses"}  # sections of other studies
    if folder not in STUDIES:
        others |= {"detection", "decoys", "localisation"}  # newer than these results
    assert {path.stem for path in (folder / "tables").iterdir()} == set(TABLES) - others
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 10e6
