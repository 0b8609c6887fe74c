"""Completeness as a function of the injected mass."""

import pandas as pd
from matplotlib.figure import Figure

from oddlens.results.figures.detected_fractions import fraction_panels
from oddlens.results.figures.style import Rows, message_figure
from oddlens.results.tables.columns import VARIANTS


def completeness_curves(completeness: pd.DataFrame, rows: Rows) -> Figure:
    """The detected fraction against the injected mass: a line of panels per data set, a panel per false-alarm rate."""
    shown = [row not in rows or rows[row]["role"] not in VARIANTS for row in completeness["detector"]]
    completeness = completeness[pd.Series(shown, completeness.index, dtype=bool) & (completeness["mass_msun"] > 0)]
    if not len(completeness):
        return message_figure("No row has scores of injected images.")
    table = completeness.assign(xlabel="injected mass [solar masses]")
    return fraction_panels(table, "dataset", "mass_msun", "completeness", rows, "Completeness for injected masses")
