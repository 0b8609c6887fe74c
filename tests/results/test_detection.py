"""Detected fractions at fixed false-alarm rates, of decoys, and positions: against counts by hand and known rates."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from oddlens.data.splits import IDENTITY
from oddlens.files.artefacts import write_table
from oddlens.results.figures.detected_fractions import detection_curves
from oddlens.results.pages.fixed_rates import fixed_rates_section
from oddlens.results.tables import columns
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.decoys import decoys_table
from oddlens.results.tables.detection import detection_table, logarithmic_bins, preferred_masses
from oddlens.results.tables.localisation import chance, localisation_table, overlap
from oddlens.results.tables.row_scores import fewest_images

RATES = [0.1, 0.01, 0.001]
ROOT_10 = np.sqrt(10)


def scored(values, *, smooth="smooth", rows=("row",), status=None, contaminant="none", decoys=()):
    """Scores of test images {class: [n] or [seeds, n]} and of validation images under the key `validation`."""
    by_class = {cls: np.atleast_2d(of_class) for cls, of_class in values.items()}
    images = pd.concat(
        pd.DataFrame(
            {
                "pool": "validation" if cls == "validation" else "test",
                "class": smooth if cls == "validation" else cls,
                "index": range(of_class.shape[1]),
            }
        )
        for cls, of_class in by_class.items()
    ).reset_index(drop=True)
    matrix = np.concatenate(list(by_class.values()), axis=1)
    seeds = len(matrix)
    names = [(contaminant, 0.0, row, seed, "ok") for row in rows for seed in range(1, seeds + 1)]
    models = pd.DataFrame(names, columns=[*columns.MODEL, "status"])
    if status:
        models["status"] = status
    return DatasetScores("d", smooth, images, models, np.concatenate([matrix] * len(rows)), decoys=decoys)


def no_truth(scores):
    return scores.images[scores.images["pool"] == "test"].assign(area_per_msun=1.0)


def detected(scores, truth=None, rates=RATES):
    table = detection_table(scores, no_truth(scores) if truth is None else truth, rates, 2)
    return table.set_index(["kind", "class", "false_alarm_rate"])


# --- thresholds ------------------------------------------------------------------------------------------------------


def test_a_count_by_hand():
    smooth = np.arange(1000.0)  # the thresholds are 900, 990 and 999: (r + 1) / 1001 is the rate if r exceed them
    scores = scored({"smooth": smooth, "cdm": [0, 900, 901, 991, 998, 999], "validation": [950, 0, 0, 0]})
    found = detected(scores)
    assert [found.loc[("anomaly", "cdm", rate), "detected"] * 6 for rate in RATES] == pytest.approx([4, 3, 0])
    assert found.loc[("smooth", "smooth", 0.1), "detected"] == 0.25
    assert (found["n_reference"] == 1000).all()
    low, high = stats.binomtest(4, 6).proportion_ci(method="exact")
    line = found.loc[("anomaly", "cdm", 0.1)]
    assert (line["detected_low"], line["detected_high"]) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("draw", [stats.norm, stats.expon, stats.cauchy])
def test_false_alarms_are_uniform_and_completeness_is_that_of_the_distribution(draw):
    rng = np.random.default_rng(3)
    smooth, validation = (draw.rvs(size=n, random_state=rng) for n in (20000, 20000))
    scores = scored({"smooth": smooth, "cdm": smooth[::-1] + 3, "validation": validation})
    found = detected(scores)
    for rate in RATES:
        alarms = found.loc[("smooth", "smooth", rate)]
        error = np.sqrt(2 * rate / 20000)  # of the threshold, and of the validation images
        assert abs(alarms["detected"] - rate) < 4 * error
        completeness = draw.sf(draw.isf(rate) - 3)
        slope = max(draw.pdf(draw.isf(rate) - 3) / draw.pdf(draw.isf(rate)), 1)
        expected = pytest.approx(completeness, abs=4 * error * slope + 0.02)
        assert found.loc[("anomaly", "cdm", rate), "detected"] == expected


def test_intervals_hold_the_true_rate_in_nineteen_of_twenty_cases():
    rng = np.random.default_rng(4)
    cases = {f"class_{k}": rng.random(40) for k in range(200)}
    table = detection_table(scores := scored({"smooth": np.linspace(0, 1, 1001)} | cases), no_truth(scores), [0.1], 2)
    of_class = table[table["class"] != "all"]
    held = (of_class["detected_low"] <= 0.1) & (of_class["detected_high"] >= 0.1)
    assert len(held) == 200
    assert held.mean() >= 0.93


def test_rates_that_the_smooth_images_are_too_few_for_are_blank():
    found = detected(scored({"smooth": np.arange(999.0), "cdm": np.full(5, 2000.0)}))
    values = ["detected", "detected_low", "detected_high"]
    assert found.loc[("anomaly", "cdm", 0.001), values].isna().all(axis=None)
    assert found.loc[("anomaly", "cdm", 0.01), "detected"].item() == 1
    assert [fewest_images(rate) for rate in (0.1, 0.01, 0.001, 0.3)] == [10, 100, 1000, 4]


def test_equal_scores_are_not_above_each_other():
    found = detected(scored({"smooth": np.zeros(1000), "cdm": np.zeros(10)}))
    assert (found["detected"] == 0).all()


def test_each_seed_has_its_threshold_and_images_without_a_score_are_missed():
    smooth = np.stack([np.arange(100.0), 1000 + np.arange(100.0)])
    cdm = np.array([[200, 200, np.nan, 0], [2000, 0, 2000, 0.0]])
    line = detected(scored({"smooth": smooth, "cdm": cdm})).loc[("anomaly", "cdm", 0.1)]
    assert (line["seeds"], line["unscored"], line["images"]) == (2, 1, 4)
    assert line["detected"] == 4 / 8
    reference = np.where(np.arange(100) < 5, np.nan, np.arange(100.0))
    line = detected(scored({"smooth": reference, "cdm": np.arange(100.0)})).loc[("anomaly", "cdm", 0.1)]
    assert (line["n_reference"], line["detected"]) == (95, 0.09)


def test_contaminated_and_diverged_models_and_data_sets_without_smooth_images_have_no_lines():
    values = {"smooth": np.arange(100.0), "cdm": np.arange(10.0)}
    assert len(detected(scored(values, contaminant="cdm"))) == 0
    assert len(detected(scored(values, status="diverged"))) == 0
    assert len(detected(scored({"cdm": np.arange(10.0)}))) == 0
    assert len(detected(scored(values, contaminant="labelled"))) > 0


# --- bins ------------------------------------------------------------------------------------------------------------


def test_bins_are_half_decades_from_powers_of_ten():
    values = np.array([0, np.nan, 1e8, 3.16227766e8, 3.1e8, 1e9, 9.9e9, 1.2e8, 4e8])
    bins = {
        (round(low), round(high)): list(np.flatnonzero(inside)) for low, high, inside in logarithmic_bins(values, 2)
    }
    assert bins == {
        (10**8, round(1e8 * ROOT_10)): [2, 4, 7],
        (round(1e8 * ROOT_10), 10**9): [3, 8],
        (10**9, round(1e9 * ROOT_10)): [5],
        (round(1e9 * ROOT_10), 10**10): [6],
    }
    assert sum(inside.sum() for *_, inside in logarithmic_bins(values, 7)) == 7


def test_few_values_have_a_bin_each():
    bins = [
        (low, high, inside.sum()) for low, high, inside in logarithmic_bins(np.array([15.0, 60, 15, 30, 60, 30, 0]), 2)
    ]
    assert bins == [(15, 15, 2), (30, 30, 2), (60, 60, 2)]
    bins = [(low, high) for low, high, _ in logarithmic_bins(np.array([15.0, 60, 30]), 1)]
    assert bins == [(10, 100)]


@pytest.fixture(scope="module")
def massive():
    """Scores that mass raises, and the truth: `cdm` has two masses, `vortex` one, and `clump` is a decoy."""
    rng, n = np.random.default_rng(6), 1200
    mass = 10 ** rng.uniform(8, 10, n)
    noise = rng.normal(size=(5, n))
    raised = 3 * (np.log10(mass) - 8)
    scores = scored(
        {
            "smooth": noise[0],
            "cdm": noise[1] + raised,
            "vortex": noise[2] + 1,
            "clump": noise[3] + 1,
            "validation": noise[4],
        },
        decoys=("clump",),
    )
    truth = scores.images.assign(substructure_mass_msun=0.0, heaviest_mass_msun=0.0, heaviest_concentration=0.0)
    cdm, vortex = scores.positions("cdm"), scores.positions("vortex")
    truth.loc[cdm, "heaviest_mass_msun"], truth.loc[cdm, "substructure_mass_msun"] = mass, 2 * mass
    truth.loc[cdm, "heaviest_concentration"] = np.tile([15.0, 60.0], n // 2)
    for name in ("heaviest_mass_msun", "substructure_mass_msun"):
        truth.loc[vortex, name] = 5e9
    return scores, truth


def test_completeness_rises_with_mass_and_bins_hold_all_images(massive):
    scores, truth = massive
    table = detection_table(scores, truth, [0.01], 2)
    cdm = table[table["class"] == "cdm"]
    for name in ("heaviest_mass_msun", "substructure_mass_msun", "heaviest_concentration"):
        of_property = cdm[cdm["truth"] == name]
        assert of_property["images"].sum() == 1200
        mean = np.average(of_property["detected"], weights=of_property["images"])
        assert mean == pytest.approx(cdm.loc[cdm["truth"] == "", "detected"].item())
    heaviest = cdm[cdm["truth"] == "heaviest_mass_msun"]
    assert heaviest["bin_low"].tolist() == pytest.approx([1e8, 1e8 * ROOT_10, 1e9, 1e9 * ROOT_10])
    assert heaviest["detected"].is_monotonic_increasing
    for line in heaviest.itertuples():
        middle = stats.norm.sf(stats.norm.isf(0.01) - 3 * (np.log10(line.bin_low * line.bin_high) / 2 - 8))
        assert line.detected == pytest.approx(middle, abs=0.15)
    vortex = table[(table["class"] == "vortex") & (table["truth"] != "")]
    assert vortex[["truth", "bin_low", "bin_high"]].to_numpy().tolist() == [["heaviest_mass_msun", 5e9, 5e9]]
    assert set(table.loc[table["class"] == "all", "truth"]) == {""}


# --- decoys ----------------------------------------------------------------------------------------------------------


def test_decoys_are_false_alarms_and_no_anomalies(massive):
    scores, truth = massive
    found = detection_table(scores, truth, [0.1], 2).query("truth == ''").set_index("class")
    assert found["kind"].to_dict() == {
        "smooth": "smooth",
        "clump": "decoy",
        "cdm": "anomaly",
        "vortex": "anomaly",
        "all": "anomaly",
    }
    assert found.loc["clump", "detected"] == pytest.approx(stats.norm.sf(stats.norm.isf(0.1) - 1), abs=0.05)
    assert found.loc["all", "images"] == 2400
    assert len(decoys_table(scored({"smooth": np.arange(100.0), "cdm": np.arange(10.0)}), RATES)) == 0


def test_a_threshold_that_decoys_raise_costs_completeness(massive):
    scores, _ = massive
    table = decoys_table(scores, [0.1, 0.001]).set_index(["false_alarm_rate", "decoy", "anomaly"])
    line = table.loc[(0.1, "clump", "vortex")]
    assert line["detected"] == pytest.approx(stats.norm.sf(stats.norm.isf(0.1) - 1), abs=0.05)
    assert line["detected_raised"] == pytest.approx(0.1, abs=0.03)
    assert line["lost"] == pytest.approx(line["detected"] - line["detected_raised"])
    assert line["lost_low"] < line["lost"] < line["lost_high"]
    pd.testing.assert_frame_equal(table.xs("clump", level="decoy"), table.xs("all", level="decoy"))


def test_harmless_decoys_cost_nothing_and_too_few_are_blank():
    values = {"smooth": np.arange(1000.0), "cdm": np.arange(1000.0) + 500, "a": np.zeros(1000), "b": np.arange(50.0)}
    table = decoys_table(scored(values, decoys=("a", "b")), [0.1, 0.01]).query("anomaly == 'cdm'")
    lost = table.set_index(["false_alarm_rate", "decoy"])["lost"]
    assert (lost[0.1] == 0).all()
    assert lost[(0.01, "a")] == 0
    assert lost[[(0.01, "b"), (0.01, "all")]].isna().all()
    assert table.query("decoy == 'all'")["n_decoys"].tolist() == [1050, 1050]


# --- positions and masses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("distance", [0.0, 0.3, 0.8, 1.1, 1.5, 2.5])
def test_the_overlap_of_discs_is_that_of_points(distance):
    grid = np.linspace(-1, 1, 801)
    y, x = np.meshgrid(grid, grid)
    inside = (np.hypot(y, x) <= 0.5) & (np.hypot(y, x - distance) <= 1.0)
    found = overlap(np.array([distance]), np.array([0.5]), np.array([1.0]))[0]
    assert found == pytest.approx(inside.sum() * (grid[1] - grid[0]) ** 2, abs=3e-3)
    assert overlap(np.array([distance]), np.array([1.0]), np.array([0.5]))[0] == pytest.approx(found)


def test_chance_is_the_part_of_the_annulus_near_a_place():
    one = np.ones(1)
    assert chance(0.95 * one, 0.1 * one, one) == pytest.approx(0.01 / (1.3**2 - 0.6**2))
    assert chance(3 * one, 0.1 * one, one) == pytest.approx(0)
    assert chance(0 * one, 5 * one, one) == pytest.approx(1)
    equal = overlap(np.zeros(1), one, one)
    assert equal == pytest.approx(np.pi)


def localised(tmp_path, offset, ratio, scores=None):
    """The table of a row that reports some offsets along x and mass ratios, for true masses at (0.9, 0)."""
    n = len(offset)
    scores = scores or scored({"smooth": np.zeros(1000), "cdm": np.ones(n), "vortex": np.ones(3)})
    truth = scores.images.assign(heaviest_mass_msun=0.0, heaviest_y_arcsec=0.9, heaviest_x_arcsec=0.0)
    truth = truth.assign(area_per_msun=1e-12, einstein_radius_arcsec=1.0, psf_fwhm_arcsec=0.1, psf_fwhm_pixels=2.0)
    cdm = scores.positions("cdm")
    truth.loc[cdm, "heaviest_mass_msun"] = 1e9
    findings = scores.images.assign(training_set="none-0", seed=1, y_arcsec=0.9, x_arcsec=5.0, area_arcsec2=1.0)
    findings.loc[cdm, "x_arcsec"], findings.loc[cdm, "area_arcsec2"] = offset, 1e-3 * np.asarray(ratio)
    write_table(tmp_path / "row.csv", findings, kind="findings", dataset="d", detector="row")
    write_table(
        tmp_path / "other.csv",
        findings[IDENTITY][:0].assign(training_set=""),
        kind="findings",
        dataset="d",
        detector="o",
    )
    return localisation_table(scores, [tmp_path / "row.csv", tmp_path / "other.csv"], truth, RATES, 0.2)


def test_positions_and_masses_by_hand(tmp_path):
    table = localised(tmp_path, [0, 0.05, 0.15, 1.0, 2.0], [1, 10, 100, 1, 1])
    assert table["class"].tolist() == ["cdm"] * 3  # the vortices have no mass
    line = table.iloc[0]
    assert (line["images"], line["found"], line["seeds"]) == (5, 5, 1)
    assert (line["localised"], line["localised_pixels"]) == (3 / 5, 2 / 5)  # within 0.2" and within 2 pixels of 0.05"
    assert line["offset_arcsec"] == 0.15
    assert line["localised_by_chance"] == pytest.approx(0.04 / (1.3**2 - 0.6**2))
    assert line["localised_pixels_by_chance"] == pytest.approx(0.01 / (1.3**2 - 0.6**2))
    assert (line["mass_bias_dex"], line["localised_bias_dex"]) == (pytest.approx(0), pytest.approx(1))
    low, high = stats.binomtest(3, 5).proportion_ci(method="exact")
    assert (line["localised_low"], line["localised_high"]) == (pytest.approx(low), pytest.approx(high))


def test_only_what_is_found_is_compared_and_nothing_found_is_blank(tmp_path):
    scores = scored({"smooth": np.arange(1000.0), "cdm": [950, 995, 0, 0]})
    table = localised(tmp_path, [0, 1, 0, 0], [1, 0.1, 1, 1], scores).set_index("false_alarm_rate")
    assert table["found"].tolist() == [2, 1, 0]
    assert table.loc[0.1, "localised"] == 0.5
    assert table.loc[0.01, "localised"] == 0
    assert table.loc[0.01, "mass_bias_dex"] == pytest.approx(-1)
    assert table.loc[0.01, ["mass_scatter_dex", "localised_bias_dex"]].isna().all()
    assert table.loc[0.001, ["localised", "localised_low", "mass_bias_dex", "localised_by_chance"]].isna().all()


def test_random_positions_are_as_often_right_as_by_chance(tmp_path):
    rng, n = np.random.default_rng(8), 4000
    radius, angle = np.sqrt(rng.uniform(0.6**2, 1.3**2, n)), rng.uniform(0, 2 * np.pi, n)
    scores = scored({"smooth": np.zeros(1000), "cdm": np.ones(n)})
    truth = scores.images.assign(heaviest_mass_msun=1e9, heaviest_y_arcsec=0.9, heaviest_x_arcsec=0.3)
    truth = truth.assign(area_per_msun=1e-12, einstein_radius_arcsec=1.0, psf_fwhm_arcsec=0.1, psf_fwhm_pixels=2.0)
    cdm = scores.positions("cdm")
    findings = scores.images.iloc[cdm].assign(training_set="none-0", seed=1, area_arcsec2=1e-3)
    findings = findings.assign(y_arcsec=radius * np.sin(angle), x_arcsec=radius * np.cos(angle))
    write_table(tmp_path / "row.csv", findings, kind="findings", dataset="d", detector="row")
    line = localisation_table(scores, [tmp_path / "row.csv"], truth, [0.1], 0.3).iloc[0]
    assert line["localised_low"] < line["localised_by_chance"] < line["localised_high"]


def test_images_without_a_known_lens_have_no_lines(tmp_path):
    scores = scored({"smooth": np.zeros(1000), "cdm": np.ones(3)})
    assert len(localisation_table(scores, [], scores.images, RATES, 0.2)) == 0


# --- figure and page -------------------------------------------------------------------------------------------------


def test_a_panel_for_each_class_with_masses_and_each_known_rate(massive):
    scores, truth = massive
    table = detection_table(scores, truth, [0.1, 0.01, 0.0001], 2)
    assert set(preferred_masses(table)["truth"]) == {"heaviest_mass_msun"}
    figure = detection_curves(table, ["row"], {"row": {"role": "detector"}}, "title")
    assert [axis.get_title() for axis in figure.axes] == [
        f"{c}, {r} % false alarms" for c in ("cdm", "vortex") for r in (10, 1)
    ]
    curve = figure.axes[0].containers[0].lines[0]
    cdm = table.query("`class` == 'cdm' and truth == 'heaviest_mass_msun' and false_alarm_rate == 0.1")
    np.testing.assert_allclose(curve.get_ydata(orig=False), cdm["detected"])
    empty = detection_curves(table[:0], ["row"], {"row": {"role": "detector"}}, "title")
    assert (len(empty.axes), len(empty.texts)) == (0, 1)


def test_the_page_says_what_is_unknown_and_shows_bins_and_losses(massive, tmp_path):
    scores, truth = massive
    tables = {
        "detection": detection_table(scores, truth, [0.1, 0.0001], 2),
        "decoys": decoys_table(scores, [0.1]),
        "localisation": localised(tmp_path, [0, 0.05, 0.15, 1.0, 2.0], [1, 10, 100, 1, 1]),
    }
    section = fixed_rates_section(tables, {"d": ["row", "other"]})
    assert section["unknown"] == [{"dataset": "d", "false_alarm_rate": 0.0001, "n_reference": 1200, "needed": 10000}]
    assert section["unscored"] == []
    assert set(section["bins"]) == {
        "d, row: heaviest subhalo [M☉]",
        "d, row: concentration",
    }
    assert "clump (decoy)" in section["classes"]["d"]
    assert "within 0.2″" in section["localisation"]["d"]
    assert "60.0 % (" in section["localisation"]["d"]
    single = localised(tmp_path, [0, 1, 1], [0.1, 1, 1]).assign(images=3)
    page = fixed_rates_section(tables | {"localisation": single}, {"d": ["row"]})["localisation"]["d"]
    assert "<td>−1.00</td>" in page  # the mass of the only one that is localised has no scatter
    lost = tables["decoys"].query("decoy == 'clump' and anomaly == 'all'")["lost"].item()
    assert f"{100 * lost:.1f} % (" in section["decoys"]["d"]
    assert fixed_rates_section({name: table[:0] for name, table in tables.items()}, {"d": ["row"]}) is None
