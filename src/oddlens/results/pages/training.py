"""What models draw of themselves, what a choice without labels would have been, and what diverged."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from oddlens.results.pages.pieces import html
from oddlens.results.tables.columns import TRAINING_SET, UNCONTAMINATED, training_labels


def samples(table: pd.DataFrame) -> str | None:
    """Distances of drawn images from real ones after each training, means over seeds; in brackets what chance does."""
    keys = [*TRAINING_SET, "detector"]
    means = table.groupby(keys, sort=False).mean(numeric_only=True).reset_index()
    shown = pd.DataFrame({"row": means["detector"], "training": training_labels(means)})
    for name, words in (("sliced_wasserstein", "sliced Wasserstein"), ("frechet", "Fréchet"), ("variety", "variety")):
        pairs = zip(means[name], means[f"{name}_floor"], strict=True)
        shown[words] = [f"{found:.3f} ({floor:.3f})" for found, floor in pairs]
    return html(shown)


def collapsed(samples: pd.DataFrame) -> list[str]:
    """Models that draw nearly the same image all the time, in words."""
    lost = samples[samples["collapsed"].astype(bool)]
    names = zip(lost["detector"], lost["dataset"], training_labels(lost), lost["seed"], strict=True)
    return [f"{row} on {dataset}, {training}, seed {seed}" for row, dataset, training, seed in names]


def selection(table: pd.DataFrame, rows: Mapping[str, Mapping]) -> str | None:
    """What each sweep would have chosen after each training, without labels and with them."""
    lines = []
    for (sweep, *_), found in table.dropna(subset="sweep").groupby(["sweep", *TRAINING_SET], sort=False):
        chosen, best = (found[found[mark]].iloc[0] for mark in ("chosen", "best"))
        lines.append(
            {
                "sweep": sweep,
                "training": training_labels(found).iloc[0],
                "candidates": len(found),
                "chosen": _words(rows[chosen["detector"]]["varied"]),
                "its AUC": f"{chosen['auc']:.3f} ({chosen['auc_low']:.3f}–{chosen['auc_high']:.3f})",
                "by labels": _words(rows[best["detector"]]["varied"]),
                "AUC by labels": best["auc"],
                "median AUC": found["auc"].median(),
            }
        )
    return html(pd.DataFrame(lines))


def _words(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())


def agreement(selection: pd.DataFrame) -> dict[str, tuple[int, float]]:
    """How many rows of each data set were trained cleanly, and Spearman's correlation of both AUCs over them."""
    clean = selection[selection["contaminant"].isin(UNCONTAMINATED)].dropna(subset=["pseudo_anomaly_auc", "auc"])
    every = {name: (len(t), t["pseudo_anomaly_auc"].corr(t["auc"], "spearman")) for name, t in clean.groupby("dataset")}
    return {str(name): (count, found) for name, (count, found) in every.items() if count > 2 and found == found}


def diverged(auc: pd.DataFrame) -> list[dict]:
    """Models whose training diverged: data set, row, training set and seed."""
    lost = auc[auc["status"] == "diverged"].drop_duplicates(
        ["dataset", "contaminant", "contamination", "detector", "seed"]
    )
    return lost.assign(training=training_labels(lost)).to_dict("records")
