"""The critical-difference diagram of a study (Demšar 2006)."""

import pandas as pd
import scikit_posthocs
from matplotlib.figure import Figure

from oddlens.results.figures.style import message_figure, plt
from oddlens.results.tables.thresholds import SIGNIFICANCE_LEVEL

COLOURS = {"detector": "tab:blue", "external": "tab:green", "reference": "tab:orange", "control": "0.5"}


def critical_differences(ranks: pd.DataFrame, wilcoxon: pd.DataFrame) -> Figure:
    """Rows by mean rank, 1 being best. A bar joins rows without a significant difference (Wilcoxon, Holm)."""
    ranked = ranks.dropna(subset="mean_rank").reset_index(drop=True)
    if len(ranked) < 2 or ranked["tasks"].max() < 2:
        return message_figure("Too few rows or tasks to rank.")
    # The diagram iterates over a set of rows. They are given as numbers, as the order of a set of numbers is fixed.
    number = {row: k for k, row in enumerate(ranked["detector"])}
    p = pd.DataFrame(1.0, index=ranked.index, columns=ranked.index)
    for a, b, value in wilcoxon[["a", "b", "p_holm"]].itertuples(index=False, name=None):
        p.loc[number[a], number[b]] = p.loc[number[b], number[a]] = value
    figure, axis = plt.subplots(figsize=(9, 0.24 * len(ranked) + 1.2))
    diagram = scikit_posthocs.critical_difference_diagram(
        ranked["mean_rank"],
        p,
        alpha=SIGNIFICANCE_LEVEL,
        ax=axis,
        hue=ranked["role"],
        hue_order=list(COLOURS),
        color_palette=COLOURS,
        label_fmt_left="{label}",
        label_fmt_right="{label}",
        text_h_margin=0.02 * len(ranked),
        label_props={"fontsize": 9},
        elbow_props={"linewidth": 0.9},
        crossbar_props={"linewidth": 2.5, "color": "0.2"},
    )
    for text in diagram["labels"]:
        row, rank = ranked.loc[int(text.get_text()), ["detector", "mean_rank"]]
        text.set_text(f"{row}  {rank:.1f} " if text.get_ha() == "right" else f" {rank:.1f}  {row}")
    axis.set_title(f"mean rank over {ranked['tasks'].max()} tasks (1 is best)", fontsize=11, pad=22)
    return figure
