"""What noise costs: the AUC over data sets that differ in nothing but their exposure."""

from collections.abc import Mapping

import pandas as pd

from oddlens.results.tables.conventions import HOME

COLUMNS = ["like", "dataset", "peak_signal_to_noise", "detector", "role", "anomaly"]
COLUMNS += ["auc", "auc_low", "auc_high", "seed_low", "seed_high"]


def median_signal(truth: pd.DataFrame, smooth: str) -> float:
    """The median over smooth test images of the brightest pixel's signal-to-noise."""
    chosen = (truth["pool"] == "test") & (truth["class"] == smooth)
    return float(truth.loc[chosen, "peak_signal_to_noise"].median())


def noise_table(summary: pd.DataFrame, signal: Mapping[str, float], exposures: Mapping[str, str]) -> pd.DataFrame:
    """`noise.csv`: mean AUC over seeds by the data set's `median_signal`, after clean (or labelled) training.

    Args:
        signal: of each data set its `median_signal`.
        exposures: of data sets that differ from others in their exposure alone, the first of these (column `like`).
    """
    found = summary[summary["contaminant"].isin(HOME) & summary["dataset"].isin(exposures)]
    like, noise = (found["dataset"].map(dict(of)) for of in (exposures, signal))
    return found.assign(like=like, peak_signal_to_noise=noise)[COLUMNS]
