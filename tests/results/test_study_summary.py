"""The text table at the end of a run."""

import pandas as pd
import pytest

import made_up
from oddlens.results.tables.result_files import write_result
from oddlens.results.tables.study_summary import MAX_NAME, N_DETECTORS, summary_text

ROWS = made_up.ROWS | {"lensfit": (2.0, {"role": "detector"}), "svdd": (0.1, {"role": "detector"})}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "mine"
    made_up.aggregated(folder, made_up.study(folder / "scores", rows=ROWS, images=24), ROWS)
    return folder


@pytest.fixture
def summary(study):
    table = pd.read_csv(study / "tables/summary.csv")
    return table[(table["anomaly"] == "all") & table["training"].isin(["clean", "labelled"])]


def rewritten(tmp_path, summary):
    (tmp_path / "tables").mkdir()
    write_result(tmp_path / "tables/summary.csv", summary)
    return summary_text(tmp_path)


def test_it_lists_the_best_detectors_then_the_lens_fit_then_upper_bounds(study, summary):
    text = summary_text(study)
    assert text.splitlines()[-1].endswith(str(study / "report.html"))
    assert max(map(len, text.splitlines())) <= 100
    below = text[text.index("model_b") :].splitlines()
    rows = summary.query("dataset == 'model_b'").sort_values("auc", ascending=False)
    detectors = rows[(rows["role"] == "detector") & (rows["detector"] != "lensfit")]["detector"]
    expected = [*detectors[:N_DETECTORS], "lensfit", "supervised"]
    assert len(detectors) > N_DETECTORS
    for line, name in zip(below[1:], expected, strict=False):
        row = rows.set_index("detector").loc[name]
        assert f" {name} " in line
        columns = ("auc", "auc_low", "auc_high", "seed_low", "seed_high")
        assert [f"{row[column]:.3f}" for column in columns] == [w for w in line.split() if w[1:2] == "."]
    assert not any(name in text for name in ("random", "good_mse", "tried"))


def test_a_single_seed_has_no_interval_over_seeds(summary, tmp_path):
    line = rewritten(tmp_path, summary.assign(seed_low=float("nan"), seed_high=float("nan"))).splitlines()[4]
    assert len([w for w in line.split() if w[1:2] == "."]) == 3
    assert line.endswith("–")


def test_long_names_are_cut_and_rows_that_diverged_left_out(summary, tmp_path):
    long = summary.assign(detector=summary["detector"].where(summary["detector"] != "good", "g" * 300))
    text = rewritten(tmp_path, long.assign(auc=long["auc"].where(long["dataset"] == "model_a")))
    assert "g" * MAX_NAME in text
    assert max(map(len, text.splitlines()[:-1])) <= 100
    after = text[text.index("model_b") :].splitlines()
    assert not any(word[1:2] == "." for word in after[1].split())
