"""What the README says of the study in results/reference/ is what stands in its tables."""

import re
from pathlib import Path

import pandas as pd
import pytest

HERE = Path(__file__).parents[2]
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
    auc, change = (
        detectors.pivot_table(index="detector", columns=["training", "dataset"], values=v) for v in ("auc", "change")
    )
    lost = -change.loc[["aae", "cvae", "dcae", "infonce", "rbm"]].round(3)
    ten, twenty = lost["mixed 10%"].to_numpy(), lost["mixed 20%"].to_numpy()
    price = (auc.loc["dcae", "clean"] - auc.loc["dcae_refine", "clean"]).round(3)
    with_refine, plain = (auc.loc[row, "mixed 20%"].round(3) for row in ("dcae_refine", "dcae"))
    said = re.search(
        r"and (\S+) to (\S+) in the reference, 20 % there (\S+) to (\S+)\. The remedy `refine` costs a `dcae`\s+"
        r"(\S+) / (\S+) .*? it has (\S+) / (\S+) where the plain one has (\S+) / (\S+)\. ",
        (HERE / "README.md").read_text(),
    )
    wanted = [ten.min(), ten.max(), twenty.min(), twenty.max(), *price, *with_refine, *plain]
    assert [float(x) for x in said.groups()] == wanted


def test_it_has_all_tables_and_no_pixels():
    kinds = {path.suffix for path in REFERENCE.rglob("*") if path.is_file()}
    assert kinds == {".csv", ".png", ".html", ".yaml"}
    tables = {path.stem for path in (HERE / "workflow/report").glob("*.rst")} - {"report", "workflow"}
    others = {"real", "real_claims", "real_noise", "regression", "fractions", "triage"}  # of sections that it has not
    assert {path.stem for path in (REFERENCE / "tables").iterdir()} == tables - others
    assert sum(path.stat().st_size for path in REFERENCE.rglob("*") if path.is_file()) < 10e6
