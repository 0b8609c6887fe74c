"""The report of studies whose scores are made up, complete and reduced."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup
from test_figures import FIGURES

import made_up
from conftest import ROOT
from oddlens.config.study import parse_study
from oddlens.results.pages.contamination import remedies
from oddlens.results.pages.detection import controls
from oddlens.results.pages.false_alarms import N_IMAGES
from oddlens.results.pages.formatting import signed
from oddlens.results.pages.population import lens_count, rounded_count
from oddlens.results.pages.published import reproductions
from oddlens.results.tables.follow_up import COLUMNS as FOLLOW_UP_COLUMNS
from oddlens.stages.figures import draw_figures
from oddlens.stages.report import report
from oddlens.stages.study_figures import study_figures

CUTS = {
    "complete": {"diverged": {"dcae": ["cdm-0.2/1"], "random": ["none-0/1", "none-0/2"]}},
    "one data set, one detector, clean, one seed": {
        "datasets": ("model_a",),
        "rows": {"good": made_up.ROWS["good"]},
        "training_sets": ["none-0"],
        "seeds": (1,),
    },
    "no detectors, controls only": {"rows": {"random": made_up.ROWS["random"], "flux": made_up.ROWS["random"]}},
    "an upper bound only": {"rows": {"supervised": made_up.ROWS["supervised"]}, "seeds": (1,)},
    "nothing converged": {
        "rows": {"good": made_up.ROWS["good"]},
        "seeds": (1,),
        "diverged": {"good": [f"{training_set}/1" for training_set in made_up.TRAINING_SETS]},
    },
}
PROVENANCE = {"commits": ["abc123"], "versions": ["numpy 1.2.3"], "machines": ["a machine"]}


def everything(folder, config, rows=made_up.ROWS, **cut):
    """Tables, figures and report of a study: the page, and the paths of figures and tables."""
    made = made_up.study(folder, rows=rows, images=24, **cut)
    outputs = made_up.aggregated(folder, made, rows)
    figures = {}
    for dataset in made["scores"]:
        figures[dataset] = {name: folder / f"{dataset}-{name}.png" for name in FIGURES}
        inputs = {kind: made[kind][dataset] for kind in ("scores", "examples", "losses")}
        inputs |= {"rows": made_up.entries(rows), "tables": outputs}
        draw_figures(figures[dataset], dataset=dataset, smooth="smooth", **inputs)
    tables = {name: outputs[name] for name in ("ranks", "wilcoxon", "noise")}
    study_figures({name: folder / f"{name}.png" for name in ("ranks", "noise")}, rows=made_up.entries(rows), **tables)
    real = made_up.real_tables(folder, folder / "ranks.png")
    fit = dict.fromkeys(FOLLOW_UP_COLUMNS, 1.0) | {"id": "model_a/test/cdm/7", "class": "cdm", "log_bayes": 31.4}
    pd.DataFrame([fit | {"calls": 12345, "scan_log_odds": np.nan}]).to_csv(folder / "follow_up.csv")
    report(
        folder / "report.html",
        tables=outputs,
        figures={dataset: paths | {"preview": paths["gallery"]} for dataset, paths in figures.items()},
        ranks=folder / "ranks.png",
        noise=folder / "noise.png",
        real=real,
        real_images={"model_a": folder / "lenses"},
        follow_up=[(folder / "follow_up.csv", folder / "ranks.png")],
        completeness=made_up.completeness_files(folder, folder / "ranks.png"),
        captions={path.stem: path for path in (ROOT / "workflow/report/figures").iterdir()},
        study=parse_study(config).plain(),
        rows=made_up.entries(rows),
        descriptions=made_up.descriptions(rows),
        classes={"cdm": "Subhalos"},
        provenance=PROVENANCE,
        devices=["a processor"],
    )
    return (folder / "report.html").read_text(), figures, outputs


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    return everything(tmp_path_factory.mktemp("complete"), config, **CUTS["complete"])


@pytest.fixture(scope="module")
def page(complete):
    return BeautifulSoup(complete[0], "html.parser")


@pytest.fixture(scope="module")
def read(complete):
    return {name: pd.read_csv(path) for name, path in complete[2].items()}


def text(element):
    return " ".join(element.get_text(" ").split())


def table_line(page, heading, name):
    """The line that begins with a name in the first table below the element with an id, by column."""
    table = page.find(id=heading).find_next("table")
    line = next(row for row in table.tbody.find_all("tr") if text(row.td) == name)
    return dict(zip(map(text, table.thead.find_all("th")), map(text, line.find_all("td")), strict=True))


def cells(page):
    return {text(cell) for cell in page.find_all("td")}


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_the_summary_comes_first_and_has_the_numbers_of_the_table(page, read):
    headings = [heading.get("id") for heading in page.find_all("h2")]
    assert headings[0] == "summary"
    best = read["summary"].query("dataset == 'model_a' and anomaly == 'all' and training == 'clean'")
    best = best.set_index("detector").loc["good"]
    paragraph = text(page.find(id="best-model_a"))
    for number in (best["auc"], best["auc_low"], best["auc_high"], best["seed_low"], best["seed_high"]):
        assert f"{number:.3f}" in paragraph
    assert f"{100 * best['tpr_at_fpr_01']:.0f} %" in paragraph
    leaders = [text(row.td) for row in page.find(id="leaders-model_a").tbody.find_all("tr")]
    assert leaders == ["good", "dcae", "dcae_published", "supervised"]  # the upper bound last
    change = read["summary"].query("dataset == 'model_a' and detector == 'good' and anomaly == 'all'")
    change = change.query("training == 'mixed 5%'")["change"].item()
    assert signed(change) in text(page.find(id="contaminated-model_a"))


def test_every_figure_is_shown(page):
    assert len(page.find_all("img")) == 2 * (len(FIGURES) + 1) + 5
    assert {f"{name}-model_b" for name in FIGURES} <= {figure.get("id") for figure in page.find_all("figure")}


def test_real_lenses_and_follow_up_fits_are_shown(page):
    assert {"98.5 (1 in 50), doubtful", "31.4 ± 1.0", "12,345"} <= cells(page)
    fit = table_line(page, "follow-up", "model_a/test/cdm/7")
    assert (fit["ln B"], fit["ln odds, scan"]) == ("31.4 ± 1.0", "–")
    lists = [[text(item) for item in found.find_all("li")] for found in page.find_all("ul")]
    assert ["lost <b> on model_a: there is no file x.fits"] in lists
    claim = next(row for row in page.find_all("tr") if text(row).startswith("good double_ring"))
    assert text(claim) == "good double_ring 1 2 0.500 0.500"
    assert {"0.900 (0.800 to 0.950)", "−0.010 (−0.020 to +0.001)"} <= cells(page)
    assert "other: too small." in text(page)


def test_fractions_at_fixed_false_alarm_rates_are_shown(page, read):
    table = read["detection"].query("dataset == 'model_a' and detector == 'good' and false_alarm_rate == 0.1")
    first = table[table["truth"].isna()].iloc[0]
    assert first["class"] == "smooth"
    shown = table_line(page, "fixed-rates", "good")
    assert shown["class"] == "smooth (validation)"
    assert shown["10 %"].startswith(f"{100 * first['detected']:.1f} % (")
    assert shown["1 %"] == "–"
    assert "model_a has 24 smooth test images, too few for a rate of 1 %, which needs 100." in text(page)
    found = read["localisation"].query("dataset == 'model_a' and false_alarm_rate == 0.1").iloc[0]
    line = table_line(page, "localisation", "good")
    assert line["found"] == f"{found['found']:.0f} of {found['images']:.0f}"
    assert line["within 0.2″, by chance"] == f"{100 * found['localised_by_chance']:.1f} %"
    assert page.find(id="decoys") is None


def test_completeness_of_injected_masses_is_shown(page):
    line = table_line(page, "completeness", "good")
    assert (line["no mass"], line["1e+09 M☉"]) == ("1.0 % (0.0 to 100.0)", "25.0 % (0.0 to 100.0)")
    assert line["half is detected at"] == "3e+09 M☉ (1e+09 to ?)"
    assert "model_a: 40 images, 3 of them with a ring model; 2 others are left out" in text(page)


def test_provenance_and_config_are_shown(page):
    provenance = text(page.find(id="provenance").find_next("p"))
    for value in ("abc123", "numpy 1.2.3", "a machine", "a processor", "2020", "1, 2"):
        assert value in provenance, value
    assert "mass_fraction" in text(page.pre)
    assert "uniform 0.4, 0.6" in text(page)
    assert f"{made_up.DESCRIPTION}." in [text(found) for found in page.find_all("dd")]


def test_the_most_anomalous_images_of_the_best_row_are_shown(page, read):
    images = read["most_anomalous"].query("dataset == 'model_a' and detector == 'good'")
    names = cells(page)
    assert set(images["id"].iloc[:N_IMAGES]) <= names
    assert not set(images["id"].iloc[N_IMAGES:]) & names
    line = table_line(page, "most-anomalous", images["id"].iloc[0])
    assert line["false-alarm probability"] == f"1 in {1 / images['false_alarm_probability'].iloc[0]:,.0f}"


def test_diverged_models_are_listed(page):
    diverged = [text(item) for item in page.find(id="diverged").find_all("li")]
    assert len(diverged) == 2 * 3
    assert any("dcae" in item and "model_a" in item and "cdm 20%" in item and "seed 1" in item for item in diverged)


def test_the_lenses_that_the_best_row_needs_are_shown(page, read):
    needed = read["population"].query("dataset == 'model_a' and detector == 'good' and anomaly == 'cdm'").iloc[0]
    expected = lens_count(*(needed[name] for name in ("lenses", "lenses_low", "lenses_high")))
    paragraph = text(page.find(id="population").find_next("p"))
    assert f"{expected} with {100 * needed['median']:.2g} %" in paragraph


def test_the_page_needs_no_other_file(complete):
    assert "http" not in re.sub(r"data:image/png;base64,[\w+/=]+", "", complete[0])


@pytest.mark.parametrize("cut", [name for name in CUTS if name != "complete"])
def test_any_part_of_a_study_has_tables_figures_and_report(cut, tmp_path, config):
    page, figures, _ = everything(tmp_path, config, **CUTS[cut])
    assert page.rstrip().endswith("</html>")
    bare = re.sub(r"data:image/png;base64,[\w+/=]+|<pre>.*?</pre>", "", page, flags=re.DOTALL)
    assert not re.search(r"\bnan\b", bare)
    assert all(path.read_bytes().startswith(b"\x89PNG") for paths in figures.values() for path in paths.values())


# --- parts -----------------------------------------------------------------------------------------------------------


def test_data_sets_compared_with_one_published_are_listed_with_their_differences(read, config):
    like = {"preset": "model_a", "reproduces": "model_a", "images": config["datasets"]["model_a"]["images"]}
    changed = {"lens": {"mass_msun": 5.94e11, "conserve_mass": False}, "camera": {"noise": "none"}}
    study = parse_study(config | {"datasets": {"model_a": like, "other": like | changed}}).plain()
    lines = read["published"].query("dataset == 'model_a'").dropna(subset="auc")
    (reproduction,) = reproductions(pd.concat([lines, lines.assign(dataset="other", auc=0.123)]), study)
    assert (reproduction["name"], reproduction["first"]) == ("model_a", "model_a")
    assert reproduction["differences"] == {
        "other": [
            "lens.mass_msun: 1e+12 → 5.94e+11",
            "lens.conserve_mass: True → False",
            "camera.noise: poisson → none",
        ]
    }
    assert reproduction["table"].count("0.123") == len(lines) > 5
    assert not reproductions(lines, study)


def test_a_control_above_chance_is_marked():
    row = {"dataset": "a", "role": "control", "detector": "flux", "anomaly": "all", "auc": 0.7}
    assert not controls(pd.DataFrame([row]))[0]["at_chance"]
    assert controls(pd.DataFrame([row | {"auc": 0.49}]))[0]["at_chance"]
    assert controls(pd.DataFrame([row | {"role": "detector"}])) == []


def test_a_remedy_is_compared_with_the_row_that_differs_in_it_only():
    plain = {"detector": "aae", "settings": {"latent": 8}, "training": {"epochs": 9, "robust": "none"}}
    trim = plain | {"training": {"epochs": 9, "robust": "trim", "assumed_contamination": 0.2}}
    other = trim | {"settings": {"latent": 4}}
    assert remedies({"detectors": {"aae": plain, "aae_trim": trim, "other": other}}) == {"aae_trim": "aae"}


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((1, 1, 1), "1 lens"),
        ((1.2, 1.1, 1.3), "1.2 (1.1 to 1.3) lenses"),
        ((40, 30, 2e5), "40 (30 to more than 100,000) lenses"),
    ],
)
def test_numbers_of_lenses_are_rounded(numbers, expected):
    assert lens_count(*numbers) == expected
    assert [rounded_count(x) for x in (2.34, 12.6, 23456, np.inf)] == ["2.3", "13", "23,456", "more than 100,000"]
