"""What odd images in the training set do: AUCs, slopes, remedies, and alarms at a threshold that was set before."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from oddlens.data.training_sets import LABELLED, MIXED
from oddlens.results.pages.detection import both_ways, ranked
from oddlens.results.pages.pieces import html, pivoted, uncertain
from oddlens.results.tables.auc import ranking
from oddlens.results.tables.columns import ALL, UNCONTAMINATED, VARIANTS, training_labels
from oddlens.results.tables.thresholds import CHANCE_MARGIN, SIGNIFICANCE_LEVEL

EXAMPLE = 0.1
"""The contaminated fraction that the text speaks of, or the nearest that a study has."""


def contaminated(summary: pd.DataFrame) -> str | None:
    """AUC against all anomalies: a line per row, a column per training set; none if all training was clean."""
    chosen = summary[
        (summary["anomaly"] == ALL) & (summary["contaminant"] != LABELLED) & ~summary["role"].isin(VARIANTS)
    ]
    if chosen["contaminant"].isin(UNCONTAMINATED).all():
        return None
    order = {row: k for k, row in enumerate(ranking(summary))}
    chosen = chosen.sort_values("detector", key=lambda column: column.map(order), kind="stable")
    return html(pivoted(chosen.rename(columns={"detector": "row"}), ["row"], "training", "auc"))


def slopes(table: pd.DataFrame, rows: Mapping[str, Mapping]) -> str | None:
    """What 10 % of odd training images cost, and where detectors break; against all anomalies, best clean first."""
    table = table[(table["anomaly"] == ALL) & table["detector"].map(lambda row: rows[row]["role"] == "detector")]
    table = table.sort_values("clean_auc", ascending=False, kind="stable")
    if not len(table):
        return None
    shown = table.drop_duplicates("detector")[["detector", "clean_auc"]].set_index("detector")
    shown.columns = ["clean AUC"]
    for contaminant, own in table.groupby("contaminant", sort=False):
        own = own.set_index("detector")
        spans = ("slope_low", "slope_high"), ("seed_slope_low", "seed_slope_high")
        shown[f"{contaminant}: slope per 10 %"] = uncertain(own["slope_per_10"], own, *spans)
        shown[f"{contaminant}: breaks at"] = own["verdict"]
    return html(shown.rename_axis("row").reset_index())


def example(summary: pd.DataFrame) -> dict | None:
    """One contaminated training set of a data set: who is best after it, and who lost least and most of those that
    see."""
    chosen = summary[
        (summary["anomaly"] == ALL) & (summary["role"] == "detector") & ~summary["contaminant"].isin(UNCONTAMINATED)
    ].dropna(subset=["auc", "change"])
    if not len(chosen):
        return None
    mixed = chosen[chosen["contaminant"] == MIXED] if (chosen["contaminant"] == MIXED).any() else chosen
    fraction = min(mixed["contamination"].unique(), key=lambda p: abs(p - EXAMPLE))
    there = mixed[mixed["contamination"] == fraction].drop_duplicates("detector")
    seeing = there[there["auc"] - there["change"] > 0.5 + CHANCE_MARGIN].sort_values("change", kind="stable")
    best = there.loc[there["auc"].idxmax()].to_dict()
    return best | {
        "seeing": len(seeing),
        "steadiest": seeing.iloc[-1].to_dict() if len(seeing) else None,
        "frailest": seeing.iloc[0].to_dict() if len(seeing) else None,
    }


def remedies(study: dict[str, Any]) -> dict[str, str]:
    """Rows that are trained to withstand contamination, and the row that is the same without the remedy."""

    def without(entry: dict[str, Any]) -> dict[str, Any]:
        kept = {k: v for k, v in entry["training"].items() if k not in ("robust", "assumed_contamination")}
        return {"detector": entry["detector"], "settings": entry.get("settings"), "training": kept}

    plain = {row: e for row, e in study["detectors"].items() if e["training"].get("robust", "none") == "none"}
    robust = {row: e for row, e in study["detectors"].items() if row not in plain}
    pairs = {row: [base for base, b in plain.items() if without(b) == without(e)] for row, e in robust.items()}
    return {row: bases[0] for row, bases in pairs.items() if bases}


def remedied(pairs: pd.DataFrame, study: dict[str, Any], trainings: Iterable[str]) -> str | None:
    """What each remedy changes at each contamination, against all anomalies; a star where it is significant."""
    every = both_ways(pairs[pairs["anomaly"] == ALL])
    named = [every[(every["a"] == row) & (every["b"] == base)] for row, base in remedies(study).items()]
    if not any(map(len, named)):  # or none of them converged
        return None
    found = pd.concat(named).assign(row=lambda t: t["a"] + " over " + t["b"])
    cells = uncertain(found["difference"], found, ("low", "high"), ("seed_low", "seed_high"))
    found["cell"] = cells.where(found["p_holm"] > SIGNIFICANCE_LEVEL, cells + " *")
    order = {training: k for k, training in enumerate(trainings)}
    return html(pivoted(found.sort_values("training", key=lambda t: t.map(order)), ["row"], "training", "cell"))


def alarms(table: pd.DataFrame, summary: pd.DataFrame, calibrations: tuple[str, ...]) -> str | None:
    """False alarms per 100,000 and the part of all odd lenses found, means over seeds; the detectors, best first.

    Of several calibrations the first that a training set has. `summary` has the order of rows and training sets.
    """
    detectors = ranked(summary)
    chosen = table[(table["anomaly"] == ALL) & table["detector"].isin(detectors)].dropna(subset="false_alarms")
    chosen = chosen.assign(training=training_labels(chosen), order=chosen["calibration"].map(calibrations.index))
    chosen = chosen.sort_values("order").drop_duplicates(["training", "detector", "seed"])
    means = chosen.groupby(["training", "detector"])[["false_alarms", "tpr"]].mean().reset_index()
    cells = [f"{a:,.0f} ({100 * t:.0f} %)" for a, t in zip(means["false_alarms"], means["tpr"], strict=True)]
    wide = means.assign(cell=cells).pivot(index="detector", columns="training", values="cell")
    wide = wide.reindex(index=detectors, columns=[t for t in summary["training"].unique() if t in wide])
    return html(wide.rename_axis(index="row", columns=None).reset_index())
