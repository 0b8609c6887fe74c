"""The report shows leaks first, then warnings, and how much was checked."""

import pandas as pd
from bs4 import BeautifulSoup

from oddlens.results.pages.leaks import leaks_section
from oddlens.results.tables.leaks import COLUMNS, findings_table
from oddlens.statistics.leak_findings import Finding
from oddlens.statistics.separation import Separation

FLUX = Finding("pixels", "flux", "test smooth and test odd", "warning", 0, Separation(0.7, 5.0), "medians 1 and 2", "x")
DTYPE = Finding("container", "dtype", "test smooth and test odd", "leak", 0, Separation(1.0, 9.0), "int64 and f4", "y")
PAIRS = Finding("duplicates", "equal pixels", "train and test", "leak", 1234, None, "<a>.fits and b.fits", "z")
NOTHING = Finding("pixels", "peak", "test smooth and test odd", separation=Separation(0.5, 0.0))


def test_what_was_found_is_listed_by_severity():
    section = leaks_section(findings_table("mine", [FLUX, NOTHING, DTYPE, PAIRS]))
    rows = BeautifulSoup(section["mine"]["found"], "html.parser").find_all("tr")
    headings, *cells = [[cell.text for cell in row.find_all(["th", "td"])] for row in rows]
    lines = pd.DataFrame(cells, columns=headings)
    assert section["mine"]["checks"] == 4
    assert lines["what"].tolist() == ["equal pixels", "dtype", "flux"]
    assert lines["pairs"].tolist() == ["1,234", "–", "–"]
    assert lines["AUC alone"].tolist() == ["–", "1.00 (0.50 ± 0.06 if alike)", "0.70 (0.50 ± 0.04 if alike)"]
    assert lines["for example"][0] == "<a>.fits and b.fits"


def test_data_sets_without_findings_say_so():
    table = pd.concat([findings_table("mine", [NOTHING]), findings_table("other", [FLUX])])
    section = leaks_section(table)
    assert section["mine"] == {"checks": 1, "found": None}
    assert section["other"]["found"]
    assert leaks_section(pd.DataFrame(columns=COLUMNS)) == {}
