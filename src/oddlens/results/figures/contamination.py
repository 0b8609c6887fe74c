"""The change of the AUC with the contamination of the training set."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oddlens.data.training_sets import CLEAN
from oddlens.results.figures.style import (
    ERROR_BARS,
    FAINT,
    REFERENCE_LINE,
    Rows,
    families,
    line_styles,
    message_figure,
    no_auc_figure,
    plt,
)
from oddlens.results.tables.columns import ALL, UNCONTAMINATED, VARIANTS
from oddlens.results.tables.thresholds import CHANCE_MARGIN

LEGEND: Any = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2, "fontsize": 6.5}
LEGEND |= {"title": "clean AUC", "title_fontsize": 6.5, "alignment": "left"}
"""Above the panels, because lines may be anywhere in them."""


def contamination_curves(auc: pd.DataFrame, summary: pd.DataFrame, rows: Rows, title: str) -> Figure:
    """The change of the AUC against all anomalies with the contaminated fraction of the training set.

    There is a column of panels for each family of rows and a line of panels for each contaminant. Bars are over test
    images; dots are seeds, each relative to its own clean training. All other rows are faint in the background. Rows
    that are no better than chance after clean training (`CHANCE_MARGIN`) are left out.
    """
    if not len(summary):
        return no_auc_figure()
    auc, summary = (table[table["anomaly"] == ALL].dropna(subset="auc") for table in (auc, summary))
    clean = summary[summary["contaminant"] == CLEAN].set_index("detector")["auc"]
    able = summary["detector"].map(clean).gt(0.5 + CHANCE_MARGIN) & ~summary["contaminant"].isin(UNCONTAMINATED)
    curves = summary[able & ~summary["role"].isin(VARIANTS)]
    if not len(curves):
        return message_figure("No detector that is better than chance had a contaminated training set.")
    contaminants, groups = (
        curves["contaminant"].unique(),
        _groups(row for row in rows if row in set(curves["detector"])),
    )
    seeds = _changes_by_seed(auc)
    legend = 0.14 * max(map(len, groups)) + 0.3
    size = (3.3 * len(groups), 2.4 * len(contaminants) + legend + 0.3)
    figure, axes = plt.subplots(len(contaminants), len(groups), figsize=size, squeeze=False, sharex=True, sharey=True)
    styles = line_styles(rows)
    for line, contaminant in zip(axes, contaminants, strict=True):
        of_contaminant = curves[curves["contaminant"] == contaminant]
        for axis, members in zip(line, groups, strict=True):
            for row, curve in of_contaminant.groupby("detector", sort=False):
                if row in members:
                    dots = seeds[(seeds["contaminant"] == contaminant) & (seeds["detector"] == row)]
                    _draw_row(axis, curve, dots, styles[str(row)], f"{clean[row]:.3f}  {row}")
                else:
                    axis.plot(np.r_[0, curve["contamination"]], np.r_[0, curve["change"]], **FAINT)
            axis.axhline(0, **REFERENCE_LINE)
        line[0].set_ylabel(f"change of AUC\ncontaminant: {contaminant}")
    for axis in axes[0]:
        axis.legend(**LEGEND)
    for axis in axes[-1]:
        axis.set_xlabel("contaminated fraction")
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return figure


def _changes_by_seed(auc: pd.DataFrame) -> pd.DataFrame:
    """The AUCs with their `seed_change`: the AUC minus that of the same row and seed after clean training."""
    clean = auc[auc["contaminant"] == CLEAN].set_index(["detector", "seed"])["auc"].rename("clean")
    joined = auc.join(clean, on=["detector", "seed"])
    return joined.assign(seed_change=joined["auc"] - joined["clean"])


def _draw_row(axis: Axes, curve: pd.DataFrame, seeds: pd.DataFrame, style: dict[str, Any], label: str) -> None:
    """The curve of one row with intervals over test images, and its seeds as dots."""
    bars = [curve["change"] - curve["change_low"], curve["change_high"] - curve["change"]]
    x, y = np.r_[0, curve["contamination"]], np.r_[0, curve["change"]]
    drawn = axis.errorbar(x, y, yerr=[np.r_[0, bar] for bar in bars], **ERROR_BARS, label=label, **style)
    axis.plot(seeds["contamination"], seeds["seed_change"], ".", color=drawn[0].get_color(), ms=3, alpha=0.5)


def _groups(rows: Iterable[str]) -> list[list[str]]:
    """The families of two rows and more; all other rows together, last."""
    members = families(rows).values()
    single = [family[0] for family in members if len(family) == 1]
    return [family for family in members if len(family) > 1] + ([single] if single else [])
