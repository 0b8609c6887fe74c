"""Deep regression: estimates beside the truth, whether their intervals hold, what many lenses tell together, and what
becomes of the images that a detector flags."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from oddlens.regression.estimates import Estimates
from oddlens.regression.targets import ANY, FRACTION, written
from oddlens.results.figures.style import DASHES, FAINT, STYLE, families, plt, save
from oddlens.results.tables.fractions import LENSES, drawn, odd_classes
from oddlens.results.tables.triage import ALONE
from oddlens.statistics import metrics

SHOWN = 40
"""Images whose intervals are drawn."""
WIDE = 4
"""Panels side by side, where there is one row of the regression."""
FAMILIES = 5
"""Families of detectors whose best is shown."""
LEVELS = np.linspace(0, 1, 41)
EXAMPLE = 0.75
"""The population shown is the one whose mean is this quantile of all."""


def _name(target: tuple[str, str]) -> str:
    return written(target[1]) if target[0] == ANY else f"{written(target[1])}, {target[0]}"


def _class_of(estimates: Estimates, target: tuple[str, str]) -> str:
    """The class whose images are shown: the number's own, or the smooth one."""
    return estimates.classes[0] if target[0] == ANY else target[0]


def estimate_panels(found: Sequence[Estimates], title: str) -> Figure:
    """For each number a line of panels, one for each row of the regression: posterior medians against the truth, with
    68 % intervals of some. The numbers of a single row stand side by side."""
    panels = [(estimates, target) for target in found[0].numbers for estimates in found]
    columns = len(found) if len(found) > 1 else min(WIDE, len(panels))
    lines = -(-len(panels) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(2.5 * columns, 2.0 * lines + 0.5), squeeze=False)
    for axis in axes.ravel()[len(panels) :]:
        axis.set_axis_off()
    for axis, (estimates, target) in zip(axes.ravel(), panels, strict=False):
        densities, truth = estimates.of(target, _class_of(estimates, target))
        middle = densities.quantile(0.5)
        low, high = densities[:SHOWN].quantile(0.16), densities[:SHOWN].quantile(0.84)
        axis.plot(truth, middle, ".", color="tab:blue", ms=1.5, alpha=0.35, zorder=1)
        spans = np.maximum([middle[:SHOWN] - low, high - middle[:SHOWN]], 0)
        axis.errorbar(truth[:SHOWN], middle[:SHOWN], spans, fmt=".", ms=3, lw=0.7, color="tab:orange", zorder=2)
        ends = np.quantile(truth, [0, 1])
        axis.plot(ends, ends, **FAINT | {"color": "0.3"})
        axis.set_title(f"{estimates.row}: {_name(target)}", fontsize=7)
        axis.tick_params(labelsize=6)
    for axis in axes[:, 0]:
        axis.set_ylabel("median", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("truth", fontsize=8)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout(pad=0.5, rect=(0, 0, 1, 0.98))
    return figure


def calibration_curves(found: Sequence[Estimates], title: str) -> Figure:
    """How many truths lie within central intervals, less what is claimed, for each number; the band is what chance
    leaves to one that is calibrated."""
    figure, axes = plt.subplots(1, len(found), figsize=(4.2 * len(found), 3.4), squeeze=False, sharey=True)
    shades = plt.get_cmap("tab20").colors  # type: ignore[attr-defined]
    for axis, estimates in zip(axes[0], found, strict=True):
        least = 0
        for k, target in enumerate(estimates.numbers):
            densities, truth = estimates.of(target, _class_of(estimates, target))
            level = densities.level(truth)
            inside = np.array([np.mean(np.abs(level - 0.5) <= part / 2) for part in LEVELS])
            axis.plot(LEVELS, inside - LEVELS, color=shades[k % 20], ls=DASHES[k // 8 % 4], lw=1.2, label=_name(target))
            least = min(least or len(truth), len(truth))
        band = metrics.NORMAL * np.sqrt(LEVELS * (1 - LEVELS) / least)
        axis.fill_between(LEVELS, -band, band, color="0.9", zorder=0)
        axis.axhline(0, **FAINT)
        axis.set(xlabel="claimed probability", title=estimates.row)
        axis.legend(fontsize=5.5, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    axes[0][0].set_ylabel("covered less claimed")
    figure.suptitle(title, fontsize=11)
    return figure


def fraction_panels(found: Sequence[Estimates], title: str) -> Figure:
    """For each class, by the row that knows most of its fraction: means of populations beside their truth, by samples
    of few and many lenses and by the mean of single estimates; the posterior of one population as its sample grows."""

    def known(cls: str, estimates: Estimates) -> float:
        densities, truth = estimates.of((cls, FRACTION), cls)
        return float(densities.score(truth).mean())

    cases = []
    for cls in odd_classes(found[0]):
        best = max(found, key=partial(known, cls))
        cases.append((best, cls, drawn(best, cls)))
    figure, axes = plt.subplots(len(cases), 3, figsize=(9.6, 2.9 * len(cases) + 0.4), squeeze=False)
    for (first, second, third), (estimates, cls, made) in zip(axes, cases, strict=True):
        ends = made.truth.min(), made.truth.max()
        for axis in (first, second):
            axis.plot(ends, ends, **FAINT | {"color": "0.3"})
            axis.set_xlabel("true mean fraction")
        estimate, deviation = made.estimate(), made.deviation()
        for k, hue in ((LENSES.index(10), "tab:orange"), (len(LENSES) - 1, "tab:blue")):
            look = {"fmt": ".", "ms": 3, "lw": 0.5, "alpha": 0.6, "color": hue, "label": f"{LENSES[k]} lenses"}
            some = slice(0, 100)
            first.errorbar(made.truth[some], estimate[k][some], deviation[k][some], **look)
        first.set_ylabel(f"{estimates.row}, {cls}: posterior mean")
        second.plot(made.truth, made.of_means[-1], ".", ms=2, color="0.5", label=f"mean of {LENSES[-1]} estimates")
        second.plot(made.truth, estimate[-1], ".", ms=2, color="tab:blue", label=f"posterior, {LENSES[-1]} lenses")
        shown = np.argsort(made.truth)[int(EXAMPLE * len(made.truth))]
        step = made.means[1] - made.means[0]
        for k, size in enumerate(LENSES):
            shade = plt.get_cmap("Blues")(0.3 + 0.7 * k / (len(LENSES) - 1))
            third.plot(made.means, made.posterior[k, shown] / step, color=shade, label=str(size))
        third.axvline(made.truth[shown], **FAINT | {"color": "0.3"})
        third.set(xlabel="mean fraction", ylabel="posterior density")
        for axis, heading in ((first, None), (second, None), (third, "lenses")):
            axis.legend(title=heading, fontsize=7, title_fontsize=7)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout(rect=(0, 0, 1, 0.98))
    return figure


def triage_curves(triage: pd.DataFrame, title: str) -> Figure:
    """Purity and completeness of each type against the flagged part: the best of each family of detectors followed by
    the classifier, and the classifier alone. Of the rows of the regression the one that alone finds most."""
    at_odd = triage[triage["flagged"] == triage["odd"]]
    alone = at_odd[at_odd["detector"] == ALONE].groupby("row", sort=False)["completeness"].mean()
    row = alone.idxmax()
    at_odd = at_odd[(at_odd["row"] == row) & (at_odd["detector"] != ALONE)]
    order = at_odd.groupby("detector")["completeness"].mean().sort_values(ascending=False, kind="stable").index
    best = [members[0] for members in families(order).values()][:FAMILIES]
    triage = triage[(triage["row"] == row) & triage["detector"].isin([ALONE, *best])]
    types = triage["type"].unique()
    figure, axes = plt.subplots(2, len(types), figsize=(4.4 * len(types), 5.8), squeeze=False, sharex=True)
    shades = plt.get_cmap("tab10").colors  # type: ignore[attr-defined]
    for t, kind in enumerate(types):
        here = triage[triage["type"] == kind]
        for axis, measure in zip(axes[:, t], ("purity", "completeness"), strict=True):
            for k, (detector, line) in enumerate(here.groupby("detector", sort=False)):
                look = {"color": "k", "ls": "--"} if detector == ALONE else {"color": shades[(k - 1) % 10]}
                axis.plot(line["flagged"], line[measure], label=detector, marker="o", ms=2, lw=1.2, **look)
                span = line[f"{measure}_low"], line[f"{measure}_high"]
                axis.fill_between(line["flagged"], *span, alpha=0.12, color=look["color"])
            axis.axvline(here["odd"].iloc[0], **FAINT)
            axis.set(xscale="log", ylim=(0, 1.02), ylabel=f"{measure}, {kind}")
    for axis in axes[-1]:
        axis.set_xlabel("flagged part")
    axes[0][-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle(f"{title}, types told by {row}", fontsize=11)
    figure.tight_layout(rect=(0, 0, 1, 0.98))
    return figure


def draw_regression(
    outputs: Mapping[str, str | Path], *, dataset: str, estimates: Iterable[str | Path], triage: str | Path
) -> None:
    """Draw those figures of one data set that `outputs` names, from the files of all rows, and `triage.csv`."""
    found = [Estimates.read(path) for path in estimates]
    table = pd.read_csv(triage)
    figures = {
        "estimates": lambda: estimate_panels(found, f"{dataset}: estimates beside the truth"),
        "calibration": lambda: calibration_curves(found, f"{dataset}: do the intervals hold?"),
        "fractions": lambda: fraction_panels(found, f"{dataset}: the mean substructure fraction of populations"),
        "triage": lambda: triage_curves(table[table["dataset"] == dataset], f"{dataset}: after the alarm"),
    }
    with plt.rc_context(STYLE):
        for name, path in outputs.items():
            save(figures[name](), path)
