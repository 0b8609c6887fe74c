"""What all figures share: colours, line styles, error bars, and writing. Figures read tables and examples; no model.

Importing this module selects matplotlib's backend `agg`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oddlens.files.artefacts import atomic_write

STYLE: Any = {
    "figure.dpi": 110,
    "savefig.bbox": "tight",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
IMAGE_CMAP, DIFFERENCE_CMAP, MAP_CMAP = "inferno", "RdBu_r", "magma"
DASHES = ["-", "--", "-.", ":"]
FAINT: Any = {"color": "0.8", "lw": 0.8, "zorder": 0}
"""Lines in the background, for comparison."""
REFERENCE_LINE: Any = {"color": "0.7", "lw": 0.8, "ls": ":"}
"""Lines at the value of random guessing, or of no change."""
ERROR_BARS: Any = {"marker": "o", "ms": 2.5, "capsize": 1.5, "elinewidth": 0.8}

Rows = Mapping[str, Mapping]
"""For each row of the config its `role`."""


def save(figure: Figure, path: Path | str) -> None:
    """Write a PNG without a date, so that equal figures are equal files."""
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    plt.close(figure)


def save_figures(outputs: Mapping[str, str | Path], makers: Mapping[str, Callable[[], Figure]]) -> None:
    """Make and write those figures that `outputs` names."""
    with plt.rc_context(STYLE):
        for name, path in outputs.items():
            save(makers[name](), path)


def message_figure(text: str) -> Figure:
    """A figure that shows a text, for example why there is nothing to show."""
    figure = plt.figure(figsize=(6, 0.6))
    figure.text(0.5, 0.5, text, ha="center", va="center", color="0.4")
    return figure


def no_auc_figure() -> Figure:
    """The message in place of a figure of AUCs, for a data set without labels of both kinds."""
    return message_figure("No AUC: the test images are not labelled as normal and as anomalous.")


def palette(name: str) -> Sequence[tuple[float, ...]]:
    """The colours of a qualitative colour map."""
    return plt.get_cmap(name).colors  # type: ignore[attr-defined]


def families(rows: Iterable[str]) -> dict[str, list[str]]:
    """Rows that are versions of one detector, by the first word of their names, as in `aae` and `aae_published`."""
    members: dict[str, list[str]] = {}
    for row in rows:
        members.setdefault(row.partition("_")[0], []).append(row)
    return members


def line_styles(rows: Rows) -> dict[str, dict[str, Any]]:
    """The line style of each row, which is the same in all figures.

    Each family of detectors begins with a new hue and a solid line; its other members are paler or of the next hues,
    and dashed. Outside scores, references and controls are grey. Upper bounds are black and dashed.
    """
    shades = palette("tab20")
    hues = cycle(k for k in range(0, len(shades), 2) if k != 14)  # 14 and 15 are grey
    styles: dict[str, dict[str, Any]] = {}
    hue = 0
    for members in families(row for row, entry in rows.items() if entry["role"] == "detector").values():
        for k, row in enumerate(members):
            hue = next(hues) if k % 2 == 0 else hue + 1
            styles[row] = {"color": shades[hue], "ls": DASHES[k % len(DASHES)], "lw": 1.4}
    greys = ("upper_bound", "0", 1.2), ("external", "0.2", 1.2), ("reference", "0.35", 0.9), ("control", "0.6", 0.9)
    for role, grey, width in greys:
        for k, row in enumerate(row for row, entry in rows.items() if entry["role"] == role):
            styles[row] = {"color": grey, "ls": DASHES[(k + (role == "upper_bound")) % len(DASHES)], "lw": width}
    return styles


def rows_to_show(best: Sequence[str], rows: Rows) -> list[str]:
    """The upper bounds, the rows of outside scores, and the best rows."""
    always = [row for role in ("upper_bound", "external") for row in rows if rows[row]["role"] == role]
    return [*always, *(row for row in best if row not in always)]


def error_bar_curve(axis: Axes, table: pd.DataFrame, x: str, y: str, style: Mapping[str, Any], label: str) -> None:
    """Draw the column `y` of one row against the column `x`, with the intervals `<y>_low` to `<y>_high`."""
    table = table.sort_values(x)
    bars = [table[y] - table[f"{y}_low"], table[f"{y}_high"] - table[y]]
    axis.errorbar(table[x], table[y], yerr=bars, **ERROR_BARS, label=label, **style)
