"""The tables of pages are those of committed results."""

import importlib.util

import pytest

from conftest import ROOT

SPEC = importlib.util.spec_from_file_location("study_tables", ROOT / "docs/study_tables.py")
study_tables = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(study_tables)


@pytest.mark.parametrize(("study", "page"), study_tables.PAGES.items())
def test_pages_have_the_tables_of_studies(study, page):
    lines = (ROOT / "docs" / page).read_text().splitlines()
    tables = study_tables.tables(study)
    assert tables
    for name, rows in tables.items():
        assert rows, name
        missing = [row for row in rows if row not in lines]
        assert not missing, name
