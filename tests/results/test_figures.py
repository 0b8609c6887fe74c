"""Figures of a study whose scores are made up: panels, curves and marks, and equal files when drawn again."""

import numpy as np
import pandas as pd
import pytest

import made_up
from oddlens.results.figures import style
from oddlens.results.figures.contamination import contamination_curves
from oddlens.results.figures.losses import loss_curves
from oddlens.results.figures.noise import noise_curves
from oddlens.results.figures.population import population_curves
from oddlens.results.figures.ranks import COLOURS, critical_differences
from oddlens.results.tables.auc import ranking
from oddlens.results.tables.ranks import RANKED
from oddlens.stages.figures import best_of_families, draw_figures

DIVERGED = {"dcae": ["cdm-0.2/1"], "random": ["none-0/1", "none-0/2"]}
FIGURES = [
    "roc",
    "contamination",
    "bins",
    "detection",
    "population",
    "ablations",
    "selection",
    "gallery",
    "mass_sensitivity",
]
FIGURES += ["embeddings", "samples", "losses"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    return made_up.aggregated(folder, made_up.study(folder, images=24, diverged=DIVERGED))


@pytest.fixture
def table(tables):
    return lambda name: pd.read_csv(tables[name]).query("dataset == 'model_a'").reset_index(drop=True)


def test_figures_are_equal_when_drawn_again(tmp_path):
    drawn = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        made = made_up.study(folder, images=24, datasets=("model_a",), seeds=(1,))
        inputs = {kind: made[kind]["model_a"] for kind in ("scores", "examples", "losses")}
        inputs |= {"rows": made_up.entries(), "tables": made_up.aggregated(folder, made)}
        outputs = {name: folder / f"{name}.png" for name in FIGURES}
        draw_figures(outputs, dataset="model_a", smooth="smooth", **inputs)
        drawn.append({name: path.read_bytes() for name, path in outputs.items()})
    assert drawn[0] == drawn[1]


def test_the_loss_figure_has_a_line_for_every_training_set_and_seed(tmp_path):
    made = made_up.study(tmp_path, datasets=("model_a",))
    axes = [axis for axis in loss_curves(made["losses"]["model_a"], "training").axes if axis.lines]
    assert [axis.get_title() for axis in axes] == ["good", "dcae", "dcae_published", "good_mse", "tried_01", "tried_02"]
    assert [len(axis.lines) for axis in axes] == [6, 6, 6, 2, 6, 6]


def test_every_row_has_a_line_style_and_detectors_of_a_family_differ():
    rows = {f"{name}{tail}": {"role": "detector"} for name in "abcdefg" for tail in ("", "_published", "_trim")}
    rows |= {"pca": {"role": "control"}, "top": {"role": "upper_bound"}, "knn": {"role": "reference"}}
    styles = style.line_styles(rows)
    assert set(styles) == set(rows)
    for members in style.families(name for name, row in rows.items() if row["role"] == "detector").values():
        assert len({(styles[row]["color"], styles[row]["ls"]) for row in members}) == len(members)


def test_the_best_of_each_family_is_shown(tables):
    assert best_of_families(ranking(pd.read_csv(tables["summary"])), made_up.entries()) == ["good", "dcae"]


def test_every_ranked_role_has_a_colour():
    assert set(RANKED) == set(COLOURS)


def test_ranks_without_a_significant_difference_are_joined():
    ranks = pd.DataFrame({"detector": list("abc"), "role": "detector", "tasks": 9, "mean_rank": [1.5, 1.6, 2.9]})
    wilcoxon = pd.DataFrame({"a": list("aab"), "b": list("bcc"), "p_holm": [0.5, 0.01, 0.01]})
    lines = [line for line in critical_differences(ranks, wilcoxon).axes[0].lines if line.get_linewidth() == 2.5]
    assert [sorted(line.get_xdata()) for line in lines] == [[1.5, 1.6]]


def test_noise_has_a_panel_for_each_anomaly_and_a_curve_for_each_row(tables):
    noise = pd.read_csv(tables["noise"])
    figure = noise_curves(noise, made_up.entries())
    assert [axis.get_title() for axis in figure.axes] == ["cdm", "vortex", "all"]
    curves = {c.get_label(): c.lines[0] for c in figure.axes[2].containers}
    assert set(curves) == {"good", "dcae", "dcae_published", "supervised"}  # the control diverged
    row = noise.query("detector == 'supervised' and anomaly == 'all'").sort_values("peak_signal_to_noise")
    np.testing.assert_allclose(curves["supervised"].get_xydata(), row[["peak_signal_to_noise", "auc"]])
    empty = noise_curves(noise[:0], made_up.entries())
    assert (len(empty.axes), len(empty.texts)) == (0, 1)


def test_contamination_has_a_panel_for_each_family_better_than_chance_and_each_contaminant(table):
    auc, summary = table("auc"), table("summary")
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


def test_lenses_of_a_population_are_drawn_up_to_those_of_a_survey(table):
    population = table("population")
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


def test_a_population_that_no_row_detects_has_a_message(table, tmp_path):
    population = table("population").assign(lenses=np.nan, lenses_low=np.nan, lenses_high=np.nan)
    figure = population_curves(population, ["good"], made_up.entries(), "made up")
    figure.savefig(tmp_path / "figure.png")
    assert not figure.axes
    assert "100,000" in figure.texts[0].get_text()
