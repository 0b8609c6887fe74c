"""Model selection without labels: the AUC of pseudo-anomalies against that of all anomalies."""

from itertools import cycle
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oddlens.results.figures.style import FAINT, Rows, line_styles, palette, plt
from oddlens.results.tables.columns import UNCONTAMINATED, VARIANTS
from oddlens.results.tables.selection import PSEUDO_AUC


def selection_dots(selection: pd.DataFrame, rows: Rows, title: str) -> Figure:
    """A dot for each row after clean training. Of each sweep the selected and the best candidate are marked."""
    table = selection[selection["contaminant"].isin(UNCONTAMINATED)]
    if len(table) and table["auc"].isna().all():
        return _without_labels(table, rows, title)
    table = table.dropna(subset=PSEUDO_AUC)  # outside scores lack them
    table = table.sort_values("auc", ascending=False, kind="stable")
    colours = {row: style["color"] for row, style in line_styles(rows).items()}
    markers = _markers(rows)
    figure, axis = plt.subplots(figsize=(6.4, 4.6))
    axis.axvline(0.5, **FAINT)
    axis.axhline(0.5, **FAINT)
    names = sorted(table["sweep"].dropna().unique())
    sweeps = dict(zip(names, list(palette("Dark2")) * len(table), strict=False))
    for line in table.to_dict("records"):
        row = line["detector"]
        colour = sweeps.get(line["sweep"], colours.get(row, "0.7"))
        _draw_row(axis, line, markers[row], colour, variant=rows[row]["role"] in VARIANTS)
    for name, colour in sweeps.items():
        axis.plot([], [], "o", ms=3, color=colour, label=f"{name}: candidates")
    if sweeps:
        axis.plot([], [], "s", ms=8, mec="0.3", mfc="none", label="selected without labels")
        axis.plot([], [], "D", ms=7, mec="0.3", mfc="none", label="selected with labels")
    if len(table):
        axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7)
    axis.set(xlabel="AUC of pseudo-anomalies (no labels)", ylabel="AUC of all anomalies", title=title)
    figure.tight_layout()
    return figure


def _without_labels(table: pd.DataFrame, rows: Rows, title: str) -> Figure:
    """The AUC of pseudo-anomalies alone, a line per row, best first."""
    table = table[~table["detector"].map(lambda row: rows[row]["role"] in VARIANTS) | table["chosen"]]
    table = table.sort_values(PSEUDO_AUC[0], kind="stable").reset_index(drop=True)
    colours = {row: style["color"] for row, style in line_styles(rows).items()}
    figure, axis = plt.subplots(figsize=(6.4, 0.26 * len(table) + 1.1))
    axis.axvline(0.5, **FAINT)
    for k, line in enumerate(table.to_dict("records")):
        (value, low, high), colour = (line[name] for name in PSEUDO_AUC), colours.get(line["detector"], "0.7")
        axis.errorbar(value, k, xerr=[[value - low], [high - value]], fmt="o", ms=4, color=colour)
    axis.set_yticks(range(len(table)), list(table["detector"]))
    axis.set(xlabel="AUC of pseudo-anomalies (no labels)", title=title)
    figure.tight_layout()
    return figure


def _draw_row(axis: Axes, line: dict[Any, Any], marker: str, colour: Any, variant: bool) -> None:
    """The dot of one row with its intervals, and the marks of a sweep's candidate."""
    (x, x_low, x_high), (y, y_low, y_high) = (
        [line[c] for c in of] for of in (PSEUDO_AUC, ["auc", "auc_low", "auc_high"])
    )
    bars: dict[str, Any] = {"xerr": [[x - x_low], [x_high - x]], "yerr": [[y - y_low], [y_high - y]]}
    axis.errorbar(x, y, **bars, fmt="none", ecolor=colour, elinewidth=0.6, alpha=0.5)
    axis.plot(x, y, marker, color=colour, ms=3 if variant else 6, label=None if variant else line["detector"])
    for mark, shape, size in (("chosen", "s", 10), ("best", "D", 8)):
        if line[mark]:
            axis.plot(x, y, shape, ms=size, mec=colour, mfc="none")


def _markers(rows: Rows) -> dict[str, str]:
    """Dots for detectors, which differ in colour. Rows of a role with a single colour differ in their marker."""
    markers = dict.fromkeys(rows, "o")
    for role in ("upper_bound", "external", "reference", "control"):
        of_role = (row for row, entry in rows.items() if entry["role"] == role)
        markers |= dict(zip(of_role, cycle("^vPX*<>"), strict=False))
    return markers
