"""The AUC as a function of the properties of lens and substructure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from oddlens.results.figures.style import (
    REFERENCE_LINE,
    Rows,
    error_bar_curve,
    line_styles,
    message_figure,
    plt,
    rows_to_show,
)
from oddlens.results.tables.bins import OF_LENS, OF_SUBSTRUCTURE

LABELS = OF_SUBSTRUCTURE | OF_LENS
MAX_PANELS = 8
"""Properties that are shown. A sheet of the user's own images may have more, which `bins.csv` has."""


def bin_curves(bins: pd.DataFrame, best: Sequence[str], rows: Rows, title: str) -> Figure:
    """The AUC of the upper bounds and the best rows in quantile bins of each property.

    There is a line of panels per anomaly and a panel per property. Masses are on a logarithmic scale.
    """
    if not len(bins):
        return message_figure("No property of the anomalous images varies in this data set.")
    anomalies = list(bins["anomaly"].unique())
    every = sorted(bins["truth"].unique(), key=lambda name: [*LABELS].index(name) if name in LABELS else len(LABELS))
    properties = [[p for p in every if p in set(bins["truth"][bins["anomaly"] == a])][:MAX_PANELS] for a in anomalies]
    columns = max(map(len, properties))
    size = (2.9 * columns, 2.4 * len(anomalies) + 0.4)
    figure, axes = plt.subplots(len(anomalies), columns, figsize=size, squeeze=False, sharey="row")
    masses = bins["truth"].str.endswith("_msun")
    bins = bins.assign(median=bins["median"].where(~masses, np.log10(bins["median"].where(masses))))
    styles = line_styles(rows)
    for line, anomaly, names in zip(axes, anomalies, properties, strict=True):
        for axis, name in zip(line, names, strict=False):
            for row in rows_to_show(best, rows):
                chosen = (bins["anomaly"] == anomaly) & (bins["truth"] == name) & (bins["detector"] == row)
                if chosen.any():
                    error_bar_curve(axis, bins[chosen], "median", "auc", styles[row], row)
            axis.axhline(0.5, **REFERENCE_LINE)
            axis.set_xlabel(("log10 of " if name.endswith("_msun") else "") + LABELS.get(name, name))
        for axis in line[len(names) :]:
            axis.axis("off")
        line[0].set_ylabel(f"AUC, {anomaly}")
    axes[0][len(properties[0]) - 1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return figure
