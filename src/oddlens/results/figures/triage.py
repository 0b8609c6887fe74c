"""Purity and completeness of flagged and classified lenses."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from oddlens.results.figures.style import FAINT, families, palette, plt
from oddlens.results.tables.triage import CLASSIFIER_ALONE

MAX_FAMILIES = 5
"""Families of detectors of which the best is shown."""


def triage_curves(triage: pd.DataFrame, title: str) -> Figure:
    """Purity and completeness of each type against the flagged fraction.

    The curves are those of the best detector of each family followed by the classifier, and of the classifier alone.
    The classifier is the row of the regression with the highest completeness on its own.
    """
    row, best = _best(triage)
    triage = triage[(triage["row"] == row) & triage["detector"].isin([CLASSIFIER_ALONE, *best])]
    types = triage["type"].unique()
    figure, axes = plt.subplots(2, len(types), figsize=(4.4 * len(types), 5.8), squeeze=False, sharex=True)
    shades = palette("tab10")
    for t, name in enumerate(types):
        of_type = triage[triage["type"] == name]
        for axis, measure in zip(axes[:, t], ("purity", "completeness"), strict=True):
            for k, (detector, line) in enumerate(of_type.groupby("detector", sort=False)):
                alone = detector == CLASSIFIER_ALONE
                style: dict[str, Any] = {"color": "k", "ls": "--"} if alone else {"color": shades[(k - 1) % 10]}
                flagged = line["flagged_fraction"]
                axis.plot(flagged, line[measure], label=detector, marker="o", ms=2, lw=1.2, **style)
                span = line[f"{measure}_low"], line[f"{measure}_high"]
                axis.fill_between(flagged, *span, alpha=0.12, color=style["color"])
            axis.axvline(of_type["anomalous_fraction"].iloc[0], **FAINT)
            axis.set(xscale="log", ylim=(0, 1.02), ylabel=f"{measure}, {name}")
    for axis in axes[-1]:
        axis.set_xlabel("flagged fraction")
    axes[0][-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle(f"{title}, classified by {row}", fontsize=11)
    figure.tight_layout(rect=(0, 0, 1, 0.98))
    return figure


def _best(triage: pd.DataFrame) -> tuple[str, list[str]]:
    """The best row of the regression, and the best detector of each family, if as many are flagged as are anomalous."""
    table = triage[triage["flagged_fraction"] == triage["anomalous_fraction"]]
    alone = table[table["detector"] == CLASSIFIER_ALONE].groupby("row", sort=False)["completeness"].mean()
    row = str(alone.idxmax())
    table = table[(table["row"] == row) & (table["detector"] != CLASSIFIER_ALONE)]
    means = table.groupby("detector")["completeness"].mean()
    order = means.sort_values(ascending=False, kind="stable").index
    return row, [members[0] for members in families(order).values()][:MAX_FAMILIES]
