"""Contaminated training sets: AUCs, slopes, an example, remedies, and false alarms at a fixed threshold."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from oddlens.data.training_sets import LABELLED, MIXED
from oddlens.results.pages.detection import ranked_detectors
from oddlens.results.pages.formatting import by_dataset, html_table, pivoted, uncertain_column
from oddlens.results.pages.paired_differences import both_directions
from oddlens.results.tables.auc import ranking
from oddlens.results.tables.columns import ALL, AS_GIVEN, CLEAN_LABEL, UNCONTAMINATED, VARIANTS, training_labels
from oddlens.results.tables.contamination import AT_CHANCE
from oddlens.results.tables.thresholds import CHANCE_MARGIN, SIGNIFICANCE_LEVEL

EXAMPLE_FRACTION = 0.1
"""The contamination of the example in the text, or the nearest that a study has."""


def contamination_section(
    tables: Mapping[str, pd.DataFrame | None], study: dict[str, Any], rows: Mapping[str, Mapping]
) -> dict[str, dict[str, str]]:
    """Tables by data set: `aucs`, `slopes`, `remedies` and `false_alarms`. Those without lines are left out.

    Args:
        tables: the tables `summary`, `contamination`, `pairs` and `false_alarms`; None for a missing table.
        study: the config as plain data.
        rows: the `role` of each row.
    """
    summary = tables["summary"]
    assert summary is not None
    datasets, trainings = list(summary["dataset"].unique()), summary["training"].unique()
    makers = {
        "aucs": ("summary", auc_by_training_set),
        "slopes": ("contamination", lambda table: slopes(table, rows)),
        "remedies": ("pairs", lambda table: remedy_gains(table, study, trainings)),
        "false_alarms": ("false_alarms", lambda table: false_alarms(table, summary, ("carried", "own"))),
    }
    return {
        name: {} if (table := tables[source]) is None else by_dataset(datasets, table, make)
        for name, (source, make) in makers.items()
    }


def auc_by_training_set(summary: pd.DataFrame) -> str | None:
    """AUC against all anomalies: a line per row, a column per training set; None if all training sets were clean."""
    chosen = summary[
        (summary["anomaly"] == ALL) & (summary["contaminant"] != LABELLED) & ~summary["role"].isin(VARIANTS)
    ]
    if chosen["contaminant"].isin(UNCONTAMINATED).all():
        return None
    order = {row: k for k, row in enumerate(ranking(summary))}
    chosen = chosen.sort_values("detector", key=lambda column: column.map(order), kind="stable")
    return html_table(pivoted(chosen.rename(columns={"detector": "row"}), ["row"], "training", "auc"))


def slopes(table: pd.DataFrame, rows: Mapping[str, Mapping]) -> str | None:
    """The change of the AUC per 10 % contamination and the break point of each detector, best clean AUC first."""
    table = table[(table["anomaly"] == ALL) & table["detector"].map(lambda row: rows[row]["role"] == "detector")]
    table = table.sort_values("clean_auc", ascending=False, kind="stable")
    if not len(table):
        return None
    shown = table.drop_duplicates("detector")[["detector", "clean_auc"]].set_index("detector")
    shown.columns = ["clean AUC"]
    for contaminant, own in table.groupby("contaminant", sort=False):
        own = own.set_index("detector")
        spans = ("slope_low", "slope_high"), ("seed_slope_low", "seed_slope_high")
        shown[f"{contaminant}: slope per 10 %"] = uncertain_column(own["slope_per_10"], own, *spans)
        shown[f"{contaminant}: break point"] = own["verdict"].replace(AT_CHANCE, "at chance level")
    return html_table(shown.rename_axis("row").reset_index())


def contamination_example(summary: pd.DataFrame) -> dict[str, Any] | None:
    """One contaminated training set of a data set: the best detector after it, and the changes of the AUC.

    `able` counts the detectors that are better than chance after clean training; of these, `smallest_change` and
    `largest_change` are the lines of those that lost least and most.
    """
    chosen = summary[
        (summary["anomaly"] == ALL) & (summary["role"] == "detector") & ~summary["contaminant"].isin(UNCONTAMINATED)
    ].dropna(subset=["auc", "change"])
    if not len(chosen):
        return None
    mixed = chosen[chosen["contaminant"] == MIXED] if (chosen["contaminant"] == MIXED).any() else chosen
    fraction = min(mixed["contamination"].unique(), key=lambda p: abs(p - EXAMPLE_FRACTION))
    lines = mixed[mixed["contamination"] == fraction].drop_duplicates("detector")
    able = lines[lines["auc"] - lines["change"] > 0.5 + CHANCE_MARGIN].sort_values("change", kind="stable")
    return lines.loc[lines["auc"].idxmax()].to_dict() | {
        "able": len(able),
        "smallest_change": able.iloc[-1].to_dict() if len(able) else None,
        "largest_change": able.iloc[0].to_dict() if len(able) else None,
    }


def remedies(study: dict[str, Any]) -> dict[str, str]:
    """Rows with a remedy against contamination, and for each the row that differs in the remedy only."""

    def without_remedy(entry: dict[str, Any]) -> dict[str, Any]:
        training = {k: v for k, v in entry["training"].items() if k not in ("robust", "assumed_contamination")}
        return {"detector": entry["detector"], "settings": entry.get("settings"), "training": training}

    plain = {row: e for row, e in study["detectors"].items() if e["training"].get("robust", "none") == "none"}
    robust = {row: e for row, e in study["detectors"].items() if row not in plain}
    bases = {
        row: [base for base, b in plain.items() if without_remedy(b) == without_remedy(e)] for row, e in robust.items()
    }
    return {row: same[0] for row, same in bases.items() if same}


def remedy_gains(pairs: pd.DataFrame, study: dict[str, Any], trainings: Iterable[str]) -> str | None:
    """The gain in AUC of each remedy after each training, against all anomalies; a star marks significant gains."""
    every = both_directions(pairs[pairs["anomaly"] == ALL])
    parts = [every[(every["a"] == row) & (every["b"] == base)] for row, base in remedies(study).items()]
    if not any(map(len, parts)):  # none, or none of them converged
        return None
    gains = pd.concat(parts).assign(row=lambda t: t["a"] + " vs. " + t["b"])
    cells = uncertain_column(gains["difference"], gains, ("low", "high"), ("seed_low", "seed_high"))
    gains["cell"] = cells.where(gains["p_holm"] > SIGNIFICANCE_LEVEL, cells + " *")
    order = {training: k for k, training in enumerate(trainings)}
    gains = gains.sort_values("training", key=lambda t: t.map(order))
    return html_table(pivoted(gains, ["row"], "training", "cell"))


def false_alarms(table: pd.DataFrame, summary: pd.DataFrame, calibrations: tuple[str, ...]) -> str | None:
    """False alarms per 100,000 and the detected percentage of anomalous lenses, means over seeds, best detector first.

    Args:
        table: lines of `false_alarms.csv` of one data set.
        summary: the table `summary`, which has the order of rows and training sets.
        calibrations: in order of preference, for training sets that have several.
    """
    detectors = ranked_detectors(summary)
    chosen = table[(table["anomaly"] == ALL) & table["detector"].isin(detectors)].dropna(subset="false_alarms")
    as_given = table["dataset"].isin(summary["dataset"][summary["training"] == AS_GIVEN]).any()
    labels = training_labels(chosen, AS_GIVEN if as_given else CLEAN_LABEL)
    chosen = chosen.assign(training=labels, order=chosen["calibration"].map(calibrations.index))
    chosen = chosen.sort_values("order").drop_duplicates(["training", "detector", "seed"])
    means = chosen.groupby(["training", "detector"])[["false_alarms", "tpr"]].mean().reset_index()
    cells = [f"{a:,.0f} ({100 * t:.0f} %)" for a, t in zip(means["false_alarms"], means["tpr"], strict=True)]
    wide = means.assign(cell=cells).pivot(index="detector", columns="training", values="cell")
    wide = wide.reindex(index=detectors, columns=[t for t in summary["training"].unique() if t in wide])
    return html_table(wide.rename_axis(index="row", columns=None).reset_index())
