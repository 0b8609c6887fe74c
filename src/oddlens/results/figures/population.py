"""The number of lenses needed to detect substructure in a population."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from oddlens.results.figures.style import Rows, error_bar_curve, line_styles, message_figure, plt, rows_to_show
from oddlens.results.tables.false_alarms import LENSES
from oddlens.results.tables.population import DETECTION_SIGMA


def no_population_figure() -> Figure:
    """The message in place of the figure, for the user's own images."""
    return message_figure("No population: the images have no twins, and no known mass fraction of substructure.")


def population_curves(population: pd.DataFrame, best: Sequence[str], rows: Rows, title: str) -> Figure:
    """Lenses for a detection against the substructure mass fraction, for the upper bounds and the best rows.

    There is a panel per anomaly. Points above the number of lenses in a survey (`LENSES`) are left out, and longer bars
    end outside the panel.
    """
    if not len(population):
        return message_figure("No model of this data set converged.")
    anomalies, shown = list(population["anomaly"].unique()), rows_to_show(best, rows)
    population = population.assign(
        percent=100 * population["median"],
        lenses=population["lenses"].where(population["lenses"] <= LENSES),
        lenses_high=population["lenses_high"].clip(upper=10 * LENSES),
    )
    if population.loc[population["detector"].isin(shown), "lenses"].isna().all():
        return message_figure(f"No row shown here detects a population with {LENSES:,} lenses.")
    size = (3.7 * len(anomalies), 3.4)
    figure, axes = plt.subplots(1, len(anomalies), figsize=size, squeeze=False, sharex=True, sharey=True)
    styles = line_styles(rows)
    for axis, anomaly in zip(axes[0], anomalies, strict=True):
        for row in shown:
            chosen = (population["anomaly"] == anomaly) & (population["detector"] == row)
            error_bar_curve(axis, population[chosen], "percent", "lenses", styles[row], row)
        axis.set(yscale="log", title=anomaly, xlabel="substructure mass fraction [%]")
        axis.set_xscale("log", subs=[2, 3, 4, 6])
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter("{x:g}")
    top = np.clip(axes[0][0].get_ylim()[1], 12, LENSES)
    axes[0][0].set(ylabel=f"lenses for {DETECTION_SIGMA:g} σ", ylim=(0.8, top))
    axes[0][-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return figure
