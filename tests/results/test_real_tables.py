"""Tables of real lenses: percentiles, and ranks of claimed lenses."""

import numpy as np
import pandas as pd
import pytest

from oddlens.results.pages.checked_tables import read_checked
from oddlens.results.tables.real import (
    NAME_COLUMNS,
    NOISE_COLUMNS,
    SCORE_COLUMNS,
    claims_table,
    problem_lines,
    read_real,
)
from oddlens.results.tables.real_scores import percentile
from oddlens.results.tables.result_files import write_result
from oddlens.stages.real_tables import real_tables


def ranked(values, claimed):
    rows = [(name, band, v) for name, bands in values.items() for band, v in enumerate(bands)]
    table = pd.DataFrame(rows, columns=["object", "lens", "standardised_score"])
    return claims_table(table.assign(dataset="toy", detector="pca", claimed=table["object"].isin(claimed).astype(int)))


def test_percentiles_count_ties_half():
    among = np.arange(10.0)
    assert percentile(9.5, among) == 100
    assert percentile(-1, among) == 0
    assert percentile(5, among) == 55  # five below, one equal
    assert percentile(1, np.ones(7)) == 50


@pytest.mark.parametrize(("mine", "rank", "p"), [(9.0, 1, 0.25), (2.5, 3, 0.75), (-1.0, 4, 1.0), (4.0, 2, 0.5)])
def test_a_claimed_lens_is_ranked_by_objects(mine, rank, p):
    """Five images of three others: an object with many bands counts once."""
    line = ranked({"mine": [mine], "a": [3.0, 7.0, 2.0], "b": [1.0], "c": [3.0]}, ["mine"]).iloc[0]
    assert (int(line["rank"]), line["lenses"], line["p"], line["min_p"]) == (rank, 4, p, 0.25)
    assert f"n = 4 real lenses, p = {p:.2g}" in line["summary"]


def test_ties_get_the_worse_rank():
    line = ranked({"mine": [3.0], "a": [3.0], "b": [1.0]}, ["mine"]).iloc[0]
    assert int(line["rank"]) == 2


def test_two_claims_are_permuted_together():
    line = ranked({"x": [9.0], "y": [8.0], "a": [3.0], "b": [1.0]}, ["x", "y"]).iloc[0]
    assert line["p"] == pytest.approx(1 / 6) == line["min_p"]


def test_without_a_claim_the_table_is_empty():
    assert ranked({"x": [9.0], "y": [8.0]}, []).empty
    assert ranked({"x": [9.0]}, ["x"]).empty


def test_names_that_look_like_numbers_stay_as_they_are(tmp_path):
    names = ["007", "1.10", "17000000000000000001", "NA", "1e5", "True"]
    table = pd.DataFrame({"lens": names, "object": names, "claimed": [1, 0, 0, 0, 0, 0], "dataset": "toy"})
    table = table.assign(detector="pca", seed=1, score=1.5, standardised_score=np.arange(6.0), problem=None)
    write_result(tmp_path / "toy.csv", table.reindex(columns=SCORE_COLUMNS))
    write_result(tmp_path / "noise.csv", pd.DataFrame({"frame": names}).reindex(columns=NOISE_COLUMNS))
    outputs = {name: tmp_path / f"{name}.csv" for name in NAME_COLUMNS}
    real_tables(outputs, scores=[tmp_path / "toy.csv"], noise=[tmp_path / "noise.csv"])
    for read in (read_real, read_checked):
        tables = {name: read(path, name) for name, path in outputs.items()}
        assert tables["real"]["lens"].tolist() == tables["real"]["object"].tolist() == names
        assert tables["real_noise"]["frame"].tolist() == names
        assert tables["real_claims"]["claimed"].tolist() == ["007"]
        assert tables["real"]["problem"].isna().all()


def test_a_problem_on_all_data_sets_is_reported_once():
    lines = [("a", "toy", "no scale"), ("a", "other", "no scale"), ("b", "toy", "too small")]
    table = pd.DataFrame(lines, columns=["lens", "dataset", "problem"]).assign(detector=None, seed=None)
    assert problem_lines(table) == ["a: no scale", "b on toy: too small"]
    assert problem_lines(table[table["dataset"] == "toy"]) == ["a on toy: no scale", "b on toy: too small"]
