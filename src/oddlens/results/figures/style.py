"""The figures of a study: one file for each idea. Reads tables and the examples beside them; no model, no torch.

Here is what they share, and the other pictures of the project with them.
"""

from collections.abc import Iterable, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from oddlens.files.artefacts import replacing

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
IMAGES, DIFFERENCES, MAPS = "inferno", "RdBu_r", "magma"
DASHES = ["-", "--", "-.", ":"]
FAINT: Any = {"color": "0.8", "lw": 0.8, "zorder": 0}
"""What is there for comparison only."""


def save(figure: Figure, path: Path | str) -> None:
    """Write a PNG without a date in it, so that equal figures are equal files."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    plt.close(figure)


def said(words: str) -> Figure:
    """A figure that says why there is none."""
    figure = plt.figure(figsize=(6, 0.6))
    figure.text(0.5, 0.5, words, ha="center", va="center", color="0.4")
    return figure


def families(rows: Iterable[str]) -> dict[str, list[str]]:
    """Rows that are versions of one detector: by the first word of the name, as in `aae` and `aae_published`."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.partition("_")[0], []).append(row)
    return found


def looks(rows: Mapping[str, Mapping]) -> dict[str, dict[str, Any]]:
    """How the line of each row looks, the same in all figures.

    Each family of detectors begins with a new hue, solid; its other members are paler or of the next hues, and dashed.
    References and controls are grey, ceilings black and dashed.
    """
    shades = plt.get_cmap("tab20").colors  # type: ignore[attr-defined]
    hues = cycle(k for k in range(0, len(shades), 2) if k != 14)  # without the greys
    look: dict[str, dict[str, Any]] = {}
    hue = 0
    for members in families(row for row, entry in rows.items() if entry["role"] == "detector").values():
        for k, row in enumerate(members):
            hue = next(hues) if k % 2 == 0 else hue + 1
            look[row] = {"color": shades[hue], "ls": DASHES[k % len(DASHES)], "lw": 1.4}
    for role, grey, width in (("upper_bound", "0", 1.2), ("reference", "0.35", 0.9), ("control", "0.6", 0.9)):
        for k, row in enumerate(row for row, entry in rows.items() if entry["role"] == role):
            look[row] = {"color": grey, "ls": DASHES[(k + (role == "upper_bound")) % len(DASHES)], "lw": width}
    return look
