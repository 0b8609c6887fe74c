"""Follow-up fits of a lens with a heavy subhalo and of its smooth twin."""

import numpy as np
import pandas as pd
import pytest

from oddlens.data import shards
from oddlens.files.artefacts import write_table
from oddlens.lensing import evidence
from oddlens.results.tables.follow_up import COLUMNS
from oddlens.stages.follow_up import follow_up
from simple_lenses import SEED, simple_shards, simple_simulation


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """The table of the image with a rank: 1 is a lens with a heavy subhalo, 2 its smooth twin."""
    folder = tmp_path_factory.mktemp("follow")
    paths = []
    for cls, shard in simple_shards(simple_simulation()).items():
        paths.append(str(folder / cls / "000.h5"))
        shards.write(paths[-1], shard)
    named = {"dataset": "model_a", "detector": "fit", "pool": "test", "class": ["subhalo", "smooth"], "index": 1}
    named |= {
        "rank": [1, 2],
        "id": ["model_a/test/subhalo/1", "model_a/test/smooth/1"],
        "false_alarm_probability": 0.001,
    }
    images = pd.DataFrame(named)
    images.to_csv(folder / "most_anomalous.csv")
    findings = images[["pool", "class", "index"]].assign(
        training_set="none-0", seed=1, odds=[90.0, -2.0], significance=9.0
    )
    findings = findings.assign(y_arcsec=0.1, x_arcsec=0.2, area_arcsec2=0.03)
    write_table(folder / "findings.csv", findings, kind="findings")

    def table(rank):
        out = folder / "out" / str(rank)
        with pytest.MonkeyPatch.context() as quick:
            quick.setattr(evidence, "MIN_SCATTER", 0.02)
            quick.setattr(evidence, "N_EFFECTIVE_SAMPLES", 300)
            follow_up(
                out / "1.csv",
                out / "1.png",
                most_anomalous_path=folder / "most_anomalous.csv",
                findings_path=folder / "findings.csv",
                shard_paths=paths,
                dataset="model_a",
                row="fit",
                rank=rank,
                live=100,
                mass={},
                seed=SEED,
            )
        assert sorted(path.name for path in out.iterdir()) == ["1.csv", "1.png"]
        return pd.read_csv(out / "1.csv")

    return table


def test_position_and_mass_of_a_planted_subhalo_are_found(fitted):
    line = fitted(1).iloc[0]
    assert line["log_bayes"] > 20
    assert line["log_bayes_error"] < 0.2
    assert abs(line["true_mass_msun"] - 1e10) < 1e4
    assert np.hypot(line["y_arcsec"] - line["true_y_arcsec"], line["x_arcsec"] - line["true_x_arcsec"]) < 0.3
    assert 0.5 < line["mass_msun"] / line["true_mass_msun"] < 1.5
    assert line["chi_square_with_mass"] < line["chi_square_smooth"] - 30
    assert (line["scan_log_odds"], line["scan_y_arcsec"]) == (90.0, 0.1)


def test_for_a_smooth_lens_log_bayes_is_negative_by_the_occam_factor_at_most(fitted):
    line = fitted(2).iloc[0]
    assert -8 < line["log_bayes"] < 0
    assert abs(line["chi_square_with_mass"] - line["chi_square_smooth"]) < 10
    assert 0.7 < line["chi_square_smooth"] / line["pixels"] < 1.3
    assert np.isnan(line["true_mass_msun"])


def test_a_row_without_most_anomalous_images_leaves_an_empty_table(fitted):
    table = fitted(3)
    assert list(table) == COLUMNS
    assert not len(table)
