"""What the README says of the study in results/reference/ is what stands in its tables."""

import re
from pathlib import Path

import pandas as pd
import pytest

HERE = Path(__file__).parent.parent
REFERENCE = HERE / "results/reference"
LINE = re.compile(r"^\| `(\w+)`[^|]*" + r"\|([^|]*)" * 6 + r"\|$", re.MULTILINE)


@pytest.fixture(scope="module")
def summary():
    return pd.read_csv(REFERENCE / "tables/summary.csv").query("anomaly == 'all'")


def test_the_readme_has_the_figures_of_the_reference(summary):
    at_home = summary[summary["training"].isin(["clean", "labelled"])].set_index(["detector", "dataset"])["auc"]
    found = {
        (row, dataset): cell.strip()
        for row, *cells in LINE.findall((HERE / "README.md").read_text())
        for dataset, cell in (("model_a", cells[1]), ("model_b", cells[4]))
        if cell.strip()
    }
    assert len(found) >= 14
    assert found == {place: f"{at_home[place]:.3f}" for place in found}


def test_the_readme_says_what_contamination_costs_in_the_reference(summary):
    detectors = summary[summary["role"] == "detector"]
    lost = -detectors.pivot_table(index="detector", columns="training", values="change", aggfunc=["min", "max"]).round(
        3
    )
    bare, refined = lost.loc[["aae", "cvae", "dcae", "infonce", "rbm"]], lost.loc["dcae_refine"]
    said = re.search(
        r"and (\S+) to (\S+)\s+in the reference.*?`dcae_refine` it is (\S+) or less.*?"
        r"with 20 % (\S+) instead of (\S+) to (\S+)\.",
        (HERE / "README.md").read_text(),
        re.DOTALL,
    )
    least, most = ({p: bare[way, f"mixed {p}%"] for p in (10, 20)} for way in ("max", "min"))
    left = [refined["min", f"mixed {p}%"] for p in (10, 20)]
    wanted = [least[10].min(), most[10].max(), *left, least[20].min(), most[20].max()]
    assert [float(x) for x in said.groups()] == wanted


def test_it_has_all_tables_and_no_pixels():
    kinds = {path.suffix for path in REFERENCE.rglob("*") if path.is_file()}
    assert kinds == {".csv", ".png", ".html", ".yaml"}
    assert sum(path.stat().st_size for path in REFERENCE.rglob("*") if path.is_file()) < 10e6
