"""The AUC as a function of the noise level."""

import pandas as pd
from matplotlib.figure import Figure

from oddlens.results.figures.style import REFERENCE_LINE, Rows, error_bar_curve, line_styles, message_figure, plt
from oddlens.results.tables.columns import VARIANTS


def noise_curves(noise: pd.DataFrame, rows: Rows) -> Figure:
    """The AUC against peak signal-to-noise: a line of panels per exposure series, a panel per anomaly."""
    noise = noise[~noise["role"].isin(VARIANTS)].dropna(subset="auc")
    if not len(noise):
        return message_figure("No two data sets of this study differ in their exposure only.")
    series, anomalies = noise["exposure_series"].unique(), noise["anomaly"].unique()
    size = (3.3 * len(anomalies), 2.8 * len(series) + 0.4)
    figure, axes = plt.subplots(len(series), len(anomalies), figsize=size, squeeze=False, sharey=True)
    styles = line_styles(rows)
    for line, name in zip(axes, series, strict=True):
        for axis, anomaly in zip(line, anomalies, strict=True):
            panel = noise[(noise["exposure_series"] == name) & (noise["anomaly"] == anomaly)]
            for row, table in panel.groupby("detector", sort=False):
                error_bar_curve(axis, table, "peak_signal_to_noise", "auc", styles[str(row)], str(row))
            levels = panel["peak_signal_to_noise"].unique()
            axis.axhline(0.5, **REFERENCE_LINE)
            axis.set(xscale="log", xlabel="median peak signal-to-noise", title=anomaly)
            axis.set_xticks(levels, [f"{level:.0f}" for level in levels])
            axis.minorticks_off()
        line[0].set_ylabel(f"AUC, {name}")
    axes[0][-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle("AUC by noise level", fontsize=11)
    figure.tight_layout()
    return figure
