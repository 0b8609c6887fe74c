"""Tables, figures and report of the user's own images, with labels and without, alone and beside simulated ones."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup
from scipy import stats
from test_figures import FIGURES

import made_up
import made_up_files
from conftest import ROOT
from oddlens.config.study import parse_study
from oddlens.data import shards
from oddlens.files.artefacts import write_table
from oddlens.results.pages.own_images import agreement as agreement_table
from oddlens.results.tables.agreement import agreement
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.result_files import read_result
from oddlens.results.tables.study_summary import N_IMAGES, summary_text
from oddlens.stages.figures import draw_figures
from oddlens.stages.report import report
from oddlens.stages.study_figures import study_figures
from oddlens.statistics import metrics

OWN = {"mine": made_up_files.LABELLED, "flat": made_up_files.WITHOUT_LABELS}
ROWS = made_up_files.ROWS


def made(folder, datasets, simulated=()):
    """Paths of files, and of the tables."""
    found = made_up.study(folder, simulated, ROWS, ["none-0"], images=24) if simulated else {}
    for dataset in datasets:
        made_up_files.add(found, folder, dataset, OWN[dataset], diverged={"dcae": ["none-0/2"]})
    return found, made_up.aggregated(folder, found, ROWS, own=datasets)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A simulated data set, one with labels, and one without."""
    return made(tmp_path_factory.mktemp("study"), ("mine", "flat"), ("model_a",))


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory):
    """A study of a single data set without labels."""
    folder = tmp_path_factory.mktemp("unlabelled")
    return folder, *made(folder, ("flat",))


@pytest.fixture(scope="module")
def read(study):
    return {name: read_result(path) for name, path in study[1].items()}


@pytest.fixture(scope="module")
def scored(study):
    return DatasetScores.read(study[0]["scores"]["mine"].values(), "smooth")


# --- tables ----------------------------------------------------------------------------------------------------------


def test_images_of_one_object_are_one_unit_of_intervals(read, scored):
    line = read["auc"].query("dataset == 'mine' and detector == 'good' and seed == 1 and anomaly == 'all'").iloc[0]
    smooth, odd = scored.positions("smooth"), scored.positions("all")
    assert (len(smooth), len(odd)) == (line["n_normal"], line["n_anomalous"]) == (40, 20)
    areas = metrics.areas(scored.values[:1, smooth], scored.values[:1, odd], scored.lens[smooth], scored.lens[odd])
    low, high = metrics.interval(areas.auc, areas.variance)
    assert (line["auc"], line["auc_low"], line["auc_high"]) == pytest.approx((*areas.auc, *low, *high), abs=1e-5)
    by_image = metrics.areas(scored.values[:1, smooth], scored.values[:1, odd], smooth, odd)
    assert areas.variance[0] > 1.2 * by_image.variance[0]


def test_without_labels_there_are_models_and_no_aucs(read):
    models = read["auc"].query("dataset == 'flat'")
    assert sorted(zip(models["detector"], models["seed"], models["status"], strict=True))[:2] == [
        ("dcae", 1, "ok"),
        ("dcae", 2, "diverged"),
    ]
    assert models["auc"].isna().all()
    for name in ("summary", "pairs", "ablations", "contamination", "bins", "population", "false_alarms"):
        assert "flat" not in set(read[name]["dataset"]), name
    selection = read["selection"].query("dataset == 'flat'").set_index("detector")
    assert selection["auc"].isna().all()
    assert selection["pseudo_anomaly_auc"]["good"] > 0.7


def test_training_sets_are_as_given(read):
    trainings = read["summary"].groupby("dataset")["training"].unique()
    assert {name: list(found) for name, found in trainings.items()} == {"mine": ["as given"], "model_a": ["clean"]}
    assert set(read["pairs"].query("dataset == 'mine'")["training"]) == {"as given"}
    assert "mine | as given | all" in read["comparison"]


def test_bins_are_of_the_numbers_of_the_sheet_against_all_smooth_images(read):
    bins = read["bins"].query("dataset == 'mine' and detector == 'good'")
    assert set(bins["truth"]) == {"redshift"}, "what does not vary has no bins, and text is no property"
    assert set(bins["n_normal"]) == {40}
    assert bins.query("anomaly == 'odd'")["n_anomalous"].sum() == pytest.approx(14 * 2 / 3, abs=1), "of known redshift"
    assert len(read["population"].query("dataset == 'mine'")) == 0


def test_findings_without_truth_have_no_masses_and_unlabelled_images_no_auc(read):
    found = read["findings"].query("dataset == 'flat' and pool == 'test'")
    assert len(found) == 2
    assert found[["auc_odds", "min_detectable_msun", "offset_arcsec", "mass_ratio"]].isna().all().all()
    assert (found["detections"] > 0).all()
    mine = read["findings"].query("dataset == 'mine' and `class` == 'odd'")
    assert mine["auc_odds"].notna().all()


def test_the_ranking_has_every_test_image_with_its_names(read, study):
    ranking = read["ranking"].query("dataset == 'flat'")
    assert len(ranking) == 60
    assert ranking["rank"].tolist() == list(range(1, 61))
    assert ranking["consensus"].is_monotonic_increasing
    assert set(ranking["index"].head(3)) == {0, 1, 2}, "those that both detectors find anomalous"
    assert set(ranking["object"].head(3)) == {"000", "001"}
    expected = ranking[["p_good", "p_dcae"]].median(axis=1)
    np.testing.assert_allclose(ranking["consensus"], expected, rtol=1e-4)  # the control has no vote
    line = read["most_anomalous"].query("dataset == 'flat' and detector == 'good'").iloc[0]
    first = ranking.set_index("index").loc[line["index"]]
    assert (line["file"], line["object"]) == (first["file"], first["object"])
    assert line["false_alarm_probability"] == pytest.approx(first["p_good"], rel=1e-4)


def test_agreement_compares_rows_and_seeds(read, scored):
    table = read["agreement"].query("dataset == 'mine'")
    assert set(zip(table["kind"], table["a"], table["b"], strict=True)) == {
        ("rows", "good", "dcae"),
        ("rows", "good", "random"),
        ("rows", "dcae", "random"),
        ("seeds", "good/1", "good/2"),
        ("seeds", "random/1", "random/2"),
    }
    test = (scored.images["pool"] == "test").to_numpy()
    seeds = table.query("a == 'good/1'").iloc[0]
    assert seeds["correlation"] == pytest.approx(stats.spearmanr(*scored.values[:2, test]).statistic, abs=1e-5)
    assert seeds["correlation_low"] < seeds["correlation"] < seeds["correlation_high"]
    assert (seeds["n_top"], seeds["chance_top"]) == (10, pytest.approx(1 / 6, abs=1e-4))


def test_equal_rankings_overlap_and_opposite_ones_do_not():
    scores = np.random.default_rng(0).normal(size=500)
    equal, opposite = agreement(scores, 3 * scores + 1, 500), agreement(scores, -scores, 500)
    assert (equal["correlation"], equal["overlap_top"], equal["overlap_top_fraction"]) == (pytest.approx(1), 1, 1)
    assert (opposite["correlation"], opposite["overlap_top"]) == (pytest.approx(-1), 0)
    assert equal["n_top_fraction"] == 5
    assert np.isnan(agreement(scores, np.zeros(500), 500)["correlation"])


def test_the_interval_of_a_correlation_covers_the_truth():
    rng, covered = np.random.default_rng(0), []
    truth = 6 / np.pi * np.arcsin(0.5 / 2)  # Spearman's correlation of normal variables with Pearson's 0.5
    for _ in range(300):
        pair = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 60).T
        found = agreement(*pair, 60)
        covered.append(found["correlation_low"] < truth < found["correlation_high"])
    assert 0.9 < np.mean(covered) < 0.99


def test_a_study_of_simulated_data_sets_has_no_columns_of_files(tmp_path):
    folder, found = tmp_path, made_up.study(tmp_path, ("model_a",), ROWS, ["none-0"], images=24)
    tables = made_up.aggregated(folder, found, ROWS)
    assert not {"ranking", "agreement"} & set(tables)
    assert "object" not in pd.read_csv(tables["most_anomalous"])


# --- figures, report, terminal ---------------------------------------------------------------------------------------

MESSAGES = {"mine": {"population", "contamination", "detection"}}
MESSAGES["flat"] = MESSAGES["mine"] | {"roc", "bins"}


def figures_of(folder, found, tables, dataset):
    outputs = {name: folder / f"{dataset}-{name}.png" for name in FIGURES if name != "ablations"}
    inputs = {kind: found[kind][dataset] for kind in ("scores", "examples", "losses")}
    draw_figures(outputs, dataset=dataset, smooth="smooth", rows=made_up.entries(ROWS), tables=tables, **inputs)
    return outputs


@pytest.fixture
def messages(monkeypatch):
    """Which figures are messages, by the files that `save` gets."""
    from oddlens.results.figures import style

    found = set()

    def save(figure, path):
        path.write_bytes(b"")
        if figure.texts and not figure.axes:
            found.add(path.stem.partition("-")[2])
        style.plt.close(figure)

    monkeypatch.setattr(style, "save", save)
    return found


@pytest.mark.parametrize("dataset", OWN)
def test_every_figure_is_drawn_or_says_why_not(study, tmp_path, messages, dataset):
    figures_of(tmp_path, *study, dataset)
    assert messages == MESSAGES[dataset]


def page(folder, found, tables, own, simulated, figures):
    """The report as a tree."""
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    sheets = {name: {"files": {"sheet": f"{name}.csv", "pixels": 32}} for name in own}
    config["datasets"] = {name: config["datasets"][name] for name in simulated} | sheets
    config |= {"publish": {}, "real": {}, "regression": {}, "follow_up": {}}
    study_figures(
        {name: folder / f"{name}.png" for name in ("ranks", "noise")},
        rows=made_up.entries(ROWS),
        **{name: tables[name] for name in ("ranks", "wilcoxon", "noise")},
    )
    camera = pd.DataFrame(
        {"quantity": ["noise_gain"], "stated": np.nan, "estimated": 0.01, "error": 0.001, "used": 0.01}
    )
    write_table(folder / "camera.csv", camera, kind="camera", notes=["a note of the camera"])
    shards.write(folder / "shard.h5", shards.Shard({}, {"skipped": json.dumps({"x.fits": "x.fits: it is 3 x 3"})}))
    sample = {"source": "a <folder>", "counts": {"train": {"smooth": 9}, "contaminant": {}}, "notes": ["a note"]}
    report(
        folder / "report.html",
        tables=tables,
        figures=figures,
        ranks=folder / "ranks.png",
        noise=folder / "noise.png",
        real={},
        real_images={},
        follow_up=[],
        completeness={},
        captions={path.stem: path for path in (ROOT / "workflow/report/figures").iterdir()},
        study=parse_study(config).plain(),
        rows=made_up.entries(ROWS),
        descriptions=made_up.descriptions(ROWS),
        classes={},
        provenance={"commits": ["abc123"], "versions": [], "machines": []},
        devices=[],
        samples={name: (sample, folder / "camera.csv", [folder / "shard.h5"]) for name in own},
        left_out={name: {"oracle": "it needs the truth"} for name in own},
    )
    return BeautifulSoup((folder / "report.html").read_text(), "html.parser")


def text(element):
    return " ".join(element.get_text(" ").split())


def test_the_report_of_a_study_without_labels_has_no_auc_and_shows_the_most_anomalous_images(unlabelled):
    folder, found, tables = unlabelled
    figures = figures_of(folder, found, tables, "flat")
    figures["most_anomalous"] = figures["preview"] = figures["gallery"]
    shown = page(folder, found, tables, ("flat",), (), {"flat": figures})
    summary = shown.find(id="best-flat")
    assert "no AUC" in text(summary)
    assert "good" in text(summary), "the row that finds weak deflections best"
    ranking = read_result(tables["ranking"])
    lines = [
        [text(cell) for cell in row.find_all("td")]
        for row in shown.find(id="ranked-flat").find_next("table").tbody.find_all("tr")
    ]
    assert [line[:2] for line in lines] == ranking[["object", "file"]].head(10).to_numpy().tolist()
    assert shown.find(id="most_anomalous-flat").img
    agreed = text(shown.find(id="agreement").find_next("table"))
    assert "seeds of good" in agreed
    assert "good and dcae" in agreed
    own = text(shown.find(id="own-flat").find_parent("body"))
    for value in (
        "a <folder>",
        "training: 9 smooth",
        "x.fits: it is 3 x 3",
        "a note of the camera",
        "it needs the truth",
    ):
        assert value in own, value
    assert not any(text(cell) == "nan" for cell in shown.find_all("td"))
    assert "twins" not in text(shown.find(id="question"))
    diverged = [text(item) for item in shown.find(id="diverged").find_all("li")]
    assert diverged == ["dcae on flat, trained on as given, seed 2"]


def test_the_report_says_that_intervals_are_unpaired(study, tmp_path):
    found, tables = study
    figures = {name: figures_of(tmp_path, found, tables, name) for name in ("model_a", "mine", "flat")}
    shown = page(tmp_path, found, tables, ("mine", "flat"), ("model_a",), figures)
    first = shown.find(id="leaders-mine")
    assert "unpaired" in text(first.find_previous("p"))
    assert "unpaired" not in text(shown.find(id="leaders-model_a").find_previous("p"))
    assert "best detector is good" in text(shown.find(id="best-mine"))
    assert "as given" in [text(cell) for cell in shown.find(id="false-alarms").find_all_next("th")]


def test_the_terminal_lists_the_most_anomalous_files(unlabelled, study):
    folder, _, tables = unlabelled
    lines = summary_text(folder).splitlines()
    ranking = read_result(tables["ranking"])
    assert [line.split()[-1] for line in lines[2 : 2 + N_IMAGES]] == ranking["file"].head(N_IMAGES).tolist()
    assert "AUC" not in "\n".join(lines)
    mixed = summary_text(study[1]["summary"].parents[1])
    assert "good" in mixed
    assert "images/000.fits" in mixed
    assert max(map(len, mixed.splitlines()[:-1])) <= 100


def test_names_that_look_like_numbers_stay_text(tmp_path, read):
    assert json.dumps(read["ranking"]["object"].iloc[0]).startswith('"0')


def test_a_study_of_one_seed_has_agreement_of_rows_alone(read):
    rows = read["agreement"].query("dataset == 'mine' and kind == 'rows'")
    table = BeautifulSoup(agreement_table(rows), "html.parser")
    assert len(table.find_all("tr")) == 1 + len(rows)
