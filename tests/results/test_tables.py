"""Result tables of made-up scores, so that every number is known."""

from itertools import product
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import stats

import made_up
from oddlens.config.dataset import Dataset
from oddlens.files.artefacts import DamagedFile, read_table, write_table
from oddlens.results.tables import columns, population, score_files
from oddlens.results.tables.auc import auc_table
from oddlens.results.tables.bins import bins_table
from oddlens.results.tables.contamination import break_point
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.false_alarm_probabilities import (
    N_MOST_ANOMALOUS,
    false_alarm_probabilities,
    false_alarm_probabilities_table,
)
from oddlens.results.tables.false_alarms import false_alarms_table
from oddlens.results.tables.noise import median_signal, noise_table
from oddlens.results.tables.published import PUBLISHED, published_table
from oddlens.results.tables.ranks import ranks_table, wilcoxon_table
from oddlens.results.tables.result_files import write_result
from oddlens.results.tables.score_files import model_columns
from oddlens.statistics import metrics
from oddlens.statistics.false_alarm import false_alarm

DIVERGED = {"dcae": ["cdm-0.2/1"], "dcae_published": ["cdm-0.2/1", "cdm-0.2/2", "cdm-0.2/3"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return made_up.study(tmp_path_factory.mktemp("tables"), seeds=(1, 2, 3), diverged=DIVERGED)


@pytest.fixture(scope="module")
def read(made, tmp_path_factory):
    outputs = made_up.aggregated(tmp_path_factory.mktemp("made"), made)
    return {name: pd.read_csv(path) for name, path in outputs.items()}


@pytest.fixture(scope="module")
def scored(made):
    return DatasetScores.read(made["scores"]["model_b"].values(), "smooth")


def column(scored, row, training_set, seed):
    contaminant, fraction = training_set.split("-")
    names = scored.models
    at = (
        (names["detector"] == row) & (names["contaminant"] == contaminant) & (names["contamination"] == float(fraction))
    )
    return scored.values[np.flatnonzero(at & (names["seed"] == seed))[0]]


def areas(scored, anomaly, *columns):
    """The areas of some columns by the function of the metrics alone."""
    values, lens = np.stack(columns), scored.images["index"].to_numpy()
    normal, anomalous = scored.positions("smooth"), scored.positions(anomaly)
    return metrics.areas(values[:, normal], values[:, anomalous], lens[normal], lens[anomalous])


# --- auc, summary, comparison ----------------------------------------------------------------------------------------


def test_each_line_is_the_auc_of_its_scores(read, scored):
    auc = read["auc"]
    ordinary = 2 * len(made_up.TRAINING_SETS) * 6 + 2 * 2  # rows with all training sets, and those with one
    assert len(auc) == ordinary * 3 * 3
    found = auc.query(
        "dataset == 'model_b' and detector == 'dcae' and contaminant == 'mixed' and contamination == 0.05 "
        "and seed == 2 and anomaly == 'all'"
    ).iloc[0]
    expected = areas(scored, "all", column(scored, "dcae", "mixed-0.05", 2))
    low, high = metrics.interval(expected.auc, expected.variance)
    assert (found["auc"], found["auc_low"], found["auc_high"]) == pytest.approx(
        (expected.auc[0], low[0], high[0]), abs=1e-6
    )
    assert (found["n_normal"], found["n_anomalous"], found["status"]) == (80, 160, "ok")


def test_models_that_diverged_have_a_line_and_no_figures(read):
    lost = read["auc"][read["auc"]["status"] == "diverged"]
    assert len(lost) == 2 * 3 * (1 + 3)
    assert lost[["auc", "auc_low", "average_precision"]].isna().all().all()
    assert read["auc"].query("status == 'ok'")["auc"].notna().all()
    counts = read["summary"].query("detector == 'dcae' and contaminant == 'cdm'")
    assert set(zip(counts["seeds"], counts["diverged"], strict=True)) == {(2, 1)}
    none = read["summary"].query("detector == 'dcae_published' and contaminant == 'cdm'")
    assert (none["seeds"] == 0).all()
    assert none["auc"].isna().all()


def test_the_summary_has_both_kinds_of_interval(read, scored):
    summary, auc = read["summary"], read["auc"]
    here = "dataset == 'model_b' and detector == 'good' and contaminant == 'mixed' and anomaly == 'cdm'"
    found, seeds = summary.query(here).iloc[0], auc.query(here)["auc"]
    assert found["auc"] == pytest.approx(seeds.mean(), abs=1e-6)
    spread = stats.ttest_1samp(seeds, 0).confidence_interval()
    assert (found["seed_low"], found["seed_high"]) == pytest.approx((spread.low, spread.high), abs=1e-5)
    mean = areas(scored, "cdm", *(column(scored, "good", "mixed-0.05", s) for s in (1, 2, 3))).combined(
        np.full((1, 3), 1 / 3)
    )
    assert found["auc_low"] == pytest.approx(metrics.interval(mean.auc, mean.variance)[0][0], abs=1e-6)
    clean = summary.query(here.replace("mixed", "none")).iloc[0]
    assert found["change"] == pytest.approx(found["auc"] - clean["auc"], abs=2e-6)
    assert found["change_low"] < found["change"] < found["change_high"]
    assert np.isnan(clean["change"])


def test_the_comparison_has_the_best_first_and_a_column_for_every_training_set(read):
    wide = read["comparison"]
    assert list(wide["detector"])[:3] == ["supervised", "good", "good_mse"]
    assert list(wide["detector"])[-1] == "random"
    columns = [
        f"{d} | {t} | {a}"
        for d, t, a in product(
            ("model_a", "model_b"), ("clean", "cdm 20%", "mixed 5%", "labelled"), ("cdm", "vortex", "all")
        )
    ]
    assert list(wide.columns[1:]) == columns
    wide = wide.set_index("detector")
    assert np.isnan(wide.loc["supervised", "model_a | clean | all"])
    assert wide.loc["supervised", "model_a | labelled | all"] > wide.loc["good", "model_a | clean | all"]


def test_near_fractions_keep_columns_of_their_own(read):
    from oddlens.results.tables.auc import comparison_table

    summary = read["summary"].query("contaminant != 'labelled'")
    near = summary[summary["contaminant"] == "cdm"].assign(contamination=0.025)
    both = pd.concat([summary, near]).assign(training=columns.training_labels)
    assert {"model_a | cdm 20% | all", "model_a | cdm 2.5% | all"} <= set(comparison_table(both).columns)


def test_scores_of_other_images_are_refused(made, tmp_path):
    first = made["scores"]["model_a"]["good"]
    table, about = score_files.read_scores(first)
    write_table(tmp_path / "other.csv", table.iloc[::-1], **about)
    with pytest.raises(DamagedFile, match="not those of the other detectors"):
        DatasetScores.read([first, tmp_path / "other.csv"], "smooth")
    with pytest.raises(DamagedFile, match=r"'scores'.*'pixels'"):
        score_files.read_pixel_aucs(first)


def test_models_are_the_columns_that_name_no_image(made):
    table, _ = score_files.read_scores(made["scores"]["model_a"]["good"])
    assert score_files.model_columns(table) == [
        f"{training_set}/{seed}" for training_set in made_up.TRAINING_SETS for seed in (1, 2, 3)
    ]


# --- pairs, ablations, ranks -----------------------------------------------------------------------------------------


def test_pairs_are_paired_on_the_same_images_and_seeds(read, scored):
    found = read["pairs"].query("dataset == 'model_b' and training == 'clean' and anomaly == 'vortex' and b == 'dcae'")
    found = found.query("a == 'good'").iloc[0]
    columns = [column(scored, row, "none-0", s) for row in ("good", "dcae") for s in (1, 2, 3)]
    both = areas(scored, "vortex", *columns)
    less = both.combined(np.repeat([[1 / 3, -1 / 3]], 3, axis=1))
    low, high, p = metrics.difference(less.auc, less.variance)
    assert (found["difference"], found["low"], found["high"]) == pytest.approx((less.auc[0], low[0], high[0]), abs=2e-6)
    assert found["p"] == pytest.approx(p[0], abs=1e-8)
    by_seed = stats.ttest_rel(both.auc[:3], both.auc[3:])
    assert found["seed_p"] == pytest.approx(by_seed.pvalue, rel=1e-4)
    assert found["seeds"] == 3


def test_a_family_of_pairs_is_one_training_set_and_anomaly(read):
    pairs = read["pairs"]
    assert set(pairs["training"]) == {"clean", "cdm 20%", "mixed 5%"}
    clean = pairs.query("dataset == 'model_a' and training == 'clean' and anomaly == 'all'")
    assert len(clean) == 5 * 4 / 2  # an upper bound counts among the clean rows, ablations do not
    assert (clean["difference"] >= 0).all()
    assert clean["p_holm"].min() == pytest.approx(min(1, 10 * clean["p"].min()), rel=1e-4, abs=1e-8)
    assert (clean["p_holm"] >= clean["p"]).all()
    cdm = pairs.query("dataset == 'model_a' and training == 'cdm 20%' and anomaly == 'all'")
    assert set(cdm["a"]) | set(cdm["b"]) == {"good", "dcae", "random"}  # dcae_published diverged with every seed
    assert set(cdm.query("a == 'good' and b == 'dcae'")["seeds"]) == {2}


def test_candidates_are_chosen_by_pseudo_anomalies_and_evaluated_on_test_images(read):
    found = read["selection"]
    assert set(found["detector"]) == set(made_up.ROWS)
    assert not found.loc[found["sweep"].isna(), ["chosen", "best"]].to_numpy().any()
    tried = found[found["sweep"] == "tried"]
    for mark, by in (("chosen", "pseudo_anomaly_auc"), ("best", "auc")):
        marked = tried[tried[mark]]
        most = tried.groupby(["dataset", "contaminant", "contamination"])[by].max()
        assert marked[by].tolist() == most.reindex(list(marked[most.index.names].itertuples(index=False))).tolist()
        assert len(marked) == len(most) == 6
    auc = (
        read["summary"]
        .query("anomaly == 'all'")
        .set_index(["dataset", "contaminant", "contamination", "detector"])["auc"]
    )
    assert found.set_index(list(auc.index.names))["auc"].equals(
        auc.reindex(found.set_index(list(auc.index.names)).index)
    )
    assert (found["pseudo_anomaly_auc_low"] <= found["pseudo_anomaly_auc"]).all()


def test_the_gain_is_that_of_the_base_over_the_ablation(read):
    found, auc = read["ablations"], read["summary"]
    assert len(found) == 2 * 3
    line = found.query("dataset == 'model_a' and anomaly == 'all'").iloc[0]
    aucs = auc.query("dataset == 'model_a' and anomaly == 'all' and contaminant == 'none'").set_index("detector")["auc"]
    assert (line["base"], line["ablation"]) == ("good", "good_mse")
    assert line["gain"] == pytest.approx(aucs["good"] - aucs["good_mse"], abs=2e-6)
    assert line["low"] < line["gain"] < line["high"]


def test_ranks_by_hand():
    tasks = [("a", "clean", x) for x in ("cdm", "vortex")] + [("a", "cdm 20%", x) for x in ("cdm", "vortex")]
    auc = {"first": [0.9, 0.8, 0.7, 0.9], "second": [0.8, 0.7, 0.8, 0.6], "third": [0.5, 0.5, 0.5, 0.5]}
    rows = [
        {"dataset": d, "training": t, "anomaly": x, "detector": row, "role": "detector", "contaminant": "any", "auc": v}
        for row, values in auc.items()
        for (d, t, x), v in zip(tasks, values, strict=True)
    ]
    lines = pd.DataFrame(rows)
    lacking = lines[lines["detector"] == "third"].iloc[:3].assign(detector="lacking")
    upper_bound = lines[lines["detector"] == "first"].assign(detector="top", role="upper_bound")
    lines = pd.concat([lines, lacking, upper_bound, lines.assign(anomaly="all")])
    ranks = ranks_table(lines).set_index("detector")
    assert list(ranks.index) == ["first", "second", "third", "lacking"]
    assert list(ranks["mean_rank"][:3]) == [1.25, 1.75, 3.0]
    assert np.isnan(ranks.loc["lacking", "mean_rank"])
    assert ranks.loc["lacking", "tasks"] == 3
    # Demsar 2006, section 3.2.2: 12 N / (k (k + 1)) (sum R^2 - k (k + 1)^2 / 4)
    assert ranks["friedman_chi2"].iloc[0] == pytest.approx(12 * 4 / 12 * (1.25**2 + 1.75**2 + 9 - 12))
    pairs = wilcoxon_table(lines).set_index(["a", "b"])
    assert pairs.loc[("first", "third"), "p"] == pytest.approx(2 / 2**4)
    assert pairs.loc[("first", "third"), "p_holm"] == pytest.approx(3 * 2 / 2**4)
    assert pairs.loc[("first", "second"), "mean_difference"] == pytest.approx(0.1)


# --- contamination, alarms, bins, pixels, published ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auc", "point", "words"),
    [
        ([0.9, 0.88, 0.80], 0.125, "12.5 %"),  # 0.86 lies a quarter of the way from 0.88 to 0.80
        ([0.9, 0.85, 0.89], 0.08, "8.0 %"),  # the first crossing counts
        ([0.9, 0.89, 0.87], np.nan, "none up to 20 %"),
    ],
)
def test_the_break_point_is_where_a_tenth_of_the_excess_is_lost(auc, point, words):
    found = break_point(np.array([0, 0.1, 0.2]), np.array(auc))
    assert found[0] == pytest.approx(point, nan_ok=True)
    assert found[1] == words


def test_the_slope_is_that_of_a_straight_line_and_rows_at_chance_level_have_no_break_point(read):
    curve = read["summary"].query("dataset == 'model_a' and detector == 'good' and anomaly == 'all'")
    curve = curve[curve["contaminant"].isin(["none", "mixed"])]
    found = (
        read["contamination"].query("dataset == 'model_a' and anomaly == 'all'").set_index(["detector", "contaminant"])
    )
    line = found.loc[("good", "mixed")]
    assert line["slope_per_10"] == pytest.approx(
        0.1 * stats.linregress(curve["contamination"], curve["auc"]).slope, abs=1e-5
    )
    assert line["slope_low"] < line["slope_per_10"] < line["slope_high"]
    assert 0 < line["break_point"] < 0.05
    assert found.loc[("random", "mixed"), "verdict"] == "blind even when clean"
    assert {"supervised", "good_mse"}.isdisjoint(found.index.get_level_values(0))


def contaminated_scores():
    """Two models of one row: the contaminated one has the same ranks, and scores half as high."""
    lenses, rng = 1000, np.random.default_rng(0)
    images = pd.concat(
        pd.DataFrame({"pool": pool, "class": cls, "index": range(lenses)})
        for pool, cls in (("validation", "smooth"), ("test", "smooth"), ("test", "cdm"))
    ).reset_index(drop=True)
    clean = rng.random(len(images)) + (images["class"] == "cdm") * 0.5
    names = [("none", 0.0, "row", 1, "ok"), ("cdm", 0.1, "row", 1, "ok"), ("cdm", 0.2, "row", 1, "diverged")]
    models = pd.DataFrame(names, columns=[*columns.MODEL, "status"])
    return DatasetScores("a", "smooth", images, models, np.stack([clean, clean / 2, np.full(len(images), np.nan)]))


def test_false_alarms_at_the_own_and_at_a_carried_threshold():
    found = false_alarms_table(contaminated_scores()).set_index(["calibration", "contamination", "anomaly"])
    own = found.loc[("own", 0.0, "cdm")]
    assert 300 < own["false_alarms"] < 2000
    assert own["false_alarms_low"] < own["false_alarms"] < own["false_alarms_high"]
    assert own["tpr"] == pytest.approx(0.5, abs=0.05)
    assert list(found.loc[("own", 0.1, "cdm")][["false_alarms", "tpr"]]) == list(own[["false_alarms", "tpr"]])
    carried = found.loc[("carried", 0.1, "cdm")]
    assert (carried["false_alarms"], carried["tpr"]) == (0, 0)
    assert carried["false_alarms_high"] == pytest.approx(1e5 * (1 - 0.025 ** (1 / 1000)))  # none of 1000
    assert found.loc[("own", 0.2, "cdm"), ["false_alarms", "tpr", "tpr_low"]].isna().all()
    assert ("carried", 0.0, "cdm") not in found.index


def test_false_alarm_probabilities_are_calibrated():
    scored = contaminated_scores()
    found = false_alarm_probabilities_table(scored, false_alarm_probabilities(scored))
    assert list(found["contaminant"]) == ["none"]
    line = found.iloc[0]
    for claim in (20, 100):
        assert line[f"realised_{claim}_low"] < 1 / claim < line[f"realised_{claim}_high"]
    normal, validation = (scored.values[0, scored.positions("smooth", pool)] for pool in ("test", "validation"))
    assert line["ks_p"] == pytest.approx(stats.ks_2samp(normal, validation, method="asymp").pvalue)
    assert line["anomalous_below_1000"] == pytest.approx(0.5, abs=0.05)  # those above 1, where no smooth score is
    assert line["anomalous_median"] < 0.05


def test_the_most_anomalous_images_have_ids_and_medians_over_seeds(read, scored):
    anomalous = read["most_anomalous"]
    rows = anomalous.groupby(["dataset", "detector"])
    assert set(map(tuple, anomalous[["dataset", "detector"]].to_numpy())) == set(
        product(("model_a", "model_b"), made_up.ROWS)
    )
    assert (rows.size() == N_MOST_ANOMALOUS).all()
    assert rows["false_alarm_probability"].apply(lambda probability: probability.is_monotonic_increasing).all()
    first = anomalous.query("dataset == 'model_b' and detector == 'good' and rank == 1").iloc[0]
    assert first["id"] == f"model_b/test/{first['class']}/{first['index']}"
    at = np.flatnonzero((scored.images[["pool", "class", "index"]] == first[["pool", "class", "index"]]).all(axis=1))
    seeds = [column(scored, "good", "none-0", s) for s in (1, 2, 3)]
    validation = scored.positions("smooth", "validation")
    assert first["false_alarm_probability"] == pytest.approx(
        np.median([false_alarm(s[at], s[validation]) for s in seeds]), abs=1e-6
    )


def test_models_that_diverged_have_no_probabilities(read):
    scored = contaminated_scores()
    lost = DatasetScores("a", "smooth", scored.images, scored.models.assign(status="diverged"), scored.values)
    line = false_alarm_probabilities_table(lost, false_alarm_probabilities(lost)).iloc[0]
    assert line[["ks", "realised_20", "anomalous_median"]].isna().all()
    assert not read["false_alarm_probabilities"].duplicated(["dataset", *columns.MODEL]).any()


def test_bins_of_the_lens_pair_twins_and_bins_of_the_substructure_do_not(made, scored):
    truth = score_files.read_truth(made["truths"]["model_b"])
    found = bins_table(scored, truth)
    mine = found.query("detector == 'good' and anomaly == 'cdm'").set_index(["truth", "bin"])
    assert (mine["n_anomalous"] == 20).all()
    assert mine.loc[("substructure_mass_msun", 1), "n_normal"] == 80
    assert mine.loc[("peak_signal_to_noise", 1), "n_normal"] == 20
    assert mine.loc[("substructure_mass_msun", 4), "auc"] > mine.loc[("substructure_mass_msun", 1), "auc"]
    unbinned = {"vortex_length_arcsec", "heaviest_y_arcsec", "heaviest_x_arcsec", "area_per_msun"}
    unbinned |= {"substructure_fraction"}  # used by the table of populations
    unbinned |= {"psf_fwhm_arcsec", "psf_fwhm_pixels"}  # used by that of localisation
    assert set(found.query("anomaly == 'cdm'")["truth"]) == set(truth.columns[3:]) - unbinned
    assert set(found["detector"]) == set(made_up.ROWS)  # upper bounds and ablations after their own training
    # the twins' bin is of the smooth image's truth, whatever the anomalous image's
    other = truth.assign(peak_signal_to_noise=truth["peak_signal_to_noise"].where(truth["class"] == "smooth", 1.0))
    pd.testing.assert_frame_equal(bins_table(scored, other), found)


def test_noise_is_that_of_the_median_smooth_lens(made, read):
    noise, summary = read["noise"], read["summary"]
    assert set(noise["exposure_series"]) == {"model_a"}
    for dataset, found in noise.groupby("dataset"):
        truth = score_files.read_truth(made["truths"][dataset]).query("pool == 'test' and `class` == 'smooth'")
        assert found["peak_signal_to_noise"].unique() == pytest.approx(truth["peak_signal_to_noise"].median(), rel=1e-5)
    home = summary[summary["contaminant"].isin(columns.UNCONTAMINATED)].reset_index(drop=True)
    pd.testing.assert_frame_equal(noise[["dataset", "detector", "auc"]], home[["dataset", "detector", "auc"]])
    assert noise_table(summary, {}, {}).empty
    with_anomalous = pd.DataFrame({"pool": ["test", "test", "validation"], "class": ["smooth", "cdm", "smooth"]})
    assert median_signal(with_anomalous.assign(peak_signal_to_noise=[40.0, 90.0, 70.0]), "smooth") == 40


def test_a_truth_that_is_the_same_as_another_has_no_bins_of_its_own(made, scored):
    truth = score_files.read_truth(made["truths"]["model_b"])
    truth["heaviest_mass_msun"] = truth["substructure_mass_msun"]
    assert "heaviest_mass_msun" not in set(bins_table(scored, truth)["truth"])


def shifted(random, *, shift, of_lens, validation=600, test=150, seeds=2):
    """Scores of validation images, anomalous images and their twins: normal, with a part `of_lens` of the variance."""
    lens, anomalous = random.normal(size=(1, validation + test)), random.normal(size=(seeds, test))
    smooth = np.sqrt(of_lens) * lens + np.sqrt(1 - of_lens) * random.normal(size=(seeds, validation + test))
    anomalous = shift + np.sqrt(of_lens) * lens[:, validation:] + np.sqrt(1 - of_lens) * anomalous
    return smooth[:, :validation], anomalous, smooth[:, validation:]


@pytest.mark.parametrize("of_lens", [0, 0.95])
@pytest.mark.parametrize("true", [0, 0.5])
def test_the_interval_of_a_shift_holds_it_as_often_as_it_says(true, of_lens):
    random = np.random.default_rng(1)
    found = np.array([population.shift(*shifted(random, shift=true, of_lens=of_lens)) for _ in range(400)])
    low, high, _ = metrics.difference(*found.T)
    assert np.mean((low < true) & (true < high)) == pytest.approx(0.95, abs=0.03)


def test_units_of_scores_do_not_matter_and_twins_reduce_the_variance():
    parts = shifted(np.random.default_rng(2), shift=0.3, of_lens=0.95)
    assert population.shift(*parts) == pytest.approx(population.shift(*(np.exp(part) for part in parts)))
    validation, anomalous, twins = parts
    others = twins[:, ::-1]
    assert population.shift(*parts)[1] < 0.3 * population.shift(validation, anomalous, others)[1]


def test_lenses_by_hand():
    assert list(population.lenses(np.array([3, 1, 0.3, 4, 0, -0.2]))) == pytest.approx([1, 9, 100, 1, np.inf, np.inf])
    best = population.shift(np.arange(98.0)[None], np.full((1, 5), 99.0), np.arange(5.0)[None])
    assert best == pytest.approx((stats.norm.ppf(0.99), 0))  # limited by the number of validation images


def populated(shift):
    """A model whose anomalous images are shifted in proportion to their mass fraction, and one at chance level."""
    counts = {("validation", "smooth"): 2000, ("test", "smooth"): 2000, ("test", "cdm"): 2000}
    parts = [pd.DataFrame({"pool": p, "class": c, "index": range(n)}) for (p, c), n in counts.items()]
    images = pd.concat(parts, ignore_index=True)
    percent = np.repeat([1, 2, 3, 4], 500)
    parts = shifted(np.random.default_rng(3), shift=shift * percent, of_lens=0.5, validation=2000, test=2000, seeds=1)
    good, poor = (np.concatenate([parts[0][0], parts[2][0], anomalous[0]]) for anomalous in (parts[1], parts[2] - 0.01))
    names = [("none", 0.0, "good", 1, "ok"), ("none", 0.0, "poor", 1, "ok"), ("cdm", 0.1, "good", 1, "ok")]
    models = pd.DataFrame(names, columns=[*columns.MODEL, "status"])
    truth = images.assign(substructure_fraction=np.r_[np.zeros(4000), percent / 100])
    return DatasetScores("a", "smooth", images, models, np.stack([good, poor, good])), truth


def test_lenses_for_a_detection_are_those_of_a_known_shift():
    found = population.population_table(*populated(0.4)).set_index(["detector", "bin"])
    for bin, row in found.loc["good"].iterrows():
        assert (row["median"], row["n_anomalous"], row["n_validation"]) == (bin / 100, 500, 2000)
        assert row["lenses_low"] < (3 / (0.4 * bin)) ** 2 < row["lenses_high"]
    assert found.loc[("good", 4), "saturated_fraction"] > 0.02
    assert np.isinf(found.loc["poor", ["lenses", "lenses_high"]].to_numpy()).all()
    assert found.index.is_unique  # models of contaminated training are left out


def test_a_fraction_that_does_not_vary_is_one_bin():
    scored, truth = populated(0.4)
    truth["substructure_fraction"] = 0.05
    found = population.population_table(scored, truth)
    assert list(found["bin"]) == [1, 1]
    assert (found["n_anomalous"] == 2000).all()


def test_pixel_aucs_have_the_names_of_their_models(read):
    maps = read["anomaly_maps"]
    assert set(maps["detector"]) == {"good", "dcae", "dcae_published", "good_mse", "tried_01", "tried_02"}
    assert set(maps["anomaly"]) == {"cdm", "vortex"}
    assert set(zip(maps["contaminant"], maps["contamination"], strict=True)) == {
        ("none", 0),
        ("cdm", 0.2),
        ("mixed", 0.05),
    }
    assert not maps.duplicated(["dataset", *columns.MODEL, "anomaly"]).any()


def test_findings_are_compared_with_the_truth(read, made):
    findings = read["findings"]
    assert set(findings["detector"]) == {"good"}
    assert not findings.duplicated(["dataset", *columns.MODEL, "pool", "class"]).any()
    line = findings.query("dataset == 'model_a' and seed == 1 and contaminant == 'none' and pool == 'test'")
    line = line.set_index("class").loc["cdm"]
    known = score_files.read_truth(made["truths"]["model_a"]).query("pool == 'test' and `class` == 'cdm'")
    sure = (known.index % 5 > 1) & (known.index % 3 > 0)
    assert (line["images"], line["detections"]) == (len(known), sure.sum())
    assert (line["doubtful"], line["at_bounds"]) == ((known.index % 3 == 0).sum(), (known.index % 7 == 1).sum())
    assert line["offset_arcsec"] == pytest.approx(0.4)
    assert (line["auc_odds"], line["auc_chi_square"]) == (1.0, 0.5)
    assert 0 < line["auc_significance"] < 1
    assert np.isnan(line["auc_evidence"])
    assert line["min_detectable_msun"] == pytest.approx(0.004 / 2e-12)
    ratio = (0.02 / 2e-12 / known["heaviest_mass_msun"])[sure]
    assert line["mass_ratio"] == pytest.approx(ratio.median(), rel=1e-4)
    assert findings.query("`class` == 'smooth'")["offset_arcsec"].isna().all()


def test_convergence_counts_are_listed(read):
    counts = read["fit_convergence"]
    assert list(counts.columns[:4]) == ["dataset", "detector", "initial_parameters", "class"]
    assert len(counts) == 6
    assert (counts["images"] - counts["reached"] == 5).all()


def test_flagged_images_are_counted(read):
    from oddlens.results.tables.findings import flagged_counts

    counted = flagged_counts(read["findings"])
    assert [(c["dataset"], c["detector"]) for c in counted] == [("model_a", "good"), ("model_b", "good")]
    assert counted[0]["doubtful"] == pytest.approx(counted[0]["images"] / 3, rel=0.02)
    assert counted[0]["at_bounds"] == pytest.approx(counted[0]["images"] / 7, rel=0.05)
    assert flagged_counts(read["findings"].assign(doubtful=0.0, at_bounds=np.nan)) == []


def test_published_values_are_compared_with_both_of_our_rows(read):
    table = read["published"].set_index(["dataset", "published", "anomaly", "detector"])
    for row in ("dcae", "dcae_published"):
        line = table.loc[("model_a", "dcae", "all", row)]
        assert (line["published_auc"], line["published_tpr_01"]) == (0.73034, 0.062)
        assert line["difference"] == pytest.approx(line["auc"] - 0.73034, abs=1e-5)
    assert table.loc[("model_a", "supervised", "all", "supervised"), "training"] == "labelled"
    without = read["published"].query("published == 'aae'")
    assert without["detector"].isna().all()
    assert len(without) == 6
    assert table["source"].notna().all()


def test_published_values_need_no_row_of_ours(read):
    none = published_table(read["summary"].query("detector == 'random'"), {"model_a": "model_a"})
    assert none["detector"].isna().all()


def test_several_data_sets_are_compared_with_one_published(read):
    summary = read["summary"].query("dataset == 'model_a'")
    other = summary.assign(dataset="without_noise", auc=0.75)
    both = published_table(pd.concat([summary, other]), dict.fromkeys(("model_a", "without_noise", "mine"), "model_a"))
    lines = both.query("detector == 'dcae' and anomaly == 'all'").set_index("dataset")
    assert list(lines["published_auc"]) == [0.73034, 0.73034]
    assert lines.loc["without_noise", "auc"] == 0.75
    assert published_table(other, {"without_noise": "without_noise"}).empty


def test_published_data_sets_are_those_that_a_config_may_name():
    named = Dataset.model_fields["reproduces"].annotation
    assert {name for part in get_args(named) for name in get_args(part)} == set(
        pd.read_csv(PUBLISHED, comment="#")["dataset"]
    )


def test_unknown_values_are_empty_and_rounding_errors_are_not_written(tmp_path):
    write_result(tmp_path / "t.csv", pd.DataFrame({"a": [-3e-17, 0.1234567, np.nan], "b": ["x", "y", "z"]}))
    assert (tmp_path / "t.csv").read_text() == "a,b\n0,x\n0.123457,y\n,z\n"


def test_equal_scores_raise_no_false_alarm():
    scored = contaminated_scores()
    found = false_alarms_table(
        DatasetScores("a", "smooth", scored.images, scored.models.iloc[:1], np.ones_like(scored.values[:1]))
    )
    assert (found[["false_alarms", "tpr"]] == 0).all().all()


@pytest.mark.parametrize("text", [str, object])
def test_labels_of_no_rows_are_text_too(text):
    # Where strings are Arrow's, a column of floats or objects cannot be added to one of text, however empty both are.
    rows = pd.DataFrame({"contaminant": pd.Series(dtype=text), "contamination": pd.Series(dtype=float)})
    assert columns.training_labels(rows).dtype == "str"


def test_decoys_are_in_no_auc_and_no_rate(made, tmp_path):
    path = next(iter(made["scores"]["model_b"].values()))
    table, about = read_table(path, "scores")
    decoys = table[(table["pool"] == "test") & (table["class"] == "smooth")].assign(**{"class": "clump"})
    decoys[model_columns(table)] += 100.0
    write_table(tmp_path / "with.csv", pd.concat([table, decoys]), **about, decoys=["clump"])
    plain, with_decoys = (DatasetScores.read([path], "smooth") for path in (path, tmp_path / "with.csv"))
    assert with_decoys.decoys == ("clump",)
    assert with_decoys.anomalies == plain.anomalies
    assert with_decoys.judged == plain.judged
    assert len(with_decoys.positions("clump")) == len(decoys)
    for anomaly in plain.judged:
        assert_frame_equal(auc_table(plain, plain.aucs(anomaly)), auc_table(with_decoys, with_decoys.aucs(anomaly)))
    assert_frame_equal(false_alarms_table(plain), false_alarms_table(with_decoys))
