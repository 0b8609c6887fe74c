"""Training losses."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from oddlens.files.artefacts import read_table
from oddlens.results.figures.style import DASHES, message_figure, plt


def loss_curves(losses: Mapping[str, Sequence[Path | str]], title: str, columns: int = 5) -> Figure:
    """Loss against epoch, a panel per row, a line per training set, seed and objective.

    Args:
        losses: for each row the loss files of its seeds.
        title: of the figure.
        columns: panels in a line.
    """
    tables = {
        row: pd.concat(read_table(path)[0].assign(seed=k) for k, path in enumerate(paths))
        for row, paths in losses.items()
    }
    tables = {row: table for row, table in tables.items() if len(table)}
    if not tables:
        return message_figure("No detector of this study is trained by epochs.")
    training_sets = list(dict.fromkeys(name for table in tables.values() for name in table["training_set"]))
    colours = dict(zip(training_sets, plt.get_cmap("viridis")(np.linspace(0, 0.9, len(training_sets))), strict=True))
    columns = min(columns, len(tables))
    lines = -(-len(tables) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(2.5 * columns, 1.9 * lines + 0.5), squeeze=False)
    for axis, (row, table) in zip(axes.flat, tables.items(), strict=False):
        dashes = dict(zip(table["objective"].unique(), DASHES * 3, strict=False))
        for (training_set, objective, _), line in table.groupby(["training_set", "objective", "seed"], sort=False):
            axis.plot(line["epoch"], line["loss"], color=colours[training_set], lw=0.9, ls=dashes[objective])
        axis.set_title(row, fontsize=9)
        axis.tick_params(which="both", labelsize=7)
        axis.set_yscale("log" if (table["loss"].dropna() > 0).all() else "symlog")
    for axis in axes.flat[len(tables) :]:
        axis.axis("off")
    for axis in axes.flat[max(len(tables) - columns, 0) : len(tables)]:
        axis.set_xlabel("epoch")
    for axis in axes[:, 0]:
        axis.set_ylabel("loss")
    handles = [plt.Line2D([], [], color=colour) for colour in colours.values()]
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    figure.legend(handles, training_sets, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=min(len(training_sets), 8))
    return figure
