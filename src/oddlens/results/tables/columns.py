"""Names of the result tables, and of the columns and values that several of them share."""

from collections.abc import Collection

import pandas as pd

from oddlens.data.training_sets import CLEAN, LABELLED

TABLES = (
    *("summary", "comparison", "published", "contamination", "false_alarms", "false_alarm_probabilities"),
    *("most_anomalous", "pairs", "ranks", "wilcoxon", "bins", "population", "noise", "anomaly_maps", "findings"),
    *("fit_convergence", "samples", "ablations", "selection", "auc"),
    *("detection", "decoys", "localisation"),
    *("regression", "fractions", "triage"),
    *("real", "real_noise", "real_claims"),
    *("completeness", "completeness_masses"),
)
"""The tables of a study. Those of the last three lines need a section `regression`, `real` or `inject`."""
FILES_TABLES = ("ranking", "agreement", "leaks")
"""Further tables of a study with data sets of the user's own images."""

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

CLEAN_LABEL, AS_GIVEN = "clean", "as given"
"""The training set without contamination as text: of simulated images, and of the user's own ones, which are not known
to be clean."""


def training_labels(rows: pd.DataFrame, clean: str = CLEAN_LABEL) -> pd.Series:
    """The training set of each row as text: `clean`, `cdm 20%`, `labelled`."""

    def label(contaminant: str, fraction: float) -> str:
        if contaminant == LABELLED:
            return LABELLED
        return f"{contaminant} {100 * fraction:g}%" if fraction > 0 else clean

    labels = map(label, rows["contaminant"], rows["contamination"])
    return pd.Series(list(labels), rows.index, dtype=str)  # an empty series has the type of text, too


def training_labels_of(rows: pd.DataFrame, own: Collection[str]) -> pd.Series:
    """The same for rows of several data sets, of which those in `own` have the user's own images."""
    as_given = (rows["contaminant"] == CLEAN) & rows["dataset"].isin(own)
    return training_labels(rows).mask(as_given, AS_GIVEN)
