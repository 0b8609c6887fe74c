"""The final report of studies whose scores are made up, complete and reduced, and of the reference study."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup

import made_up
from conftest import ROOT
from oddlens.provenance import environment, records
from oddlens.results.figures.style import message_figure, save
from oddlens.results.pages import final_report, pdf
from oddlens.results.pages.formatting import signed
from oddlens.results.pages.real import real_section
from oddlens.results.pages.study_results import find_studies
from oddlens.results.tables.follow_up import COLUMNS as FOLLOW_UP_COLUMNS
from oddlens.results.tables.fractions import COLUMNS as FRACTION_COLUMNS
from oddlens.results.tables.regression import COLUMNS as REGRESSION_COLUMNS
from oddlens.results.tables.result_files import write_result
from oddlens.results.tables.triage import COLUMNS as TRIAGE_COLUMNS
from oddlens.stages.final_report import write_final_report

ROWS = {name: made_up.ROWS[name] for name in ("good", "dcae", "dcae_published", "random", "supervised")}
SIMULATIONS = {
    "plain": {"preset": "model_b"},
    "elliptical": {"preset": "model_c", "lens": {"light": None}, "camera": {"noise_correlation_pixels": None}},
    "complex": {"preset": "model_c"},
}
IMAGES = {"train": 8000, "contaminant": 4000, "validation": 24, "test": 24}


def made_study(folder, config, **cut):
    """The folder of a study whose scores are made up: tables and config."""
    cut = {"images": 24, "rows": ROWS, **cut}
    made_up.aggregated(folder, made_up.study(folder / "scores", **cut), cut["rows"])
    (folder / "config.yaml").write_text(yaml.safe_dump({**config, "study": folder.name}))
    return folder


def made_figures(folder, datasets, *names):
    for dataset in datasets:
        (folder / "figures" / dataset).mkdir(parents=True)
        for name in names:
            save(message_figure(name), folder / "figures" / dataset / f"{name}.png")


def regression_tables(folder):
    """One parameter of one class, and the mean of populations from 1 and 100 lenses."""
    common = {"dataset": "model_a", "row": "scan", "class": "cdm", "spread": 0.0123, "rmse": 0.01}
    common |= {f"coverage{name}{end}": int(name) / 100 for name in ("68", "95") for end in ("", "_low", "_high")}
    scores = {"log_score": 0.151, "log_score_low": 0.1, "log_score_high": 0.2}
    single = common | {"target": "substructure_fraction"} | scores
    many = [common | {"lenses": n, "rmse": 0.0026, "posterior_std": 0.0025} for n in (1, 100)]
    triage = {"dataset": "model_a", "row": "scan", "detector": "good", "type": "cdm"}
    triage |= {"flagged_fraction": 0.1, "anomalous_fraction": 0.1}
    lines = {
        "regression": ([single], REGRESSION_COLUMNS),
        "fractions": (many, FRACTION_COLUMNS),
        "triage": ([triage], TRIAGE_COLUMNS),
    }
    for name, (records_of_table, columns) in lines.items():
        table = pd.DataFrame(records_of_table).reindex(columns=columns)
        numbers = table.columns[table.isna().all()]
        write_result(folder / "tables" / f"{name}.csv", table.assign(**dict.fromkeys(numbers, 0.5)))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two studies: `all` with every section and two seeds, `several` with more complex simulations and one seed."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    config |= {"only": list(ROWS), "detectors": config["detectors"] | {"good": {"detector": "lensfit"}}}
    place = tmp_path_factory.mktemp("results")
    study = made_study(place / "all", config, diverged={"dcae": ["cdm-0.2/1"]})
    made_figures(study, config["datasets"], "preview", "roc", "bins", "contamination", "estimates")
    regression_tables(study)
    for name, path in made_up.real_tables(study, study / "figures/model_a/roc.png").items():
        shutil.move(path, study / "tables" / f"{name}.csv")
    (study / "real").mkdir()
    shutil.move(study / "lenses", study / "real/model_a")
    fit = dict.fromkeys(FOLLOW_UP_COLUMNS, 1.0) | {"id": "model_a/test/cdm/7", "class": "cdm", "log_bayes": 31.4}
    (study / "follow_up/model_a").mkdir(parents=True)
    pd.DataFrame([fit | {"calls": 9}]).to_csv(study / "follow_up/model_a/1.csv")
    shutil.copy(study / "figures/model_a/roc.png", study / "follow_up/model_a/1.png")
    few = {"images": IMAGES}
    simulations = {"model_a": None, "model_b": None} | {name: plain | few for name, plain in SIMULATIONS.items()}
    one_seed = config["contamination"] | {"seeds": [1], "fractions": {"mixed": None}}
    rows = {name: ROWS[name] for name in ("good", "dcae", "supervised")}
    several = config | {"datasets": simulations, "contamination": one_seed, "only": list(rows)}
    cut = {"images": 16, "datasets": list(SIMULATIONS), "training_sets": ["none-0"], "seeds": (1,)}
    made_study(place / "several", several, rows=rows, **cut)
    record = {
        **{"rule": "train", "wildcards": {}, "params": {}, "config": {}, "seeds": {"master": 1, "trainings": [1]}},
        "code": {"commit": "abc123", "dirty": False, "source": "f00d"},
        **{"versions": {"numpy": "1.2.3"}, "machine": {"processor": "a processor", "gpu": "a GPU"}},
        **{"inputs": {}, "outputs": {}},
    }
    records.write(study / "logs/train.json", record)
    return place


def written(results, path, *names):
    write_final_report(path, *find_studies(results, names))
    return path.read_text()


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    return written(results, tmp_path_factory.mktemp("page") / "report.html")


def parsed(page):
    return BeautifulSoup(str(page), "html.parser")


def text(page):
    """The text of a page, or of its part, as one line."""
    return " ".join(parsed(page).get_text(" ").split())


def abstract(page):
    return parsed(page).find(class_="abstract")


def numbers(element):
    """The numbers with three decimals in an element."""
    return re.findall(r"\d\.\d{3}", text(element))


def line(results, study, **where):
    summary = pd.read_csv(results / study / "tables/summary.csv").query("anomaly == 'all'")
    for column, value in where.items():
        summary = summary[summary[column] == value]
    return summary.iloc[0]


def auc_numbers(line, seeds):
    columns = ["auc", "auc_low", "auc_high", *(["seed_low", "seed_high"] if seeds else [])]
    return [f"{line[column]:.3f}" for column in columns]


def spans(page, kind, dataset, row):
    """The numbers of the AUCs or changes of a row on a data set, as they appear."""
    return [numbers(span) for span in parsed(page).select(f'span.{kind}[data-dataset="{dataset}"][data-row="{row}"]')]


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_the_abstract_has_the_numbers_of_the_tables(results, page):
    head = abstract(page)
    for dataset in ("model_a", "model_b"):
        for row in ("dcae", "good"):  # the best learned detector, and the lens fit
            best = line(results, "all", dataset=dataset, detector=row, training="clean")
            assert auc_numbers(best, seeds=True) in spans(head, "auc", dataset, row)
        lost = line(results, "all", dataset=dataset, detector="dcae", training="mixed 5%")
        (change,) = spans(head, "change", dataset, "dcae")
        assert change == [f"{abs(lost[column]):.3f}" for column in ("change", "change_low", "change_high")]
        assert signed(lost["change"]) in text(head)
    for row in ("good", "dcae"):
        complex_line = line(results, "several", dataset="complex", detector=row)
        assert spans(head, "auc", "complex", row) == [auc_numbers(complex_line, seeds=False)]
    assert {"100", "0.0026", "0.0123", "0.5"} <= set(re.findall(r"\d+\.?\d*\d|\d", text(head)))


def test_every_number_of_the_abstract_is_of_a_table_or_a_config(results, page):
    known = {"32", "8,000", "2", "100", "68", "0.5", "0.0123", "0.0026", "5", "0.730", "0.670"}
    for study in ("all", "several"):
        summary = pd.read_csv(results / study / "tables/summary.csv").select_dtypes("number").to_numpy().ravel()
        known |= {f"{abs(number):.3f}" for number in summary if np.isfinite(number)}
    assert set(re.findall(r"\d[\d.,]*\d|\d", text(abstract(page)).replace("model_a", ""))) <= known


CONVENTIONS = {"95", "68", "10", "0.05", "100,000", "1,000", "3", "5", "0", "16", "84", "1"}
"""Numbers that a template may contain: levels of intervals and of significance, and units of tables."""


@pytest.mark.parametrize("name", ["final_report", "explanations"])
def test_templates_contain_no_result(name):
    template = (ROOT / f"src/oddlens/results/pages/{name}.html.j2").read_text()
    body = template[template.find("{% block body %}") :] if "{% block body %}" in template else template
    body = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]+>", " ", body, flags=re.DOTALL)
    assert set(re.findall(r"\d[\d.,]*\d|\d", body)) <= CONVENTIONS


def test_regression_and_real_noise_are_shown_side_by_side(page):
    rows = [text(row) for row in parsed(page).find_all("tr")]
    assert "substructure_fraction cdm 0.81, 0.15, 0.68" in rows
    assert "row simulated noise double_ring (× 1.5)" in rows
    assert "good 0.910 (0.90 to 0.92) 0.900 (0.80 to 0.95)" in rows


def test_studies_of_the_same_simulation_are_shown_side_by_side(results, tmp_path):
    for name in ("again", "all"):
        shutil.copytree(results / "all", tmp_path / name)
    summary = pd.read_csv(tmp_path / "again/tables/summary.csv")
    write_result(tmp_path / "again/tables/summary.csv", summary.assign(auc=0.1234))
    config = yaml.safe_load((tmp_path / "again/config.yaml").read_text())
    config["datasets"]["model_b"]["camera"] = {"exposure_s": 10}
    (tmp_path / "again/config.yaml").write_text(yaml.safe_dump(config))
    board = parsed(written(tmp_path, tmp_path / "report.html", "all", "again")).find(class_="board")
    assert [text(th) for th in board.find("thead").find_all("th")] == [
        "row",
        "model_a all: 8,000 images, 2 seeds",
        "model_a again: 8,000 images, 2 seeds",
        "model_b all: 8,000 images, 2 seeds",
    ]
    best = line(results, "all", dataset="model_a", detector="dcae", training="clean")
    cells = board.find("td", string="dcae").find_next_siblings("td")
    assert [cell.find("b").string for cell in cells][:2] == [f"{best['auc']:.3f}", "0.123"]
    assert numbers(cells[0]) == auc_numbers(best, seeds=True)


def test_provenance_and_limitations_name_what_happened(page):
    soup = parsed(page)
    provenance = text(soup.find("table", id="provenance"))
    assert "abc123" in provenance
    assert "a processor" in provenance
    assert "numpy 1.2.3" in text(soup)
    limitations = [text(item) for item in soup.find(id="limitations").find_all("li")]
    assert any("a GPU" in item for item in limitations)
    assert any("dcae on model_a (cdm 20%, seed 1)" in item for item in limitations)


def test_a_control_above_chance_is_a_limitation(results, tmp_path):
    shutil.copytree(results / "all", tmp_path / "all")
    path = tmp_path / "all/tables/summary.csv"
    summary = pd.read_csv(path)
    write_result(path, summary.assign(auc=summary["auc"].mask(summary["detector"] == "random", 0.7)))
    limitations = parsed(written(tmp_path, tmp_path / "report.html")).find(id="limitations")
    assert spans(limitations, "auc", "model_a", "random")[0][0] == "0.700"


def test_figures_tables_and_references_are_numbered_in_order(page):
    soup = parsed(page)
    for kind, tag in (("Figure", "figcaption"), ("Table", "p")):
        labels = [b.string for b in soup.select(f"{tag} > b") if b.string and b.string.startswith(kind)]
        assert labels == [f"{kind} {k}." for k in range(1, len(labels) + 1)]
        assert len(labels) > 8
    priors = soup.find(string=re.compile("Appendix: priors")).find_next(class_="caption").b.string
    assert f"in {priors[:-1]}" in text(page)  # the text refers to a table below it
    listed = [li["id"] for li in soup.find_all("li", id=True)]
    assert {a["href"] for a in soup.select("sup a")} == {f"#{name}" for name in listed}


# --- real lenses -----------------------------------------------------------------------------------------------------


def test_real_lenses_can_be_restricted_to_some_rows(tmp_path, results):
    tables = made_up.real_tables(tmp_path, results / "all/figures/model_a/roc.png", row="poor")
    every = real_section(tables, {})
    assert "poor" in every["lenses"]["model_a"]
    assert "poor" in every["claims"]["model_a"]
    few = real_section(tables, {}, rows={("model_a", "good"), ("model_b", "poor")})
    assert few["lenses"] == few["claims"] == few["noise"] == few["noise_by_frame"] == {}
    assert few["problems"] == every["problems"] != []


def test_only_rows_better_than_chance_score_real_lenses(results, monkeypatch):
    studies, _ = find_studies(results, ["all"])
    judged = studies[0].judged.set_index(["dataset", "detector"])
    able = final_report.better_than_chance(studies[0])
    assert able == {
        key for key, row in judged.iterrows() if row["kind"] in ("detector", "physics") and row["auc"] > 0.53
    }
    assert 0 < len(able) < len(judged)
    assert "good" in final_report.final_report_facts(studies)["real"]["lenses"]["model_a"]
    monkeypatch.setattr(final_report, "better_than_chance", lambda study: set())
    assert final_report.final_report_facts(studies)["real"]["lenses"] == {}


# --- sections and studies --------------------------------------------------------------------------------------------


def test_the_page_needs_no_other_file(page):
    bare = re.sub(r"data:image/png;base64,[\w+/=]+", "", page)
    assert "http" not in bare
    assert not re.search(r"<(link|script|iframe)|url\(|@import", bare)
    assert all(img["src"].startswith("data:") for img in parsed(page).find_all("img"))
    assert "lost &lt;b&gt; on model_a" in bare
    assert "nan" not in text(page).split()


def test_the_page_is_the_same_when_written_again(results, page, tmp_path):
    assert written(results, tmp_path / "report.html") == page


def test_sections_without_results_are_left_out_and_listed(results, page, tmp_path):
    optional = {"contamination", "published", "bins", "regression", "real", "lens-fits", "follow-up"}
    assert optional <= {heading.get("id") for heading in parsed(page).find_all("h3")}
    shutil.copytree(results / "all", tmp_path / "all")
    folder = tmp_path / "all"
    summary = pd.read_csv(folder / "tables/summary.csv")
    for path in folder.glob("tables/*.csv"):
        path.unlink()
    clean = summary[summary["training"].isin(["clean", "labelled"]) & (summary["detector"] != "good")]
    write_result(folder / "tables/summary.csv", clean)
    for name in ("figures", "follow_up", "real", "logs"):
        shutil.rmtree(folder / name)
    reduced = parsed(written(tmp_path, tmp_path / "report.html"))
    assert [heading["id"] for heading in reduced.find_all("h3")] == ["detection"]
    assert not reduced.find_all("img")
    commands = [code.string for code in reduced.find(id="absent").find_all("code")]
    assert commands == [command for _, command in final_report.COMMANDS.values()]
    assert "nan" not in text(reduced).split()


@pytest.mark.parametrize("row", ["random", "supervised"])
def test_a_study_without_detectors_has_a_page(tmp_path, config, row):
    made_study(tmp_path / "cut", config | {"only": [row]}, datasets=("model_a",), rows={row: ROWS[row]})
    page = parsed(written(tmp_path, tmp_path / "report.html"))
    assert page.find(id="leaders-model_a")
    assert "nan" not in text(page).split()


def test_the_page_of_the_reference_study_has_its_numbers_and_figures(tmp_path):
    """A fresh clone has this study."""
    page = written(ROOT / "results", tmp_path / "report.html", "reference")
    summary = pd.read_csv(ROOT / "results/reference/tables/summary.csv").query("anomaly == 'all'")
    clean = summary.query("training == 'clean' and role == 'detector'")
    for dataset, rows in clean.groupby("dataset"):
        best = rows.loc[rows["auc"].idxmax()]
        assert auc_numbers(best, seeds=True) in spans(abstract(page), "auc", dataset, best["detector"])
    assert bool(parsed(page).find_all("img")) == (ROOT / "results/reference/figures").is_dir()
    committed = environment.git(ROOT, "log", "-1", "--format=%h of %as", "--", str(ROOT / "results/reference"))
    assert committed is None or committed.strip() in text(parsed(page).find("table", id="provenance"))


def test_studies_of_several_seeds_come_first_then_those_of_most_images_and_trials_only_by_name(results, tmp_path):
    config = yaml.safe_load((results / "all/config.yaml").read_text())
    for name, images, seeds in (("b", 8000, [1, 2]), ("c", 500, [1, 2]), ("a", 8000, [1]), ("d", 6000, [1, 2])):
        shutil.copytree(results / "all", tmp_path / name)
        changed = config | {"contamination": config["contamination"] | {"images": images, "seeds": seeds}}
        (tmp_path / name / "config.yaml").write_text(yaml.safe_dump(changed))
    assert [study.name for study in find_studies(tmp_path)[0]] == ["b", "d", "a"]
    assert [study.name for study in find_studies(tmp_path, ["c", "b"])[0]] == ["c", "b"]


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def report_error(oddlens_command):
    """The error line of `oddlens report`."""

    def run(*arguments):
        end = oddlens_command("report", *arguments)
        assert end.status == 2
        (line,) = end.err.splitlines()
        return line

    return run


def test_without_studies_the_error_names_the_folder(tmp_path, report_error):
    assert str(tmp_path) in report_error("--results", tmp_path)
    assert str(tmp_path / "mine") in report_error("--results", tmp_path, "mine")


@pytest.mark.parametrize(
    ("table", "damage", "cause"),
    [
        ("summary", lambda text: text[:-5], "middle of a line"),
        ("summary", lambda text: text.replace("auc_low", "auc-low"), "auc_low"),
        ("false_alarms", lambda text: re.sub(r",own,\d+", ",own,many", text), "n_validation"),
        ("pairs", lambda text: "", "not a table"),
        ("regression", lambda text: text + "1,2,3" * 50 + "," * 90 + "\n", "not a table"),
    ],
)
def test_a_damaged_table_is_named_and_the_old_page_stays(results, tmp_path, report_error, table, damage, cause):
    shutil.copytree(results / "all", tmp_path / "all")
    (tmp_path / "final_report.html").write_text("old")
    path = tmp_path / f"all/tables/{table}.csv"
    path.write_text(damage(path.read_text()))
    error = report_error("--results", tmp_path)
    assert str(path) in error
    assert cause in error
    assert (tmp_path / "final_report.html").read_text() == "old"


@pytest.mark.parametrize("config", ["study: [", "3", "study: mine\nseed: 1\n"])
def test_a_damaged_config_is_named(tmp_path, report_error, config):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/config.yaml").write_text(config)
    assert str(tmp_path / "mine/config.yaml") in report_error("--results", tmp_path)


# --- the PDF ---------------------------------------------------------------------------------------------------------


def browser(tmp_path, monkeypatch, script):
    """A browser that runs a shell script."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/chromium").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "bin/chromium").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(pdf, "BROWSERS", ("chromium",))


def test_a_browser_prints_the_page(tmp_path, monkeypatch):
    browser(tmp_path, monkeypatch, 'for a; do case "$a" in --print-to-pdf=*) printf "%%PDF" > "${a#*=}";; esac; done')
    assert pdf.print_pdf(tmp_path / "report.html", tmp_path / "report.pdf") == str(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes() == b"%PDF"


def test_without_a_browser_or_if_it_fails_the_old_pdf_is_deleted_and_the_reason_returned(tmp_path, monkeypatch):
    (tmp_path / "report.pdf").write_text("of an older page")
    monkeypatch.setattr(pdf, "BROWSERS", ("no-such-browser",))
    assert "no-such-browser" in pdf.print_pdf(tmp_path / "report.html", tmp_path / "report.pdf")
    browser(tmp_path, monkeypatch, "exit 3")
    assert "CalledProcessError" in pdf.print_pdf(tmp_path / "report.html", tmp_path / "report.pdf")
    assert not (tmp_path / "report.pdf").exists()


# --- the user's own images -------------------------------------------------------------------------------------------

OWN = {"files": {"sheet": "mine.csv", "pixels": 20, "pixel_scale_arcsec": 0.3}}
OUTSIDE = {"patchcore": (0.9, {"role": "external"})}


@pytest.fixture(scope="module")
def mixed(results, tmp_path_factory):
    """The study `all` with a row of outside scores, in which model_b is the user's own; and a study of own images."""
    place = tmp_path_factory.mktemp("mixed")
    config = yaml.safe_load((results / "all/config.yaml").read_text())
    sizes = dict.fromkeys(config["datasets"]["model_b"])
    config["datasets"] = {"model_a": config["datasets"]["model_a"], "model_b": sizes | OWN}
    row = {"scores": "patchcore.csv", "higher_is": "more_anomalous", "name": "anomalib, PatchCore"}
    config["detectors"]["patchcore"] = row
    config = {key: value for key, value in config.items() if key not in ("regression", "real", "publish", "follow_up")}
    both = made_study(place / "both", config | {"only": [*ROWS, *OUTSIDE]}, rows=ROWS | OUTSIDE)
    alone = config | {"datasets": {"unlabelled": OWN}}
    (place / "alone/tables").mkdir(parents=True)
    (place / "alone/config.yaml").write_text(yaml.safe_dump(alone | {"study": "alone"}))
    for folder in (both, place / "alone"):
        write_result(folder / "tables/ranking.csv", pd.DataFrame({"dataset": ["unlabelled"], "rank": [1]}))
    return place


def test_own_images_have_a_section_and_are_in_no_other(mixed, tmp_path):
    page = parsed(written(mixed, tmp_path / "report.html"))
    lines = [[text(cell) for cell in row.find_all("td")] for row in page.find(id="own").find("tbody").find_all("tr")]
    assert lines[-1][:2] == ["alone", "unlabelled"]
    assert "no AUC" in lines[-1][2]
    own = {
        (study, dataset, kind): cells
        for study, dataset, *cells, kind in ([*row[:3], row[5], row[3]] for row in lines[:-1])
    }
    assert set(own) == {("both", "model_b", kind) for kind in ("detector", "lens fit", "outside scores", "upper bound")}
    best = line(mixed, "both", dataset="model_b", detector="dcae", training="clean")
    assert own["both", "model_b", "detector"][0] == "dcae"
    assert numbers(page.find(id="own"))  # and the numbers are those of the table
    assert own["both", "model_b", "detector"][1].startswith(f"{best['auc']:.3f}")
    page.find(id="own").decompose()
    page.find(id="provenance").decompose()
    assert "model_b" not in text(page)


def test_outside_scores_are_named_described_and_ranked_apart(mixed, tmp_path):
    page = parsed(written(mixed, tmp_path / "report.html", "both"))
    best = line(mixed, "both", dataset="model_a", detector="patchcore", training="clean")
    leaders = page.find(id="leaders-model_a")
    assert auc_numbers(best, seeds=True) in spans(leaders, "auc", "model_a", "patchcore")
    assert "best detector that learns without labels is dcae" in text(leaders)
    assert "anomalib, PatchCore" in text(page)
    assert "Outside scores" in text(page.find(class_="board"))


def test_own_images_alone_have_no_final_report(mixed):
    with pytest.raises(ValueError, match=r"has no study of simulated images .*alone/report\.html"):
        find_studies(mixed, ["alone"])
