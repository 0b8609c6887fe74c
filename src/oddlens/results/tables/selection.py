"""Choosing a detector without labels: by how well it finds pseudo_anomalies, and what the labels say of the choice."""

from collections.abc import Mapping

import pandas as pd

from oddlens.data.pseudo_anomalies import PSEUDO_ANOMALY
from oddlens.results.tables.conventions import ROW, TRAINING
from oddlens.results.tables.scored import Block, Scored

COLUMNS = ["dataset", *ROW, "sweep", "probe_auc", "probe_low", "probe_high", "auc", "auc_low", "auc_high"]
COLUMNS += ["chosen", "best"]


def selection_table(scored: Scored, found: Block, rows: Mapping[str, Mapping]) -> pd.DataFrame:
    """`selection.csv`: for each row and training set the AUC of pseudo_anomalies, and that of all anomalies beside it.

    Pseudo-anomalies are validation images with a weak deflection (`oddlens.data.pseudo_anomalies`), held against the same images
    without it; no
    test image has a part in that. Within each sweep the candidate of the highest pseudo-anomaly AUC is `chosen`; `best` is the
    one that labels would have chosen. Means over seeds, intervals over images.

    Args:
        found: the AUCs of all anomalies.
    """
    names = {"auc": "probe_auc", "auc_low": "probe_low", "auc_high": "probe_high"}
    validation = [scored.positions(cls, "validation") for cls in (PSEUDO_ANOMALY, scored.smooth)]
    table = scored.block(PSEUDO_ANOMALY, odd=validation[0], normal=validation[1]).rows.table().rename(columns=names)
    table = table.drop(columns="anomaly").merge(found.rows.table().drop(columns="anomaly"))
    table["sweep"] = table["detector"].map(lambda row: rows[row].get("sweep"))
    for mark, by in (("chosen", "probe_auc"), ("best", "auc")):
        most = table.groupby(["sweep", *TRAINING])[by].transform("max")
        table[mark] = (table[by] == most) & table["sweep"].notna()
    return table[COLUMNS]
