"""Names of the result tables, and of the columns and values that several of them share."""

import pandas as pd

from oddlens.data.training_sets import CLEAN, LABELLED

TABLES = (
    *("summary", "comparison", "published", "contamination", "false_alarms", "false_alarm_probabilities"),
    *("most_anomalous", "pairs", "ranks", "wilcoxon", "bins", "population", "noise", "anomaly_maps", "findings"),
    *("fit_convergence", "samples", "ablations", "selection", "auc"),
    *("regression", "fractions", "triage"),
    *("real", "real_noise", "real_claims"),
)
"""The tables of a study. Those of the last two lines need a section `regression` or `real` in the config."""

ALL = "all"
"""All anomaly classes together, in the column `anomaly`."""
TRAINING_SET = ["contaminant", "contamination"]
"""The columns that name a training set."""
ROW = [*TRAINING_SET, "detector"]
"""The columns that name a row of the config and its training set. Models that differ in their seed are averaged."""
MODEL = [*ROW, "seed"]
"""The columns that name a trained model of a data set."""
UNCONTAMINATED = [CLEAN, LABELLED]
"""The contaminants of training sets by which rows are compared: clean images, or labelled ones for rows that need
labels."""

INVERTED_AUC = 0.4
"""Outside scores with a lower AUC may have the opposite direction."""
VARIANTS = ["ablation", "candidate"]
"""Roles of rows that are variants of another row. They have tables of their own."""


def training_labels(rows: pd.DataFrame) -> pd.Series:
    """The training set of each row as text: `clean`, `cdm 20%`, `labelled`."""

    def label(contaminant: str, fraction: float) -> str:
        if contaminant == LABELLED:
            return LABELLED
        return f"{contaminant} {100 * fraction:g}%" if fraction > 0 else "clean"

    labels = map(label, rows["contaminant"], rows["contamination"])
    return pd.Series(list(labels), rows.index, dtype=str)  # an empty series has the type of text, too
