"""Tables of real lenses: percentiles, and ranks of claimed lenses."""

import numpy as np
import pandas as pd
import pytest

from oddlens.results.tables.real import claims_table
from oddlens.results.tables.real_scores import percentile


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
