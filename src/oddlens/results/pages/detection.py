"""How well anomalous lenses are detected: the best rows, tables of rows by AUC, and controls."""

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from oddlens.config.external_row import ROLE
from oddlens.results.pages.formatting import html_table, interval_column
from oddlens.results.pages.paired_differences import indistinguishable
from oddlens.results.tables.auc import ranking
from oddlens.results.tables.columns import ALL, INVERTED_AUC
from oddlens.results.tables.thresholds import CHANCE_MARGIN

N_LEADERS = 3
"""How many of the best detectors the first table of a page lists."""
KINDS = {"detector": "detector", "physics": "lens fit", "external": "outside scores", "upper_bound": "upper bound"}
"""The kinds of rows in the first table of a page, in order, and their labels."""


def descriptions_by_role(
    rows: Mapping[str, Mapping], descriptions: Mapping[str, str]
) -> dict[str, list[tuple[str, str]]]:
    """For each role the names of rows with the same description, and the description."""
    roles = ("detector", "external", "upper_bound", "reference", "control")
    names: dict[str, dict[str, list[str]]] = {role: {} for role in roles}
    for row, entry in rows.items():
        names.get(entry["role"], {}).setdefault(descriptions[row], []).append(row)
    return {role: [(", ".join(same), text) for text, same in of_role.items()] for role, of_role in names.items()}


def best_detector(dataset: str, judged: pd.DataFrame, pairs: pd.DataFrame, published: pd.DataFrame) -> dict[str, Any]:
    """The line of the best detector of a data set against all anomalies, or of the best row without detectors.

    `equals` are the rows without a significant difference to it, and `published` is the best published AUC. `detector`
    is None if no row converged, or if there are no AUCs.

    Args:
        dataset: the name of the data set.
        judged: lines of `summary.csv` of it after clean or labelled training.
        pairs: the table `pairs`.
        published: the table `published`.
    """
    lines = judged[judged["anomaly"] == ALL].dropna(subset="auc").sort_values("auc", ascending=False, kind="stable")
    detectors = lines[lines["role"] == "detector"]
    if not len(lines):
        return {"dataset": dataset, "detector": None, "judged": len(judged) > 0}
    best: dict[Any, Any] = (detectors if len(detectors) else lines).iloc[0].to_dict()
    same = (published["dataset"] == best["dataset"]) & (published["reproduces"] == best["dataset"])
    known = published[same & (published["anomaly"] == ALL) & (published["training"] == "clean")]
    known = known.sort_values("published_auc", ascending=False)
    return best | {
        "judged": True,
        "equals": indistinguishable(pairs, best["dataset"], best["detector"]),
        "published": known.iloc[0].to_dict() if len(known) else None,
    }


def leaders(judged: pd.DataFrame, fits: Collection[str]) -> str | None:
    """The leading rows of one data set against all anomalies, as a table; see `leading_lines`."""
    lines = leading_lines(judged, fits)
    if not len(lines):
        return None
    table = pd.DataFrame({"row": lines["detector"], "kind": lines["kind"], "AUC": lines["auc"]}).assign(**_spans(lines))
    table["detected at 1 % false positives"] = lines["tpr_at_fpr_01"].map(lambda rate: f"{100 * rate:.0f} %")
    return html_table(table, f"leaders-{judged['dataset'].iloc[0]}")


def leading_lines(judged: pd.DataFrame, fits: Collection[str]) -> pd.DataFrame:
    """The best detectors, the lens fits, the rows of outside scores and the upper bounds of one data set.

    Args:
        judged: lines of `summary.csv` of one data set after clean or labelled training.
        fits: the rows that fit lenses.

    Returns:
        Their lines against all anomalies, with the `kind` of each row.
    """
    lines = judged[judged["anomaly"] == ALL].dropna(subset="auc").sort_values("auc", ascending=False, kind="stable")
    kind = lines["role"].mask(lines["detector"].isin(fits) & (lines["role"] == "detector"), "physics")
    parts = {name: lines[kind == name].assign(kind=label) for name, label in KINDS.items()}
    return pd.concat([part.head(N_LEADERS) if name == "detector" else part for name, part in parts.items()])


def scoreboard(judged: pd.DataFrame, roles: list[str]) -> str | None:
    """The rows of some roles on one data set, best first, with both kinds of interval."""
    chosen = judged[judged["role"].isin(roles)]
    every = chosen[chosen["anomaly"] == ALL].sort_values("auc", ascending=False, kind="stable").set_index("detector")
    if not len(every):
        return None
    role = every["role"].str.replace("_", " ")
    table = pd.DataFrame({"row": every.index, "role": role, "AUC": every["auc"]}, index=every.index)
    table = table.assign(**_spans(every))
    for anomaly in [a for a in chosen["anomaly"].unique() if a != ALL]:
        table[f"AUC, {anomaly}"] = chosen[chosen["anomaly"] == anomaly].set_index("detector")["auc"]
    table["average precision"] = every["average_precision"]
    table["TPR at 1 % FPR"] = every["tpr_at_fpr_01"]
    table["TPR at 5 % FPR"] = every["tpr_at_fpr_05"]
    table["partial AUC"] = every["partial_auc"]
    return html_table(table)


def _spans(lines: pd.DataFrame) -> dict[str, pd.Series]:
    """The columns with the 95 % intervals of AUCs."""
    return {
        "95 % over test images": interval_column(lines, "auc_low", "auc_high", "{:.3f}".format),
        "95 % over seeds": interval_column(lines, "seed_low", "seed_high", "{:.3f}".format),
    }


def controls(judged: pd.DataFrame) -> list[dict]:
    """The controls after clean training, and whether each is at chance level."""
    lines = judged[(judged["role"] == "control") & (judged["anomaly"] == ALL)].dropna(subset="auc")
    return lines.assign(at_chance=(lines["auc"] - 0.5).abs() < CHANCE_MARGIN).to_dict("records")


def inverted(judged: pd.DataFrame) -> list[dict]:
    """The rows of outside scores whose AUC is so low that a higher score may mean the opposite there."""
    lines = judged[(judged["role"] == ROLE) & (judged["anomaly"] == ALL)]
    return lines[lines["auc"] < INVERTED_AUC].to_dict("records")


def ranked_detectors(summary: pd.DataFrame) -> list[str]:
    """The detectors, best first."""
    return [row for row in ranking(summary) if row in set(summary["detector"][summary["role"] == "detector"])]
