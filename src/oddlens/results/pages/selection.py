"""Model selection without labels: the candidates of sweeps, and the agreement of pseudo-anomalies with anomalies."""

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from oddlens.results.pages.formatting import html_table
from oddlens.results.tables.columns import TRAINING_SET, UNCONTAMINATED, training_labels_of
from oddlens.results.tables.selection import PSEUDO_AUC


def selected_candidates(table: pd.DataFrame, rows: Mapping[str, Mapping], own: Collection[str] = ()) -> str | None:
    """The candidate of each sweep selected without labels after each training, and the one selected with labels."""
    lines = []
    for (sweep, *_), candidates in table.dropna(subset="sweep").groupby(["sweep", *TRAINING_SET], sort=False):
        training, chosen = training_labels_of(candidates, own).iloc[0], candidates[candidates["chosen"]].iloc[0]
        known = {"sweep": sweep, "training": training, "candidates": len(candidates)}
        known |= {"selected without labels": _settings(rows[chosen["detector"]]["varied"])}
        if not candidates["best"].any():  # there are no labels
            lines.append(known)
            continue
        best = candidates[candidates["best"]].iloc[0]
        lines.append(
            {
                **known,
                "AUC": f"{chosen['auc']:.3f} ({chosen['auc_low']:.3f}–{chosen['auc_high']:.3f})",
                "selected with labels": _settings(rows[best["detector"]]["varied"]),
                "AUC with labels": best["auc"],
                "median AUC": candidates["auc"].median(),
            }
        )
    return html_table(pd.DataFrame(lines))


def _settings(varied: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in varied.items())


def rank_agreement(selection: pd.DataFrame) -> dict[str, tuple[int, float]]:
    """For each data set the number of rows after clean training, and Spearman's correlation of both AUCs over them."""
    pseudo = PSEUDO_AUC[0]
    clean = selection[selection["contaminant"].isin(UNCONTAMINATED)].dropna(subset=[pseudo, "auc"])
    every = {name: (len(t), t[pseudo].corr(t["auc"], "spearman")) for name, t in clean.groupby("dataset")}
    return {str(name): (count, rho) for name, (count, rho) in every.items() if count > 2 and rho == rho}
