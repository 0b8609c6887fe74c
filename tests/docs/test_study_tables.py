"""The tables of pages are those of committed results."""

import importlib.util

import pandas as pd
import pytest

from conftest import ROOT

SPEC = importlib.util.spec_from_file_location("study_tables", ROOT / "docs/study_tables.py")
study_tables = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(study_tables)


COMMITTED = [study for study in study_tables.PAGES if (ROOT / "results" / study / "tables").exists()]


@pytest.mark.parametrize("study", COMMITTED)
def test_pages_have_the_tables_of_studies(study):
    lines = (ROOT / "docs" / study_tables.PAGES[study]).read_text().splitlines()
    tables = study_tables.tables(study)
    assert tables
    for name, rows in tables.items():
        assert rows, name
        missing = [row for row in rows if row not in lines]
        assert not missing, name


def test_a_study_that_has_not_run_has_no_tables(monkeypatch, tmp_path):
    monkeypatch.setattr(study_tables, "RESULTS", tmp_path)
    assert not study_tables.tables("stress")


def test_the_readme_has_the_figures_of_model_c():
    summary = pd.read_csv(ROOT / "results/physics/tables/summary.csv")
    own = summary.query("dataset == 'model_c' and detector == 'lensfit' and training == 'clean'").set_index("anomaly")
    text = " ".join((ROOT / "README.md").read_text().split())
    for anomaly in ("cdm", "vortex"):
        auc, low, high = (f"{own.loc[anomaly, name]:.2f}" for name in ("auc", "auc_low", "auc_high"))
        assert f"{auc} ({low}, {high})" in text
