"""Completeness as a function of the injected mass."""

import pandas as pd
from matplotlib.figure import Figure

from oddlens.results.figures.style import REFERENCE_LINE, Rows, error_bar_curve, line_styles, message_figure, plt
from oddlens.results.tables.columns import VARIANTS


def completeness_curves(completeness: pd.DataFrame, rows: Rows) -> Figure:
    """The detected fraction against the injected mass: a line of panels per data set, a panel per false-alarm rate."""
    shown = [row not in rows or rows[row]["role"] not in VARIANTS for row in completeness["detector"]]
    completeness = completeness[pd.Series(shown, completeness.index, dtype=bool) & (completeness["mass_msun"] > 0)]
    if not len(completeness):
        return message_figure("No row has scores of injected images.")
    datasets, rates = completeness["dataset"].unique(), completeness["false_alarm_rate"].unique()
    size = (4.2 * len(rates), 3.0 * len(datasets) + 0.4)
    figure, axes = plt.subplots(len(datasets), len(rates), figsize=size, squeeze=False, sharey=True)
    styles = line_styles(rows)
    for line, dataset in zip(axes, datasets, strict=True):
        for axis, rate in zip(line, rates, strict=True):
            panel = completeness[(completeness["dataset"] == dataset) & (completeness["false_alarm_rate"] == rate)]
            for row, table in panel.groupby("detector", sort=False):
                error_bar_curve(axis, table, "mass_msun", "completeness", styles[str(row)], str(row))
            axis.axhline(rate, **REFERENCE_LINE)
            axis.set(xscale="log", ylim=(0, 1), xlabel="injected mass [solar masses]")
            axis.set_title(f"{dataset}, {100 * rate:g} % false alarms")
        line[0].set_ylabel("detected fraction")
    axes[0][-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle("Completeness for injected masses", fontsize=11)
    figure.tight_layout()
    return figure
