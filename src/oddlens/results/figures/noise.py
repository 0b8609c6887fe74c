"""What noise costs each row: the AUC against the signal-to-noise of data sets that are otherwise alike."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from oddlens.results.figures.curves import row_curve
from oddlens.results.figures.style import STYLE, looks, plt, said, save
from oddlens.results.tables.conventions import VARIANTS


def noise_curves(noise: pd.DataFrame, rows: Mapping[str, Mapping]) -> Figure:
    """A line of panels for each family of data sets that differ in their exposure alone, a panel per anomaly."""
    noise = noise[~noise["role"].isin(VARIANTS)].dropna(subset="auc")
    if not len(noise):
        return said("No two data sets of this study differ in their exposure alone.")
    families, anomalies = noise["like"].unique(), noise["anomaly"].unique()
    size = (3.3 * len(anomalies), 2.8 * len(families) + 0.4)
    figure, axes = plt.subplots(len(families), len(anomalies), figsize=size, squeeze=False, sharey=True)
    look = looks(rows)
    for line, family in zip(axes, families, strict=True):
        for axis, anomaly in zip(line, anomalies, strict=True):
            here = noise[(noise["like"] == family) & (noise["anomaly"] == anomaly)]
            for row, found in here.groupby("detector", sort=False):
                row_curve(axis, found, "peak_signal_to_noise", "auc", look[row], str(row))
            levels = here["peak_signal_to_noise"].unique()
            axis.axhline(0.5, color="0.7", lw=0.8, ls=":")
            axis.set(xscale="log", xlabel="median peak signal-to-noise", title=anomaly)
            axis.set_xticks(levels, [f"{level:.0f}" for level in levels])
            axis.minorticks_off()
        line[0].set_ylabel(f"AUC, {family}")
    axes[0][-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle("what noise costs", fontsize=11)
    figure.tight_layout()
    return figure


def draw_noise(path: Path | str, *, noise: Path | str, rows: Mapping[str, Mapping]) -> None:
    """The curves, from `noise.csv`."""
    with plt.rc_context(STYLE):
        save(noise_curves(pd.read_csv(noise), rows), path)
