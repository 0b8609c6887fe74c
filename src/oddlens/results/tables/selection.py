"""Model selection without labels, by pseudo-anomalies, and its comparison with a selection by labels."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from oddlens.data.pseudo_anomalies import PSEUDO_ANOMALY
from oddlens.results.tables.columns import ROW, TRAINING_SET, UNCONTAMINATED
from oddlens.results.tables.correlated_aucs import CorrelatedAUCs
from oddlens.results.tables.dataset_scores import DatasetScores

PSEUDO_AUC = ["pseudo_anomaly_auc", "pseudo_anomaly_auc_low", "pseudo_anomaly_auc_high"]
COLUMNS = ["dataset", *ROW, "sweep", *PSEUDO_AUC, "auc", "auc_low", "auc_high", "chosen", "best"]


def selection_table(scores: DatasetScores, aucs: CorrelatedAUCs | None, rows: Mapping[str, Mapping]) -> pd.DataFrame:
    """`selection.csv`: for each row and training set the AUC of pseudo-anomalies and that of all anomalies.

    Pseudo-anomalies are validation images with a weak deflection (`oddlens.data.pseudo_anomalies`), compared with the
    same images without it; they use no test image and no label. Outside scores lack them, so that their AUC is empty.
    Within each sweep the candidate with the highest AUC of pseudo-anomalies is `chosen`, and `best` is the candidate
    with the highest AUC of all anomalies. Values are means over seeds, intervals are over images.

    Args:
        scores: of all models of a data set.
        aucs: of all models against all anomalies; None without labels, so that no AUC is known.
        rows: the `sweep` to which each row belongs, if any.
    """
    perturbed, unperturbed = (scores.positions(cls, "validation") for cls in (PSEUDO_ANOMALY, scores.smooth))
    table = scores.aucs(PSEUDO_ANOMALY, anomalous=perturbed, normal=unperturbed).seed_means.table()
    table = table.rename(columns=dict(zip(["auc", "auc_low", "auc_high"], PSEUDO_AUC, strict=True)))
    table = table.drop(columns="anomaly")
    if aucs is None:
        table = table.assign(auc=np.nan, auc_low=np.nan, auc_high=np.nan)
    else:
        table = table.merge(aucs.seed_means.table().drop(columns="anomaly"), how="right")
    table["sweep"] = table["detector"].map(lambda row: rows[row].get("sweep"))
    for mark, by in (("chosen", PSEUDO_AUC[0]), ("best", "auc")):
        highest = table.groupby(["sweep", *TRAINING_SET])[by].transform("max")
        table[mark] = (table[by] == highest) & table["sweep"].notna()
    return table[COLUMNS]


def ranking_without_labels(selection: pd.DataFrame) -> list[str]:
    """The rows by the mean AUC of pseudo-anomalies after clean (or labelled) training, highest first."""
    chosen = selection[selection["contaminant"].isin(UNCONTAMINATED)]
    means = chosen.groupby("detector", sort=False)[PSEUDO_AUC[0]].mean()
    return list(means.sort_values(ascending=False, kind="stable").index)
