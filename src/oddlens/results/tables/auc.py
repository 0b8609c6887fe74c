"""AUCs of each model (`auc.csv`), of each row over its seeds (`summary.csv`), and of all rows (`comparison.csv`)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from oddlens.data.training_sets import CLEAN
from oddlens.results.tables.columns import ALL, CLEAN_LABEL, MODEL, ROW, UNCONTAMINATED, training_labels
from oddlens.results.tables.correlated_aucs import CorrelatedAUCs
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.statistics import metrics
from oddlens.statistics.metrics import QUALITIES

MEASURED = ["auc", "auc_low", "auc_high", *QUALITIES]
AUC_COLUMNS = ["dataset", *MODEL, "anomaly", "n_normal", "n_anomalous", *MEASURED, "status"]
SUMMARY_COLUMNS = ["dataset", "training", *ROW, "role", "anomaly", "seeds", "diverged"]
SUMMARY_COLUMNS += ["auc", "auc_low", "auc_high", "seed_low", "seed_high", *QUALITIES]
SUMMARY_COLUMNS += ["change", "change_low", "change_high"]


def auc_table(scores: DatasetScores, aucs: CorrelatedAUCs) -> pd.DataFrame:
    """`auc.csv`: a line for each model. Models that diverged have a line with a status and no values."""
    normal, anomalous = scores.positions(scores.smooth), scores.positions(aucs.anomaly)
    qualities = [metrics.quality(values[normal], values[anomalous]) for values in scores.values[scores.converged]]
    known = aucs.table().assign(**pd.DataFrame(qualities, columns=QUALITIES))
    table = scores.models.merge(known.drop(columns=["dataset", "anomaly"]), on=MODEL, how="left")
    table = table.assign(dataset=scores.dataset, anomaly=aucs.anomaly)
    return table.assign(n_normal=len(normal), n_anomalous=len(anomalous))[AUC_COLUMNS]


def models_without_auc(scores: DatasetScores) -> pd.DataFrame:
    """The lines of `auc.csv` of a data set whose test images have no labels of both kinds: models with their status."""
    counts = {"n_normal": len(scores.positions(scores.smooth)), "n_anomalous": len(scores.positions(ALL))}
    table = scores.models.assign(dataset=scores.dataset, anomaly=ALL, **counts)
    return table.reindex(columns=AUC_COLUMNS).astype(dict.fromkeys(MEASURED, float))


def summary_table(
    aucs: CorrelatedAUCs, auc: pd.DataFrame, rows: Mapping[str, Mapping], clean: str = CLEAN_LABEL
) -> pd.DataFrame:
    """`summary.csv`: a line for each row and training set, with means over the seeds that converged.

    `auc_low` and `auc_high` are 95 % intervals over test images, `seed_low` and `seed_high` over seeds. `change` is the
    AUC minus that of the same row after clean training, with its interval over the test images, which both share.

    Args:
        aucs: of all models against one anomaly.
        auc: the table `auc_table` of the same AUCs.
        rows: the `role` of each row.
        clean: the word for training without contamination.
    """
    means = auc.groupby(ROW, sort=False)[QUALITIES].mean().reset_index()
    counts = auc["status"].groupby([auc[c] for c in ROW], sort=False)
    means["seeds"] = counts.apply(lambda s: (s == "ok").sum()).to_numpy()
    means["diverged"] = counts.apply(lambda s: (s != "ok").sum()).to_numpy()
    low, high, _ = metrics.over_seeds(aucs.by_seed.to_numpy())
    known = aucs.seed_means.table().assign(seed_low=np.clip(low, 0, 1), seed_high=np.clip(high, 0, 1), **_changes(aucs))
    table = means.merge(known.drop(columns=["dataset", "anomaly"]), on=ROW, how="left")
    table = table.assign(dataset=aucs.dataset, anomaly=aucs.anomaly, training=training_labels(table, clean))
    table["role"] = table["detector"].map(lambda row: rows[row]["role"])
    return table[SUMMARY_COLUMNS]


def _changes(aucs: CorrelatedAUCs) -> dict[str, np.ndarray]:
    """The AUC of each row and training set minus that of the same row after clean training, with its interval."""
    means, names = aucs.seed_means, aucs.seed_means.names
    clean = {d: k for k, (d, c) in enumerate(zip(names["detector"], names["contaminant"], strict=True)) if c == CLEAN}
    weights = np.zeros((len(names), len(names)))
    known = []
    for k, (detector, contaminant) in enumerate(zip(names["detector"], names["contaminant"], strict=True)):
        if contaminant != CLEAN and detector in clean:
            weights[k, [k, clean[detector]]] = 1, -1
            known.append(k)
    change = means.areas.combined(weights)
    low, high, _ = metrics.difference(change.auc, change.variance)
    unknown = ~np.isin(np.arange(len(names)), known)
    return {
        name: np.where(unknown, np.nan, values)
        for name, values in (("change", change.auc), ("change_low", low), ("change_high", high))
    }


def comparison_table(summary: pd.DataFrame) -> pd.DataFrame:
    """`comparison.csv`: mean AUC over seeds, a line per row, a column per data set, training set and anomaly.

    Rows are in the order of `ranking`.
    """
    if not len(summary):
        return pd.DataFrame(columns=["detector"])
    keys = ["dataset", "training", "anomaly"]
    wide = summary.pivot(index="detector", columns=keys, values="auc")
    columns = summary[keys].drop_duplicates(ignore_index=True)
    order = columns.apply(lambda column: pd.factorize(column)[0]).sort_values(keys).index
    wide = wide.reindex(index=ranking(summary), columns=pd.MultiIndex.from_frame(columns.loc[order]))
    wide.columns = [" | ".join(column) for column in wide.columns]
    return wide.reset_index()


def ranking(summary: pd.DataFrame) -> list[str]:
    """The rows by mean AUC against all anomalies over data sets, after clean or labelled training; highest first."""
    chosen = summary[summary["contaminant"].isin(UNCONTAMINATED) & (summary["anomaly"] == ALL)]
    means = chosen.groupby("detector", sort=False)["auc"].mean()
    return list(means.sort_values(ascending=False, kind="stable").index)
