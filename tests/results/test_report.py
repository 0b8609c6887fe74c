"""Figures and report of studies that are made up, whole and cut down to the least."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import made_up
from conftest import ROOT
from oddlens.config.study import parse_study
from oddlens.results.figures import style
from oddlens.results.figures.contamination import contamination_curves
from oddlens.results.figures.losses import loss_curves
from oddlens.results.figures.noise import noise_curves
from oddlens.results.figures.population import population_curves
from oddlens.results.figures.ranks import critical_differences
from oddlens.results.pages.contamination import remedies
from oddlens.results.pages.detection import controls
from oddlens.results.pages.images import SHOWN, lenses_words, many
from oddlens.results.pages.published import reproductions
from oddlens.results.tables.follow_up import COLUMNS as FOLLOWED
from oddlens.stages.figures import best_of_families, draw_figures
from oddlens.stages.report import report
from oddlens.stages.study_figures import study_figures

FIGURES = [
    "roc",
    "contamination",
    "bins",
    "population",
    "ablations",
    "selection",
    "gallery",
    "mass_sensitivity",
    "embeddings",
    "samples",
    "losses",
]
CUTS = {
    "whole": {"diverged": {"dcae": ["cdm-0.2/1"], "random": ["none-0/1", "none-0/2"]}},
    "one data set, one detector, clean, one seed": {
        "datasets": ("model_a",),
        "rows": {"good": made_up.ROWS["good"]},
        "training_sets": ["none-0"],
        "seeds": (1,),
    },
    "no detectors, controls only": {"rows": {"random": made_up.ROWS["random"], "flux": made_up.ROWS["random"]}},
    "a ceiling alone": {"rows": {"supervised": made_up.ROWS["supervised"]}, "seeds": (1,)},
    "nothing converged": {
        "rows": {"good": made_up.ROWS["good"]},
        "seeds": (1,),
        "diverged": {"good": [f"{training_set}/1" for training_set in made_up.TRAINING_SETS]},
    },
}


def everything(folder, config, rows=made_up.ROWS, **cut):
    """Tables, figures and report of a study; the page, and the paths of the figures."""
    made = made_up.study(folder, rows=rows, images=24, **cut)
    outputs = made_up.aggregated(folder, made, rows)
    drawn = {}
    for dataset in made["scores"]:
        drawn[dataset] = {name: folder / f"{dataset}-{name}.png" for name in FIGURES}
        inputs = {kind: made[kind][dataset] for kind in ("scores", "examples", "losses")}
        inputs |= {"rows": made_up.entries(rows), "tables": outputs}
        draw_figures(drawn[dataset], dataset=dataset, smooth="smooth", **inputs)
    tables = {name: outputs[name] for name in ("ranks", "wilcoxon", "noise")}
    study_figures({name: folder / f"{name}.png" for name in ("ranks", "noise")}, rows=made_up.entries(rows), **tables)
    real = made_up.real_tables(folder, folder / "ranks.png")
    closer = dict.fromkeys(FOLLOWED, 1.0) | {"id": "model_a/test/cdm/7", "class": "cdm", "log_bayes": 31.4}
    pd.DataFrame([closer | {"calls": 12345, "scan_log_odds": np.nan}]).to_csv(folder / "closer.csv")
    plain = parse_study(config).plain()
    report(
        folder / "report.html",
        tables=outputs,
        figures={dataset: paths | {"preview": paths["gallery"]} for dataset, paths in drawn.items()},
        ranks=folder / "ranks.png",
        noise=folder / "noise.png",
        real=real,
        real_pictures={"model_a": folder / "lenses"},
        followed=[(folder / "closer.csv", folder / "ranks.png")],
        captions={path.stem: path for path in (ROOT / "workflow/report/figures").iterdir()},
        study=plain,
        rows=made_up.entries(rows),
        descriptions=made_up.descriptions(rows),
        classes={"cdm": "Subhalos"},
        made={"commits": ["abc123"], "versions": ["numpy 1.2.3"], "machines": ["a machine"]},
        devices=["a processor"],
    )
    return (folder / "report.html").read_text(), drawn, outputs


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    return everything(tmp_path_factory.mktemp("whole"), config, **CUTS["whole"])


def test_the_report_says_what_the_tables_say(whole):
    page, _, outputs = whole
    summary = pd.read_csv(outputs["summary"])
    best = summary.query("dataset == 'model_a' and detector == 'good' and contaminant == 'none' and anomaly == 'all'")
    assert f"On model_a the best is <b>good</b> with an AUC of {best['auc'].item():.3f}" in page
    assert page.count("<img") == 2 * 12 + 4
    assert "<td>98.5 (1 in 50), doubtful</td>" in page
    assert re.search(r"<td>double_ring</td>\s*<td>1</td>\s*<td>2</td>\s*<td>0\.500</td>\s*<td>0\.500</td>", page)
    assert "<li>lost &lt;b&gt; on model_a: there is no file x.fits</li>" in page
    assert re.search(r"<td>0\.900 \(0\.800 to 0\.950\)</td>\s*<td>−0\.010 \(−0\.020 to \+0\.001\)</td>", page)
    assert "other: too small." in page
    assert re.search(r"<td>model_a/test/cdm/7</td>\s*<td>cdm</td>\s*<td>31\.4 ± 1\.0</td>\s*<td>–</td>", page)
    assert "<td>12,345</td>" in page
    assert "http" not in re.sub(r"data:image/png;base64,[\w+/=]+", "", page)
    for words in (
        "Commit abc123. numpy 1.2.3.",
        "Run on a machine.",
        "Master seed 2020, trainings with 1, 2.",
        "Trained on a processor.",
        "mass_fraction",
        "uniform 0.4, 0.6",
        "A row that was made up.",
        "Student’s t over 2 seeds",
    ):
        assert words in page, words
    assert "The Einstein mass is the same in all of them." in page


def test_the_report_names_the_oddest_images_of_the_best(whole):
    page, _, outputs = whole
    odd = pd.read_csv(outputs["most_anomalous"]).query("dataset == 'model_a' and detector == 'good'")
    shown, more = odd["id"].iloc[:SHOWN], odd["id"].iloc[SHOWN:]
    assert "<h3>model_a, good</h3>" in page
    assert all(f"<td>{name}</td>" in page for name in shown)
    assert not any(f"<td>{name}</td>" in page for name in more)
    assert f"<td>1 in {1 / odd['false_alarm_probability'].iloc[0]:,.0f}</td>" in page


def test_the_report_names_what_diverged(whole):
    page, *_ = whole
    assert "<li>dcae on model_a, trained on cdm 20%, seed 1</li>" in page
    assert page.count("<li>") == 2 * 3 + 1


def test_data_sets_of_one_published_stand_side_by_side_with_what_differs(whole, config):
    _, _, outputs = whole
    like = {"preset": "model_a", "reproduces": "model_a", "images": config["datasets"]["model_a"]["images"]}
    changed = {"lens": {"mass_msun": 5.94e11, "conserve_mass": False}, "camera": {"noise": "none"}}
    study = parse_study(config | {"datasets": {"model_a": like, "other": like | changed}}).plain()
    lines = pd.read_csv(outputs["published"]).query("dataset == 'model_a'").dropna(subset="auc")
    (found,) = reproductions(pd.concat([lines, lines.assign(dataset="other", auc=0.123)]), study)
    assert (found["name"], found["first"]) == ("model_a", "model_a")
    assert found["differences"] == {
        "other": [
            "lens.mass_msun: 1e+12 → 5.94e+11",
            "lens.conserve_mass: True → False",
            "camera.noise: poisson → none",
        ]
    }
    assert found["table"].count("0.123") == len(lines) > 5
    assert not reproductions(lines, study)


@pytest.mark.parametrize("cut", [name for name in CUTS if name != "whole"])
def test_any_part_of_a_study_has_tables_figures_and_report(cut, tmp_path, config):
    page, drawn, _ = everything(tmp_path, config, **CUTS[cut])
    assert page.rstrip().endswith("</html>")
    assert "nan" not in re.sub(r"data:image/png;base64,[\w+/=]+|<pre>.*?</pre>", "", page, flags=re.DOTALL)
    assert all(path.read_bytes().startswith(b"\x89PNG") for paths in drawn.values() for path in paths.values())


def test_figures_are_equal_when_drawn_again(tmp_path, config):
    first, second = (
        everything(tmp_path / name, config, datasets=("model_a",), seeds=(1,))[1]["model_a"] for name in "ab"
    )
    assert {k: Path(p).read_bytes() for k, p in first.items()} == {k: Path(p).read_bytes() for k, p in second.items()}


def test_the_loss_figure_has_a_line_for_every_training_set_and_seed(tmp_path):
    made = made_up.study(tmp_path, datasets=("model_a",))
    axes = [axis for axis in loss_curves(made["losses"]["model_a"], "training").axes if axis.lines]
    assert [axis.get_title() for axis in axes] == ["good", "dcae", "dcae_published", "good_mse", "tried_01", "tried_02"]
    assert [len(axis.lines) for axis in axes] == [6, 6, 6, 2, 6, 6]


def test_every_row_has_a_look_and_detectors_differ():
    rows = {f"{name}{tail}": {"role": "detector"} for name in "abcdefg" for tail in ("", "_published", "_trim")}
    rows |= {"pca": {"role": "control"}, "top": {"role": "upper_bound"}, "knn": {"role": "reference"}}
    look = style.line_styles(rows)
    assert set(look) == set(rows)
    for members in style.families(name for name, row in rows.items() if row["role"] == "detector").values():
        assert len({(look[row]["color"], look[row]["ls"]) for row in members}) == len(members)


def test_the_best_of_each_family_leads(whole):
    summary = pd.read_csv(whole[2]["summary"])
    assert best_of_families(summary, made_up.entries()) == ["good", "dcae"]


def test_ranks_that_nothing_tells_apart_are_joined(whole):
    ranks = pd.DataFrame({"detector": list("abc"), "role": "detector", "tasks": 9, "mean_rank": [1.5, 1.6, 2.9]})
    wilcoxon = pd.DataFrame({"a": list("aab"), "b": list("bcc"), "p_holm": [0.5, 0.01, 0.01]})
    lines = [line for line in critical_differences(ranks, wilcoxon).axes[0].lines if line.get_linewidth() == 2.5]
    assert [sorted(line.get_xdata()) for line in lines] == [[1.5, 1.6]]


def test_noise_has_a_panel_for_each_anomaly_and_a_line_for_each_row(whole):
    noise = pd.read_csv(whole[2]["noise"])
    figure = noise_curves(noise, made_up.entries())
    assert [axis.get_title() for axis in figure.axes] == ["cdm", "vortex", "all"]
    lines = {c.get_label(): c.lines[0] for c in figure.axes[2].containers}
    assert set(lines) == {"good", "dcae", "dcae_published", "random", "supervised"} - {"random"}  # it diverged
    row = noise.query("detector == 'supervised' and anomaly == 'all'").sort_values("peak_signal_to_noise")
    np.testing.assert_allclose(lines["supervised"].get_xydata(), row[["peak_signal_to_noise", "auc"]])
    (words,) = noise_curves(noise[:0], made_up.entries()).texts
    assert words.get_text() == "No two data sets of this study differ in their exposure alone."


def test_a_control_that_sees_is_reported():
    row = {"dataset": "a", "role": "control", "detector": "flux", "anomaly": "all", "auc": 0.7}
    assert not controls(pd.DataFrame([row]))[0]["blind"]
    assert controls(pd.DataFrame([row | {"auc": 0.49}]))[0]["blind"]
    assert controls(pd.DataFrame([row | {"role": "detector"}])) == []


def test_a_remedy_is_the_same_row_with_another_way_of_training():
    plain = {"detector": "aae", "settings": {"latent": 8}, "training": {"epochs": 9, "robust": "none"}}
    trim = plain | {"training": {"epochs": 9, "robust": "trim", "assumed_contamination": 0.2}}
    other = trim | {"settings": {"latent": 4}}
    assert remedies({"detectors": {"aae": plain, "aae_trim": trim, "other": other}}) == {"aae_trim": "aae"}


def test_contamination_has_a_panel_for_each_family_that_sees_and_each_contaminant(whole):
    auc, summary = (pd.read_csv(whole[2][name]).query("dataset == 'model_a'") for name in ("auc", "summary"))
    figure = contamination_curves(auc, summary, made_up.entries(), "made up")
    assert len(figure.axes) == 2 * 2  # dcae and dcae_published, the others; cdm and mixed
    shown = {text.get_text().split()[-1] for axis in figure.axes[:2] for text in axis.get_legend().get_texts()}
    assert shown == {"good", "dcae", "dcae_published"}  # not the control
    row = summary.query("detector == 'good' and contaminant == 'mixed' and anomaly == 'all'")
    bars = next(b for b in figure.axes[3].containers if b.get_label().endswith(" good"))
    np.testing.assert_allclose(bars.lines[0].get_ydata(), [0, row["change"].item()])
    (_, (low, high)) = bars.lines[2][0].get_segments()
    np.testing.assert_allclose((low[1], high[1]), (row["change_low"].item(), row["change_high"].item()))
    seeds = auc.query("detector == 'good' and anomaly == 'all'").set_index(["contaminant", "seed"])["auc"]
    dots = next(line for line in figure.axes[3].lines if line.get_linestyle() == "None" and line.get_marker() == ".")
    np.testing.assert_allclose(dots.get_ydata(), (seeds["mixed"] - seeds["none"]).to_numpy())


def test_lenses_of_a_population_are_drawn_up_to_those_of_a_survey(whole):
    population = pd.read_csv(whole[2]["population"]).query("dataset == 'model_a'").reset_index(drop=True)
    first = population.query("detector == 'good' and anomaly == 'cdm'").index
    population.loc[first[:2], ["lenses", "lenses_high"]] = [[30.0, np.inf], [np.inf, np.inf]]
    figure = population_curves(population, ["good"], made_up.entries(), "made up")
    assert [axis.get_title() for axis in figure.axes] == ["cdm", "vortex"]
    shown = {bars.get_label(): bars for bars in figure.axes[0].containers}
    assert set(shown) == {"good", "supervised"}
    np.testing.assert_allclose(
        shown["good"].lines[0].get_ydata(orig=False), [30, np.nan, *population["lenses"][first[2:]]]
    )
    (_, (_, end)), *_ = shown["good"].lines[2][0].get_segments()
    assert end > figure.axes[0].get_ylim()[1] == 1e5


def test_the_report_says_how_many_lenses_the_best_row_needs(whole):
    page, _, outputs = whole
    ours = pd.read_csv(outputs["population"]).query("dataset == 'model_a' and detector == 'good' and anomaly == 'cdm'")
    least = ours.iloc[0]
    said = [many(least[name]) for name in ("lenses", "lenses_low", "lenses_high")]
    part = f"{100 * least['median']:.2g} % of the mass in cdm"
    assert f"On model_a, good needs {said[0]} ({said[1]} to {said[2]}) lenses with {part}, " in page
    assert [many(x) for x in (1, 2.34, 12.6, 23456, np.inf)] == ["1", "2.3", "13", "23,456", "more than 100,000"]


def test_a_population_that_nobody_tells_apart_is_said_to_be_one(whole, tmp_path):
    population = pd.read_csv(whole[2]["population"]).assign(lenses=np.nan, lenses_low=np.nan, lenses_high=np.nan)
    figure = population_curves(population, ["good"], made_up.entries(), "made up")
    figure.savefig(tmp_path / "figure.png")
    assert "tells populations apart" in figure.texts[0].get_text()


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((1, 1, 1), "1 lens"),
        ((1.2, 1.1, 1.3), "1.2 (1.1 to 1.3) lenses"),
        ((40, 30, 2e5), "40 (30 to more than 100,000) lenses"),
    ],
)
def test_numbers_of_lenses_are_said_as_people_say_them(numbers, words):
    assert lenses_words(*numbers) == words
