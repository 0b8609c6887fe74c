"""Curves: how well each row ranks, and what becomes of it with contamination, with the truth, with training, and with
many lenses together."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oddlens.data.training_sets import CLEAN
from oddlens.files.artefacts import read_table
from oddlens.results.figures.style import DASHES, FAINT, families, looks, plt, said
from oddlens.results.tables.bins import OF_LENS, OF_SUBSTRUCTURE
from oddlens.results.tables.conventions import ALL, BLIND, HOME, VARIANTS
from oddlens.results.tables.false_alarms import LENSES
from oddlens.results.tables.population import SIGMA
from oddlens.results.tables.scored import Scored
from oddlens.statistics import metrics

GRID = np.concatenate([np.linspace(0, 0.05, 101), np.linspace(0.05, 1, 191)[1:]])
"""False positive rates at which ROC curves of several seeds are averaged."""
MARKS: Any = {"marker": "o", "ms": 2.5, "capsize": 1.5, "elinewidth": 0.8}

Rows = Mapping[str, Mapping]


def roc_curves(scored: Scored, summary: pd.DataFrame, rows: Rows, title: str) -> Figure:
    """ROC curves after clean (or labelled) training, a panel per anomaly, the true positive rate averaged over seeds.

    The area under that average is the mean AUC, which stands in the legend.
    """
    anomalies = scored.anomalies
    figure, axes = plt.subplots(1, len(anomalies), figsize=(3.7 * len(anomalies), 3.7), squeeze=False, sharey=True)
    look = looks(rows)
    home = summary[summary["contaminant"].isin(HOME)]
    normal = scored.positions(scored.smooth)
    for axis, anomaly in zip(axes[0], anomalies, strict=True):
        odd = scored.positions(anomaly)
        means = home[(home["anomaly"] == anomaly) & ~home["role"].isin(VARIANTS)].dropna(subset="auc")
        means = means.sort_values("auc", ascending=False, kind="stable")
        for row, auc in zip(means["detector"], means["auc"], strict=True):
            ours = scored.at_home & ((scored.models["detector"] == row) & (scored.models["status"] == "ok"))
            curves = [metrics.roc(values[normal], values[odd]) for values in scored.values[ours]]
            tpr = np.mean([np.interp(GRID, *curve) for curve in curves], axis=0)
            axis.plot(np.r_[0, GRID], np.r_[0, tpr], label=f"{auc:.3f}  {row}", **look[row])
        axis.plot([0, 1], [0, 1], color="0.7", lw=0.8, ls=":")
        axis.set(xlabel="false positive rate", aspect="equal", xlim=(0, 1), ylim=(0, 1.005))
        axis.set_title(f"{scored.smooth} against {anomaly}")
        if len(means):
            axis.legend(
                title="AUC",
                loc="upper center",
                bbox_to_anchor=(0.5, -0.16),
                ncols=2,
                fontsize=6.5,
                handlelength=1.6,
                columnspacing=0.8,
            )
    axes[0][0].set_ylabel("true positive rate")
    figure.suptitle(title, fontsize=11)
    return figure


def contamination_curves(auc: pd.DataFrame, summary: pd.DataFrame, rows: Rows, title: str) -> Figure:
    """How much the AUC against all anomalies changes with the contaminated part of the training set.

    A column of panels for each family of rows, a line of them for each contaminant; bars are over test images, dots are
    seeds, each beside its own clean training. All other detectors are faint in the background. What sees nothing after
    clean training (`BLIND`) has nothing to lose and isn't there.
    """
    auc, summary = (table[table["anomaly"] == ALL].dropna(subset="auc") for table in (auc, summary))
    clean = summary[summary["contaminant"] == CLEAN].set_index("detector")["auc"]
    shown = summary["detector"].map(clean).gt(0.5 + BLIND) & ~summary["contaminant"].isin(HOME)
    found = summary[shown & ~summary["role"].isin(VARIANTS)]
    if not len(found):
        return said("No detector that sees anything had a contaminated training set.")
    kinds, groups = found["contaminant"].unique(), _groups(row for row in rows if row in set(found["detector"]))
    own = auc[auc["contaminant"] == CLEAN].set_index(["detector", "seed"])["auc"].rename("clean")
    seeds = auc.join(own, on=["detector", "seed"])
    legend = 0.14 * max(map(len, groups)) + 0.3
    size = (3.3 * len(groups), 2.4 * len(kinds) + legend + 0.3)
    figure, axes = plt.subplots(len(kinds), len(groups), figsize=size, squeeze=False, sharex=True, sharey=True)
    look = looks(rows)
    for line, kind in zip(axes, kinds, strict=True):
        here = found[found["contaminant"] == kind]
        for axis, members in zip(line, groups, strict=True):
            for row, curve in here.groupby("detector", sort=False):
                both = np.r_[0, curve["contamination"]], np.r_[0, curve["change"]]
                if row not in members:
                    axis.plot(*both, **FAINT)
                    continue
                bars = [curve["change"] - curve["change_low"], curve["change_high"] - curve["change"]]
                at = axis.errorbar(
                    *both,
                    yerr=[np.r_[0, bar] for bar in bars],
                    **MARKS,
                    label=f"{clean[row]:.3f}  {row}",
                    **look[row],
                )
                dots = seeds[(seeds["contaminant"] == kind) & (seeds["detector"] == row)]
                axis.plot(
                    dots["contamination"], dots["auc"] - dots["clean"], ".", color=at[0].get_color(), ms=3, alpha=0.5
                )
            axis.axhline(0, color="0.7", lw=0.8, ls=":")
        line[0].set_ylabel(f"change of AUC, {kind} hidden")
    for axis in axes[0]:  # above the panels, as lines may be anywhere in them
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
        axis.legend(**above, fontsize=6.5, title="clean AUC", title_fontsize=6.5, alignment="left")
    for axis in axes[-1]:
        axis.set_xlabel("contaminated fraction")
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return figure


def _groups(rows: Iterable[str]) -> list[list[str]]:
    """Families of two and more; all others together, last."""
    found = families(rows).values()
    alone = [members[0] for members in found if len(members) == 1]
    return [members for members in found if len(members) > 1] + ([alone] if alone else [])


def row_curve(axis: Axes, rows: pd.DataFrame, x: str, y: str, look: Mapping[str, Any], label: str) -> None:
    """One row's `y` against `x`: means over seeds with their intervals over test images."""
    rows = rows.sort_values(x)
    bars = [rows[y] - rows[f"{y}_low"], rows[f"{y}_high"] - rows[y]]
    axis.errorbar(rows[x], rows[y], yerr=bars, **MARKS, label=label, **look)


def _shown(best: Sequence[str], rows: Rows) -> list[str]:
    """The ceilings, and the best rows."""
    return [*(row for row in rows if rows[row]["role"] == "upper_bound"), *best]


def bin_curves(bins: pd.DataFrame, best: Sequence[str], rows: Rows, title: str) -> Figure:
    """AUC against what the simulator knows of each image, for the ceilings and some rows.

    A line of panels per anomaly, a panel per truth; masses as their logarithms.
    """
    if not len(bins):
        return said("No property of the odd images varies in this data set.")
    anomalies = list(bins["anomaly"].unique())
    truths = [
        [t for t in (*OF_SUBSTRUCTURE, *OF_LENS) if t in set(bins["truth"][bins["anomaly"] == a])] for a in anomalies
    ]
    columns = max(map(len, truths))
    size = (2.9 * columns, 2.4 * len(anomalies) + 0.4)
    figure, axes = plt.subplots(len(anomalies), columns, figsize=size, squeeze=False, sharey="row")
    masses = bins["truth"].str.endswith("_msun")
    bins = bins.assign(median=bins["median"].where(~masses, np.log10(bins["median"].where(masses))))
    look = looks(rows)
    for line, anomaly, names in zip(axes, anomalies, truths, strict=True):
        for axis, truth in zip(line, names, strict=False):
            for row in _shown(best, rows):
                chosen = (bins["anomaly"] == anomaly) & (bins["truth"] == truth) & (bins["detector"] == row)
                if chosen.any():
                    row_curve(axis, bins[chosen], "median", "auc", look[row], row)
            axis.axhline(0.5, color="0.7", lw=0.8, ls=":")
            axis.set_xlabel(("log10 of " if truth.endswith("_msun") else "") + (OF_SUBSTRUCTURE | OF_LENS)[truth])
        for axis in line[len(names) :]:
            axis.axis("off")
        line[0].set_ylabel(f"AUC, {anomaly}")
    axes[0][len(truths[0]) - 1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return figure


def population_curves(population: pd.DataFrame, best: Sequence[str], rows: Rows, title: str) -> Figure:
    """Lenses for a detection of substructure against its mass fraction, a panel per anomaly, for the ceilings and some
    rows.

    More lenses than a survey has are left out, and bars that reach beyond end outside.
    """
    if not len(population):
        return said("No model of this data set converged.")
    anomalies, shown = list(population["anomaly"].unique()), _shown(best, rows)
    population = population.assign(
        percent=100 * population["median"],
        lenses=population["lenses"].where(population["lenses"] <= LENSES),
        lenses_high=population["lenses_high"].clip(upper=10 * LENSES),
    )
    if population.loc[population["detector"].isin(shown), "lenses"].isna().all():
        return said(f"No row that is shown here tells populations apart by {LENSES:,} lenses.")
    size = (3.7 * len(anomalies), 3.4)
    figure, axes = plt.subplots(1, len(anomalies), figsize=size, squeeze=False, sharex=True, sharey=True)
    look = looks(rows)
    for axis, anomaly in zip(axes[0], anomalies, strict=True):
        for row in shown:
            chosen = (population["anomaly"] == anomaly) & (population["detector"] == row)
            row_curve(axis, population[chosen], "percent", "lenses", look[row], row)
        axis.set(yscale="log", title=anomaly, xlabel="mass in substructure [% of the lens]")
        axis.set_xscale("log", subs=[2, 3, 4, 6])
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter("{x:g}")
    axes[0][0].set(ylabel=f"lenses for {SIGMA:g} σ", ylim=(0.8, np.clip(axes[0][0].get_ylim()[1], 12, LENSES)))
    axes[0][-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return figure


def loss_curves(losses: Mapping[str, Sequence[Path | str]], title: str, columns: int = 5) -> Figure:
    """Loss against epoch, a panel per row trained by epochs; a line per training set, seed and objective."""
    found = {
        row: pd.concat(read_table(path)[0].assign(seed=k) for k, path in enumerate(paths))
        for row, paths in losses.items()
    }
    found = {row: table for row, table in found.items() if len(table)}
    if not found:
        return said("No detector of this study is trained by epochs.")
    training_sets = list(
        dict.fromkeys(training_set for table in found.values() for training_set in table["training_set"])
    )
    colour = dict(zip(training_sets, plt.get_cmap("viridis")(np.linspace(0, 0.9, len(training_sets))), strict=True))
    columns = min(columns, len(found))
    lines = -(-len(found) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(2.5 * columns, 1.9 * lines + 0.5), squeeze=False)
    for axis, (row, table) in zip(axes.flat, found.items(), strict=False):
        dashes = dict(zip(table["objective"].unique(), DASHES * 3, strict=False))
        for (training_set, objective, _), line in table.groupby(["training_set", "objective", "seed"], sort=False):
            axis.plot(line["epoch"], line["loss"], color=colour[training_set], lw=0.9, ls=dashes[objective])
        axis.set_title(row, fontsize=9)
        axis.tick_params(which="both", labelsize=7)
        axis.set_yscale("log" if (table["loss"].dropna() > 0).all() else "symlog")
    for axis in axes.flat[len(found) :]:
        axis.axis("off")
    for axis in axes.flat[max(len(found) - columns, 0) : len(found)]:
        axis.set_xlabel("epoch")
    handles = [plt.Line2D([], [], color=c) for c in colour.values()]
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    figure.legend(handles, training_sets, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=min(len(training_sets), 8))
    return figure
