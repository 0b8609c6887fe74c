"""The final report of studies that are made up, whole and cut to the least, and of the reference study."""

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
from oddlens.results.pages import studies
from oddlens.results.pages.pieces import change
from oddlens.results.pages.real import real_lenses
from oddlens.results.tables.follow_up import COLUMNS as FOLLOWED
from oddlens.results.tables.fractions import COLUMNS as FRACTIONS
from oddlens.results.tables.regression import COLUMNS as REGRESSION
from oddlens.results.tables.result_files import write_result
from oddlens.results.tables.triage import COLUMNS as TRIAGE
from oddlens.stages import paper

ROWS = {name: made_up.ROWS[name] for name in ("good", "dcae", "dcae_published", "random", "supervised")}
WORLDS = {
    "plain": {"preset": "model_b"},
    "elliptical": {"preset": "model_c", "lens": {"light": None}, "camera": {"noise_correlation_pixels": None}},
    "richest": {"preset": "model_c"},
}
IMAGES = {"train": 8000, "contaminant": 4000, "validation": 24, "test": 24}


def made_study(folder, config, **cut):
    """The folder of a study whose scores are made up: tables, config, a picture for each figure."""
    cut = {"images": 24, "rows": ROWS, **cut}
    made_up.aggregated(folder, made_up.study(folder / "scores", **cut), cut["rows"])
    (folder / "config.yaml").write_text(yaml.safe_dump({**config, "study": folder.name}))
    return folder


def pictures(folder, datasets, *names):
    for dataset in datasets:
        (folder / "figures" / dataset).mkdir(parents=True)
        for name in names:
            save(message_figure(name), folder / "figures" / dataset / f"{name}.png")


def regression_tables(folder):
    """One number of one class, and the mean of populations of 1 and 100 lenses."""
    common = {"dataset": "model_a", "row": "scan", "class": "cdm", "spread": 0.0123, "rmse": 0.01}
    common |= {f"coverage{part}{end}": int(part) / 100 for part in ("68", "95") for end in ("", "_low", "_high")}
    single = common | {
        "target": "substructure_fraction",
        "log_score": 0.151,
        "log_score_low": 0.1,
        "log_score_high": 0.2,
    }
    many = [common | {"lenses": n, "rmse": 0.0026, "deviation": 0.0025} for n in (1, 100)]
    triage = {"dataset": "model_a", "row": "scan", "detector": "good", "type": "cdm", "flagged": 0.1, "odd": 0.1}
    lines = {"regression": ([single], REGRESSION), "fractions": (many, FRACTIONS), "triage": ([triage], TRIAGE)}
    for name, (found, columns) in lines.items():
        table = pd.DataFrame(found).reindex(columns=columns)
        numbers = table.columns[table.isna().all()]
        write_result(folder / "tables" / f"{name}.csv", table.assign(**dict.fromkeys(numbers, 0.5)))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two studies: one with all that there is and two seeds, and one of richer simulations and one seed."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    config |= {"only": list(ROWS), "detectors": config["detectors"] | {"good": {"detector": "lensfit"}}}
    place = tmp_path_factory.mktemp("results")
    whole = made_study(place / "whole", config, diverged={"dcae": ["cdm-0.2/1"]})
    pictures(whole, config["datasets"], "preview", "roc", "bins", "contamination", "estimates")
    regression_tables(whole)
    for name, path in made_up.real_tables(whole, whole / "figures/model_a/roc.png").items():
        shutil.move(path, whole / "tables" / f"{name}.csv")
    (whole / "real").mkdir()
    shutil.move(whole / "lenses", whole / "real/model_a")
    closer = dict.fromkeys(FOLLOWED, 1.0) | {"id": "model_a/test/cdm/7", "class": "cdm", "log_bayes": 31.4, "calls": 9}
    (whole / "follow_up/model_a").mkdir(parents=True)
    pd.DataFrame([closer]).to_csv(whole / "follow_up/model_a/1.csv")
    shutil.copy(whole / "figures/model_a/roc.png", whole / "follow_up/model_a/1.png")
    few = {"images": IMAGES}
    simulations = {"model_a": None, "model_b": None} | {name: simulation | few for name, simulation in WORLDS.items()}
    one_seed = config["contamination"] | {"seeds": [1], "fractions": {"mixed": None}}
    richer = config | {"datasets": simulations, "contamination": one_seed}
    rows = {name: ROWS[name] for name in ("good", "dcae", "supervised")}
    richer["only"] = list(rows)
    made_study(
        place / "richer", richer, rows=rows, images=16, datasets=list(WORLDS), training_sets=["none-0"], seeds=(1,)
    )
    record = {
        **{"rule": "train", "wildcards": {}, "params": {}, "config": {}, "seeds": {"master": 1, "trainings": [1]}},
        "code": {"commit": "abc123", "dirty": False, "source": "f00d"},
        **{"versions": {"numpy": "1.2.3"}, "machine": {"processor": "a processor", "gpu": "a GPU"}},
        **{"inputs": {}, "outputs": {}},
    }
    records.write(whole / "logs/train.json", record)
    return place


def written(results, path, *names):
    paper.paper(path, studies.found(results, names))
    return path.read_text()


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    return written(results, tmp_path_factory.mktemp("page") / "paper.html")


def words(page):
    """The text of a page, or of its part, as one line."""
    return " ".join(BeautifulSoup(str(page), "html.parser").get_text(" ").split())


def abstract(page):
    return words(BeautifulSoup(page, "html.parser").find(class_="abstract"))


def line(results, study, **where):
    summary = pd.read_csv(results / study / "tables/summary.csv").query("anomaly == 'all'")
    for column, value in where.items():
        summary = summary[summary[column] == value]
    return summary.iloc[0]


def said_auc(line, seeds=None):
    over = f"; {line['seed_low']:.3f} to {line['seed_high']:.3f} over 2 seeds" if seeds else "; of one training"
    return f"{line['auc']:.3f} ({line['auc_low']:.3f} to {line['auc_high']:.3f} over test images{over})"


# --- what it says ----------------------------------------------------------------------------------------------------


def test_the_abstract_says_what_the_tables_say(results, page):
    said = abstract(page)
    for dataset in ("model_a", "model_b"):
        best = line(results, "whole", dataset=dataset, detector="dcae", training="clean")
        assert f"On {dataset} the best of 2 such detectors, dcae, has an AUC of {said_auc(best, 2)}" in said
        fit = line(results, "whole", dataset=dataset, detector="good", training="clean")
        assert f"{said_auc(fit, 2)} on {dataset}" in said
        lost = line(results, "whole", dataset=dataset, detector="dcae", training="mixed 5%")
        assert f"{change(lost['change'])} (dcae; {change(lost['change_low'])} to {change(lost['change_high'])}" in said
    fit, learned = (line(results, "richer", dataset="richest", detector=row) for row in ("good", "dcae"))
    assert f"(data set richest), the fit has {said_auc(fit)} and the best that is learned {said_auc(learned)}." in said
    assert "100 lenses of one population tell its mean substructure fraction (cdm) to 0.0026" in said
    assert "where populations scatter by 0.0123; 68 % (68 to 68 %) of its 68 % intervals" in said
    assert (
        "2 real lenses are scored; of so few no rank can have a p below 0.5, and nothing here is a detection." in said
    )


def test_regression_and_real_noise_are_shown_side_by_side(page):
    said = words(page)
    assert "number class scan substructure_fraction cdm 0.81, 0.15, 0.68" in said
    assert "row simulated noise double_ring (× 1.5) good 0.910 (0.90 to 0.92) 0.900 (0.80 to 0.95)" in said


def test_of_real_lenses_only_rows_that_see_something_speak(tmp_path, results):
    tables = made_up.real_tables(tmp_path, results / "whole/figures/model_a/roc.png", row="blind")
    every = real_lenses(tables, {})
    assert "blind" in every["lenses"]["model_a"]
    assert "blind" in every["claims"]["model_a"]
    few = real_lenses(tables, {}, rows={("model_a", "good"), ("model_b", "blind")})
    assert few["lenses"] == few["claims"] == few["noise"] == few["by_frame"] == {}
    assert few["problems"] == every["problems"] != []


def test_the_page_asks_only_detectors_that_see_something(results, monkeypatch):
    found = studies.found(results, ["whole"])
    judged = found[0].judged.set_index(["dataset", "detector"])
    seeing = paper._sighted(found[0])
    assert seeing == {
        key for key, row in judged.iterrows() if row["kind"] in ("detector", "physics") and row["auc"] > 0.53
    }
    assert 0 < len(seeing) < len(judged)
    assert "good" in paper.facts(found)["real"]["lenses"]["model_a"]
    monkeypatch.setattr(paper, "_sighted", lambda study: set())
    assert paper.facts(found)["real"]["lenses"] == {}


def test_every_number_of_the_abstract_is_of_a_table_or_a_config(results, page):
    known = {"32", "8,000", "2", "100", "68", "0.5", "0.0123", "0.0026", "5", "0.730", "0.670"}
    for study in ("whole", "richer"):
        summary = pd.read_csv(results / study / "tables/summary.csv").select_dtypes("number").to_numpy().ravel()
        known |= {f"{abs(number):.3f}" for number in summary if np.isfinite(number)}
    assert set(re.findall(r"\d[\d.,]*\d|\d", abstract(page).replace("model_a", ""))) <= known


CONVENTIONS = {"95", "68", "10", "0.05", "100,000", "1,000", "3", "5", "0", "16", "84"}
"""What the template may say in digits: levels of intervals and of significance, and units of tables."""


def test_no_result_is_written_in_the_template():
    template = (ROOT / "src/oddlens/results/pages/paper.html.j2").read_text()
    text = template[template.index("{% block body %}") :]
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]+>", " ", text, flags=re.DOTALL)
    assert set(re.findall(r"\d[\d.,]*\d|\d", text)) <= CONVENTIONS


def test_studies_stand_side_by_side_where_their_worlds_are_the_same(results, tmp_path):
    shutil.copytree(results / "whole", tmp_path / "again")
    shutil.copytree(results / "whole", tmp_path / "whole")
    summary = pd.read_csv(tmp_path / "again/tables/summary.csv")
    write_result(tmp_path / "again/tables/summary.csv", summary.assign(auc=0.1234))
    config = yaml.safe_load((tmp_path / "again/config.yaml").read_text())
    config["datasets"]["model_b"]["camera"] = {"exposure_s": 10}
    (tmp_path / "again/config.yaml").write_text(yaml.safe_dump(config))
    page = BeautifulSoup(written(tmp_path, tmp_path / "paper.html", "whole", "again"), "html.parser")
    board = page.find(string=re.compile("in each study that has the data set’s simulation")).find_next("table")
    assert [words(th) for th in board.find("thead").find_all("th")] == [
        "row",
        "model_a whole: 8,000 images, 2 seeds",
        "model_a again: 8,000 images, 2 seeds",
        "model_b whole: 8,000 images, 2 seeds",
    ]
    best = line(results, "whole", dataset="model_a", detector="dcae", training="clean")
    cells = board.find("td", string="dcae").find_next_siblings("td")
    assert [cell.find("b").string for cell in cells][:2] == [f"{best['auc']:.3f}", "0.123"]
    spans = [small.string for small in cells[0].find_all("small")]
    assert spans[0] == f"{best['auc_low']:.3f}–{best['auc_high']:.3f}"
    assert spans[1] == f"{best['seed_low']:.3f}–{best['seed_high']:.3f}"


def test_it_says_what_made_the_studies(page):
    said = words(page)
    for sentence in (
        "abc123 a processor, a GPU",
        "Versions in study whole: numpy 1.2.3.",
        "GPUs had a part, and another device may give other digits: a GPU.",
        "2 of the models of study whole have no scores: dcae on model_a (cdm 20%, seed 1)",
        "Studies have 1 to 2 seeds.",
    ):
        assert sentence in said, sentence


def test_controls_that_see_are_a_limit(results, tmp_path):
    shutil.copytree(results / "whole", tmp_path / "whole")
    path = tmp_path / "whole/tables/summary.csv"
    summary = pd.read_csv(path)
    write_result(path, summary.assign(auc=summary["auc"].mask(summary["detector"] == "random", 0.7)))
    assert "Controls that see. random on model_a has 0.700" in words(written(tmp_path, tmp_path / "paper.html"))


def test_text_speaks_of_figures_and_tables_by_the_numbers_that_they_have(page):
    soup = BeautifulSoup(page, "html.parser")
    for kind, tag in (("Figure", "figcaption"), ("Table", "p")):
        labels = [b.string for b in soup.select(f"{tag} > b") if b.string and b.string.startswith(kind)]
        assert labels == [f"{kind} {k}." for k in range(1, len(labels) + 1)]
        assert len(labels) > 8
    assert "All priors are in Table" in words(page)
    assert soup.find("b", string=re.findall(r"All priors are in (Table \d+)", words(page))[0] + ".").parent.name == "p"
    listed = [li["id"] for li in soup.find_all("li", id=True)]
    assert {a["href"] for a in soup.select("sup a")} == {f"#{name}" for name in listed}


# --- what it stands on -----------------------------------------------------------------------------------------------


def test_it_needs_no_other_file(page):
    bare = re.sub(r"data:image/png;base64,[\w+/=]+", "", page)
    assert "http" not in bare
    assert not re.search(r"<(link|script|iframe)|url\(|@import", bare)
    assert all(img["src"].startswith("data:") for img in BeautifulSoup(page, "html.parser").find_all("img"))
    assert "lost &lt;b&gt; on model_a" in bare
    assert "nan" not in words(page).split()


def test_it_is_the_same_when_written_again(results, page, tmp_path):
    assert written(results, tmp_path / "paper.html") == page


SECTIONS = {
    "Contaminated training sets": ["contamination.csv", "summary.csv"],
    "Beside published figures": ["published.csv"],
    "What makes a lens easy?": ["bins.csv", "population.csv"],
    "Numbers of dark matter": ["regression.csv"],
    "Real lenses": ["real.csv"],
}


def test_what_no_study_has_is_left_out_and_named(results, page, tmp_path):
    assert all(f">{title}</h3>" in page for title in [*SECTIONS, "A fit of physics on richer simulations"])
    shutil.copytree(results / "whole", tmp_path / "whole")
    folder = tmp_path / "whole"
    summary = pd.read_csv(folder / "tables/summary.csv")
    for path in folder.glob("tables/*.csv"):
        path.unlink()
    clean = summary[summary["training"].isin(["clean", "labelled"]) & (summary["detector"] != "good")]
    write_result(folder / "tables/summary.csv", clean)
    for name in ("figures", "follow_up", "real", "logs"):
        shutil.rmtree(folder / name)
    least = written(tmp_path, tmp_path / "paper.html")
    assert not [title for title in [*SECTIONS, "The oddest, looked at closely"] if f">{title}</h3>" in least]
    assert "<img" not in least
    assert [code.string for code in BeautifulSoup(least, "html.parser").select("li code")] == [
        command for _, command in paper.COMMANDS.values()
    ]
    assert "nan" not in words(least).split()
    assert "no record" in least


@pytest.mark.parametrize("cut", [{"rows": {"random": ROWS["random"]}}, {"rows": {"supervised": ROWS["supervised"]}}])
def test_a_study_without_detectors_has_a_page(tmp_path, config, cut):
    made_study(tmp_path / "cut", config | {"only": list(cut["rows"])}, datasets=("model_a",), **cut)
    said = words(written(tmp_path, tmp_path / "paper.html"))
    assert "On model_a no detector that learns converged." in said
    assert "nan" not in said.split()


def test_the_page_of_the_reference_study_has_its_figures(tmp_path):
    """What a fresh clone has."""
    page = written(ROOT / "results", tmp_path / "paper.html", "reference")
    summary = pd.read_csv(ROOT / "results/reference/tables/summary.csv").query("anomaly == 'all'")
    clean = summary.query("training == 'clean' and role == 'detector'")
    for dataset, rows in clean.groupby("dataset"):
        best = rows.loc[rows["auc"].idxmax()]
        assert f"On {dataset} the best of {len(rows)} such detectors, {best['detector']}, has" in abstract(page)
        assert said_auc(best, 2) in abstract(page)
    assert "With 10 % of the training images odd (mixed)" in abstract(page)
    committed = environment.git(ROOT, "log", "-1", "--format=%h of %as", "--", str(ROOT / "results/reference"))
    assert committed is None or f"committed in {committed.strip()}" in page


# --- which studies, and what is wrong with them ----------------------------------------------------------------------


def test_studies_of_several_seeds_come_first_then_those_of_most_images_and_trials_only_by_name(results, tmp_path):
    config = yaml.safe_load((results / "whole/config.yaml").read_text())
    for name, images, seeds in (("b", 8000, [1, 2]), ("c", 500, [1, 2]), ("a", 8000, [1]), ("d", 6000, [1, 2])):
        shutil.copytree(results / "whole", tmp_path / name)
        changed = config | {"contamination": config["contamination"] | {"images": images, "seeds": seeds}}
        (tmp_path / name / "config.yaml").write_text(yaml.safe_dump(changed))
    assert [study.name for study in studies.found(tmp_path)] == ["b", "d", "a"]
    assert [study.name for study in studies.found(tmp_path, ["c", "b"])] == ["c", "b"]


@pytest.fixture
def report_error(oddlens_command):
    """The error line of `oddlens report`."""

    def run(*arguments):
        end = oddlens_command("report", *arguments)
        assert end.status == 2
        (line,) = end.err.splitlines()
        return line

    return run


def test_without_studies_it_says_what_to_run(tmp_path, report_error):
    assert f"{tmp_path} has no study" in report_error("--results", tmp_path)
    assert "mine is no study" in report_error("--results", tmp_path, "mine")


@pytest.mark.parametrize(
    ("table", "damage", "why"),
    [
        ("summary", lambda text: text[:-5], "it ends in the middle of a line"),
        ("summary", lambda text: text.replace("auc_low", "auc-low"), "it has no column auc_low"),
        (
            "false_alarms",
            lambda text: re.sub(r",own,\d+", ",own,many", text),
            "its column n_validation holds what is no",
        ),
        ("pairs", lambda text: "", "it is no table"),
        ("regression", lambda text: text + "1,2,3" * 50 + "," * 90 + "\n", "it is no table"),
    ],
)
def test_a_damaged_table_is_named_and_the_old_page_stays(results, tmp_path, report_error, table, damage, why):
    shutil.copytree(results / "whole", tmp_path / "whole")
    (tmp_path / "paper.html").write_text("old")
    path = tmp_path / f"whole/tables/{table}.csv"
    path.write_text(damage(path.read_text()))
    assert f"{path} is damaged: {why}" in report_error("--results", tmp_path)
    assert (tmp_path / "paper.html").read_text() == "old"


@pytest.mark.parametrize("config", ["study: [", "3", "study: mine\nseed: 1\n"])
def test_a_damaged_config_is_named(results, tmp_path, report_error, config):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/config.yaml").write_text(config)
    assert str(tmp_path / "mine/config.yaml") in report_error("--results", tmp_path)


# --- the PDF ---------------------------------------------------------------------------------------------------------


def browser(tmp_path, monkeypatch, script):
    """A browser that does what a shell script says."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/chromium").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "bin/chromium").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(paper, "BROWSERS", ("chromium",))


def test_a_browser_prints_the_page(tmp_path, monkeypatch):
    browser(tmp_path, monkeypatch, 'for a; do case "$a" in --print-to-pdf=*) printf "%%PDF" > "${a#*=}";; esac; done')
    assert paper.printed(tmp_path / "paper.html", tmp_path / "paper.pdf") == str(tmp_path / "paper.pdf")
    assert (tmp_path / "paper.pdf").read_bytes() == b"%PDF"


def test_without_a_browser_or_with_one_that_fails_there_is_no_pdf_and_a_line_says_so(tmp_path, monkeypatch):
    (tmp_path / "paper.pdf").write_text("of an older page")
    monkeypatch.setattr(paper, "BROWSERS", ("no-such-browser",))
    said = paper.printed(tmp_path / "paper.html", tmp_path / "paper.pdf")
    assert said == "no PDF: none of no-such-browser is on the PATH"
    browser(tmp_path, monkeypatch, "exit 3")
    assert "could not print the page" in paper.printed(tmp_path / "paper.html", tmp_path / "paper.pdf")
    assert not (tmp_path / "paper.pdf").exists()
