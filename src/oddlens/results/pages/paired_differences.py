"""Significance of differences between rows: paired tests on the same images, mean ranks over tasks, and ablations."""

from typing import Any

import pandas as pd

from oddlens.results.pages.formatting import html_table, interval_column, p_column, signed_column
from oddlens.results.tables.columns import ALL, AS_GIVEN, CLEAN_LABEL
from oddlens.results.tables.thresholds import SIGNIFICANCE_LEVEL


def both_directions(pairs: pd.DataFrame) -> pd.DataFrame:
    """Each pair a, b and also b, a."""
    names = ["a", "b", "a_auc", "b_auc"]
    turned = pairs.rename(columns=dict(zip(names, ["b", "a", "b_auc", "a_auc"], strict=True)))
    for low, high in (("low", "high"), ("seed_low", "seed_high"), ("difference", "difference")):
        turned[low], turned[high] = -turned[high], -turned[low]
    return pd.concat([pairs, turned[pairs.columns]])


def after_clean_training(pairs: pd.DataFrame) -> pd.DataFrame:
    """All pairs after clean training against all anomalies, in both directions."""
    clean = pairs["training"].isin([CLEAN_LABEL, AS_GIVEN])
    return both_directions(pairs[clean & (pairs["anomaly"] == ALL)])


def indistinguishable(pairs: pd.DataFrame, dataset: str, row: str) -> list[str]:
    """The rows whose AUC on a data set does not differ significantly from that of a row, after clean training."""
    own = after_clean_training(pairs[pairs["dataset"] == dataset])
    return list(own.loc[(own["a"] == row) & (own["p_holm"] > SIGNIFICANCE_LEVEL), "b"])


def differences_to(pairs: pd.DataFrame, best: str | None) -> str | None:
    """The best detector of a data set against each other row, after clean training, against all anomalies."""
    own = after_clean_training(pairs)
    own = own[own["a"] == best].sort_values("difference", kind="stable")
    table = own[["b", "b_auc"]].rename(columns={"b": "row", "b_auc": "AUC"})
    return html_table(table.assign(**{"best − row": signed_column(own["difference"])}, **significance_columns(own)))


def friedman(ranks: pd.DataFrame) -> dict[str, Any] | None:
    """The result of Friedman's test; `min_p` is the smallest corrected p that the number of tasks allows for a pair."""
    ranked = ranks.dropna(subset="mean_rank")
    if len(ranked) < 2 or ranked["tasks"].max() < 2:
        return None
    return {
        "tasks": int(ranked["tasks"].max()),
        "rows": len(ranked),
        "best": ranked["detector"].iloc[0],
        "chi2": ranked["friedman_chi2"].iloc[0],
        "p": ranked["friedman_p"].iloc[0],
        "min_p": 2 / 2 ** ranked["tasks"].max() * len(ranked) * (len(ranked) - 1) / 2,
        "unranked": list(ranks.loc[ranks["mean_rank"].isna(), "detector"]),
    }


def ablations(table: pd.DataFrame) -> str | None:
    """The gain of each component against all anomalies."""
    every = table[table["anomaly"] == ALL]
    columns = {"base": "row", "base_auc": "AUC", "ablation": "ablation", "ablation_auc": "AUC of ablation"}
    shown = every[list(columns)].rename(columns=columns)
    return html_table(shown.assign(gain=signed_column(every["gain"]), **significance_columns(every)))


def significance_columns(table: pd.DataFrame) -> dict[str, pd.Series]:
    """The intervals and p-values of differences."""
    return {
        "95 % over test images": interval_column(table, "low", "high"),
        "p (Holm)": p_column(table["p_holm"]),
        "95 % over seeds": interval_column(table, "seed_low", "seed_high"),
    }
