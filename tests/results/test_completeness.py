"""Completeness for injected masses: against counts by hand, and rows whose completeness is known."""

import numpy as np
import pandas as pd
import pytest

from oddlens.files.artefacts import DamagedFile, write_table
from oddlens.results.pages.completeness import completeness_section
from oddlens.results.tables.completeness import InjectedScores, completeness_tables, half_mass
from oddlens.stages.completeness import completeness

MASSES = [0.0, 1e8, 1e9, 1e10]


def scores(folder, row, values, validation, *, seeds=(1,), lens=None, diverged=()):
    """The files of a row: injected scores from values [seeds, masses, n], and scores of validation images."""
    count = values.shape[2]
    lens = np.arange(count) if lens is None else lens
    injected = {"mass_msun": np.repeat(MASSES, count), "index": np.tile(np.arange(count), len(MASSES))}
    injected |= {"lens": np.tile(lens, len(MASSES))}
    known = {"pool": "validation", "class": "smooth", "index": np.arange(len(validation[0]))}
    for k, seed in enumerate(seeds):
        lost = np.nan if seed in diverged else 1.0
        injected[f"none-0/{seed}"], known[f"none-0/{seed}"] = values[k].ravel() * lost, validation[k] * lost
        known[f"cdm-0.1/{seed}"] = validation[k] + 5
    paths = folder / f"{row}-injected.csv", folder / f"{row}.csv"
    about = {"dataset": "d", "detector": row, "diverged": {}}
    write_table(paths[0], pd.DataFrame(injected), kind="injected_scores", left_out=3, ring_models=2, **about)
    write_table(paths[1], pd.DataFrame(known), kind="scores", **about)
    return paths


def test_a_count_by_hand(tmp_path):
    validation = np.arange(100.0)[None]  # the thresholds are 99 and 95
    at = np.array([[0.0, 50, 98], [0, 96, 100], [96, 100, 100], [100, 100, 200]])
    table, _ = completeness_tables([scores(tmp_path, "good", at[None], validation)])
    found = table.pivot(index="false_alarm_rate", columns="mass_msun", values="completeness")
    np.testing.assert_allclose(found.loc[0.01], [0, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(found.loc[0.05], [1 / 3, 2 / 3, 1, 1])
    rising = table[table["false_alarm_rate"] == 0.01]["rising"]
    np.testing.assert_allclose(rising, [0.5, (0.5 + 1 + 1) / 3, 1, 1])
    assert (table["completeness_low"] <= table["completeness"]).all()
    assert set(table["left_out"]) == {3}
    assert set(table["ring_models"]) == {2}


def test_random_scores_have_the_false_alarm_rate_at_all_masses(tmp_path):
    rng = np.random.default_rng(5)
    files = scores(tmp_path, "random", rng.random((2, 4, 4000)), rng.random((2, 20000)), seeds=(1, 2))
    table, masses = completeness_tables([files])
    for rate, part in table.groupby("false_alarm_rate"):
        np.testing.assert_allclose(part["completeness"], rate, atol=4 * np.sqrt(rate / 8000))
    np.testing.assert_allclose(table.loc[table["mass_msun"] > 0, "rising"], 0.5, atol=0.03)
    assert masses[["mass_msun", "mass_low", "mass_high"]].isna().all(axis=None)


def test_the_mass_at_one_half_and_its_interval(tmp_path):
    rng = np.random.default_rng(6)
    shift = np.array([0, 0.5, 2.33, 6])[:, None]  # 2.33 sigma is the threshold for 1 %
    files = scores(tmp_path, "good", (rng.normal(size=(1, 1, 500)) + shift), rng.normal(size=(1, 20000)))
    _, masses = completeness_tables([files])
    line = masses[masses["false_alarm_rate"] == 0.01].iloc[0]
    assert line["mass_low"] < 1e9 < line["mass_high"]
    assert line["mass_low"] < line["mass_msun"] < line["mass_high"]
    assert line["mass_high"] / line["mass_low"] < 3


def test_images_of_one_lens_count_once_in_intervals(tmp_path):
    rng = np.random.default_rng(7)
    values, validation = np.repeat(rng.normal(size=(1, 4, 40)) + 2, 5, axis=2), rng.normal(size=(1, 500))
    single, _ = completeness_tables([scores(tmp_path, "a", values, validation)])
    grouped, _ = completeness_tables([scores(tmp_path, "b", values, validation, lens=np.repeat(np.arange(40), 5))])
    np.testing.assert_allclose(single["completeness"], grouped["completeness"])
    assert (grouped["completeness_high"] > single["completeness_high"]).all()


def test_seeds_that_diverged_and_contaminated_models_are_left_out(tmp_path):
    values, validation = np.ones((2, 4, 10)), np.zeros((2, 100))
    one = InjectedScores(*scores(tmp_path, "good", values, validation, seeds=(1, 2), diverged=(2,)))
    assert one.values.shape == (1, 4, 10)
    none, _ = completeness_tables([scores(tmp_path, "bad", values, validation, seeds=(1, 2), diverged=(1, 2))])
    assert len(none) == 0


def test_scores_of_another_row_are_refused(tmp_path):
    values, validation = np.ones((1, 4, 10)), np.zeros((1, 100))
    (injected, _), (_, other) = (scores(tmp_path, row, values, validation) for row in ("a", "b"))
    with pytest.raises(DamagedFile, match="it is of a on d"):
        completeness_tables([(injected, other)])


@pytest.mark.parametrize(
    ("fractions", "expected"),
    [
        ([0, 0.25, 0.75, 1], 10**8.5),
        ([0, 0.5, 0.75, 1], 1e8),
        ([0, 0.1, 0.2, 0.4], np.inf),
        ([0, 0.9, 1, 1], 0),
        ([0.6, 0.4, 0.6, 1], 10**8.5),
    ],
)
def test_half_is_interpolated_in_the_logarithm_of_the_mass(fractions, expected):
    assert half_mass(np.array(MASSES), np.array(fractions)) == pytest.approx(expected)


@pytest.mark.parametrize("converged", [True, False])
def test_tables_figure_and_section_are_written(tmp_path, converged):
    rng = np.random.default_rng(8)
    values = rng.normal(size=(1, 4, 50)) + np.array([0, 1, 2, 4])[:, None]
    files = scores(tmp_path, "pca", values, rng.normal(size=(1, 200)), diverged=() if converged else (1,))
    outputs = {name: tmp_path / f"{name}.csv" for name in ("completeness", "completeness_masses")}
    outputs["figure"] = tmp_path / "figure.png"
    completeness(outputs, injected=files[:1], scores=files[1:], rows={"pca": {"role": "reference"}})
    section = completeness_section(outputs)
    assert outputs["figure"].stat().st_size > 1000
    if converged:
        assert section["images"] == {"d": {"images": 50, "ring_models": 2, "left_out": 3}}
        page = section["tables"]["d"]
        assert "no mass" in page
        assert "1e+10 M☉" in page
    else:
        assert section["tables"] == {}
    assert completeness_section({}) is None
