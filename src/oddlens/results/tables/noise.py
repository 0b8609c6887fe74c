"""The AUC as a function of the noise level: data sets that differ in their exposure time only."""

from collections.abc import Mapping

import pandas as pd

from oddlens.results.tables.columns import UNCONTAMINATED

COLUMNS = ["exposure_series", "dataset", "peak_signal_to_noise", "detector", "role", "anomaly"]
COLUMNS += ["auc", "auc_low", "auc_high", "seed_low", "seed_high"]


def median_signal(truth: pd.DataFrame, smooth: str) -> float:
    """The median peak signal-to-noise ratio of the smooth test images; NaN if it is not known."""
    chosen = (truth["pool"] == "test") & (truth["class"] == smooth)
    if "peak_signal_to_noise" not in truth:
        return float("nan")
    return float(truth.loc[chosen, "peak_signal_to_noise"].median())


def noise_table(summary: pd.DataFrame, signal: Mapping[str, float], exposures: Mapping[str, str]) -> pd.DataFrame:
    """`noise.csv`: mean AUC over seeds by the `median_signal` of the data set, after clean (or labelled) training.

    Args:
        summary: the table `summary`.
        signal: the `median_signal` of each data set.
        exposures: for each data set that differs from others in its exposure only, the first of these (column
            `exposure_series`).
    """
    table = summary[summary["contaminant"].isin(UNCONTAMINATED) & summary["dataset"].isin(exposures)]
    series, noise = (table["dataset"].map(dict(of)) for of in (exposures, signal))
    return table.assign(exposure_series=series, peak_signal_to_noise=noise)[COLUMNS]
