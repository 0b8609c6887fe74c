"""Detected fractions as a function of mass, at fixed false-alarm rates: panels that several figures share."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from oddlens.results.figures.style import REFERENCE_LINE, Rows, error_bar_curve, line_styles, message_figure, plt
from oddlens.results.tables.detection import MASSES, preferred_masses


def fraction_panels(table: pd.DataFrame, line: str, x: str, y: str, rows: Rows, title: str) -> Figure:
    """The fraction `y` of each row against the mass `x`: a line of panels per `line`, a panel per false-alarm rate.

    Args:
        table: with the columns `detector`, `false_alarm_rate`, `line`, `x`, `y`, `<y>_low` and `<y>_high`, and
            `xlabel`, the label of each line of panels; not empty.
        rows: the role of each row.
    """
    names, rates = table[line].unique(), table["false_alarm_rate"].unique()
    size = (4.2 * len(rates), 3.0 * len(names) + 0.4)
    figure, axes = plt.subplots(len(names), len(rates), figsize=size, squeeze=False, sharey=True)
    styles = line_styles(rows)
    for panels, name in zip(axes, names, strict=True):
        for axis, rate in zip(panels, rates, strict=True):
            panel = table[(table[line] == name) & (table["false_alarm_rate"] == rate)]
            for row, curve in panel.groupby("detector", sort=False):
                error_bar_curve(axis, curve, x, y, styles[str(row)], str(row))
            axis.axhline(rate, **REFERENCE_LINE)
            label = table.loc[table[line] == name, "xlabel"].iloc[0]
            axis.set(xscale="log", xlim=_decades(table.loc[table[line] == name, x]), ylim=(0, 1), xlabel=label)
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.set_title(f"{name}, {100 * rate:g} % false alarms")
        panels[0].set_ylabel("detected fraction")
    axes[0][-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return figure


def _decades(values: pd.Series) -> tuple[float, float]:
    """The powers of ten around some values, with a margin."""
    low, high = np.floor(np.log10(values.min())), np.ceil(np.log10(values.max()))
    return 10 ** (low - 0.1), 10 ** (high + 0.1)


def detection_curves(detection: pd.DataFrame, shown: list[str], rows: Rows, title: str) -> Figure:
    """Completeness in bins of mass, of the rows `shown`: a line of panels per anomaly, a panel per false-alarm rate.

    Rates that too few smooth images give have no panel.
    """
    known = detection[detection["detector"].isin(shown) & detection["detected"].notna()]
    table = preferred_masses(known)
    if not len(table):
        return message_figure(
            "No bins of mass: the anomalous images have no known mass, or the smooth ones are too few."
        )
    table = table.assign(mass=np.sqrt(table["bin_low"] * table["bin_high"]), xlabel=table["truth"].map(MASSES))
    return fraction_panels(table, "class", "mass", "detected", rows, title)
