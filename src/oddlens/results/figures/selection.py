"""Could a detector have been chosen without labels? Its AUC on pseudo_anomalies beside that on test images."""

from collections.abc import Mapping
from itertools import cycle

import pandas as pd
from matplotlib.figure import Figure

from oddlens.results.figures.style import FAINT, looks, plt
from oddlens.results.tables.conventions import HOME, VARIANTS


def selection_dots(selection: pd.DataFrame, rows: Mapping[str, Mapping], title: str) -> Figure:
    """A dot for each row after clean training; of each sweep the candidate that was chosen and the best are marked."""
    found = selection[selection["contaminant"].isin(HOME)].sort_values("auc", ascending=False, kind="stable")
    colours = {row: look["color"] for row, look in looks(rows).items()}
    marks = _marks(rows)
    figure, axis = plt.subplots(figsize=(6.4, 4.6))
    axis.axvline(0.5, **FAINT)
    axis.axhline(0.5, **FAINT)
    shades = plt.get_cmap("Dark2").colors  # type: ignore[attr-defined]
    sweeps = dict(zip(sorted(found["sweep"].dropna().unique()), shades * len(found), strict=False))
    for line in found.to_dict("records"):
        name, x, y = line["detector"], line["probe_auc"], line["auc"]
        version = rows[name]["role"] in VARIANTS
        colour = sweeps.get(line["sweep"], colours.get(name, "0.7"))
        across, along = (
            [[x - line["probe_low"]], [line["probe_high"] - x]],
            [[y - line["auc_low"]], [line["auc_high"] - y]],
        )
        axis.errorbar(x, y, along, across, fmt="none", ecolor=colour, elinewidth=0.6, alpha=0.5)
        axis.plot(x, y, marks[name], color=colour, ms=3 if version else 6, label=None if version else name)
        for mark, shape, size in (("chosen", "s", 10), ("best", "D", 8)):
            if line[mark]:
                axis.plot(x, y, shape, ms=size, mec=colour, mfc="none")
    for name, colour in sweeps.items():
        axis.plot([], [], "o", ms=3, color=colour, label=f"{name}: candidates")
    if sweeps:
        axis.plot([], [], "s", ms=8, mec="0.3", mfc="none", label="chosen without labels")
        axis.plot([], [], "D", ms=7, mec="0.3", mfc="none", label="chosen with labels")
    if len(found):
        axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7)
    axis.set(xlabel="AUC of pseudo_anomalies, without labels", ylabel="AUC of all anomalies", title=title)
    figure.tight_layout()
    return figure


def _marks(rows: Mapping[str, Mapping]) -> dict[str, str]:
    """Dots, which differ by their colour; rows of a role whose rows have one colour get a shape each."""
    found = dict.fromkeys(rows, "o")
    for role in ("upper_bound", "reference", "control"):
        found |= dict(
            zip((row for row, entry in rows.items() if entry["role"] == role), cycle("^vPX*<>"), strict=False)
        )
    return found
