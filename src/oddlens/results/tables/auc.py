"""The AUC of every model, of every row over its seeds, and of all rows side by side."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from oddlens.data.training_sets import CLEAN
from oddlens.results.tables.conventions import ALL, HOME, MODEL, ROW, training_labels
from oddlens.results.tables.scored import Block, Scored
from oddlens.statistics import metrics

QUALITIES = ["average_precision", "tpr_at_fpr_01", "tpr_at_fpr_05"]


def auc_table(scored: Scored, block: Block) -> pd.DataFrame:
    """`auc.csv`: a line for every model. Those that diverged have no figures but are there."""
    normal, odd = scored.positions(scored.smooth), scored.positions(block.anomaly)
    others = [
        metrics.quality(scores[normal], scores[odd])
        for scores in scored.values[(scored.models["status"] == "ok").to_numpy()]
    ]
    found = block.table().assign(**pd.DataFrame(others, columns=QUALITIES))
    table = scored.models.merge(found.drop(columns=["dataset", "anomaly"]), on=MODEL, how="left")
    table = table.assign(dataset=scored.dataset, anomaly=block.anomaly, n_normal=len(normal), n_anomalous=len(odd))
    order = ["dataset", *MODEL, "anomaly", "n_normal", "n_anomalous", "auc", "auc_low", "auc_high", *QUALITIES]
    return table[[*order, "status"]]


def summary_table(block: Block, auc: pd.DataFrame, rows: Mapping[str, Mapping]) -> pd.DataFrame:
    """`summary.csv`: a line for every row and training set, the means over its seeds that converged.

    `auc_low`, `auc_high` are over test images, `seed_low`, `seed_high` over seeds. `change` is what contamination of
    the training set did to the AUC, with its interval over the test images, which both share.

    Args:
        auc: what `auc_table` says of the block.
    """
    means = auc.groupby(ROW, sort=False)[QUALITIES].mean().reset_index()
    counts = auc["status"].groupby([auc[c] for c in ROW], sort=False)
    means["seeds"] = counts.apply(lambda s: (s == "ok").sum()).to_numpy()
    means["diverged"] = counts.apply(lambda s: (s != "ok").sum()).to_numpy()
    low, high, _ = metrics.over_seeds(block.by_seed.to_numpy())
    found = block.rows.table().assign(seed_low=np.clip(low, 0, 1), seed_high=np.clip(high, 0, 1), **_changes(block))
    table = means.merge(found.drop(columns=["dataset", "anomaly"]), on=ROW, how="left")
    table = table.assign(dataset=block.dataset, anomaly=block.anomaly, training=training_labels(table))
    table["role"] = table["detector"].map(lambda row: rows[row]["role"])
    order = ["dataset", "training", *ROW, "role", "anomaly", "seeds", "diverged"]
    figures = ["auc", "auc_low", "auc_high", "seed_low", "seed_high", *QUALITIES]
    return table[[*order, *figures, "change", "change_low", "change_high"]]


def _changes(block: Block) -> dict[str, np.ndarray]:
    """The AUC of each of the block's rows less that of the same detector after clean training."""
    rows, names = block.rows, block.rows.names
    clean = {d: k for k, (d, c) in enumerate(zip(names["detector"], names["contaminant"], strict=True)) if c == CLEAN}
    weights = np.zeros((len(names), len(names)))
    known = []
    for k, (detector, contaminant) in enumerate(zip(names["detector"], names["contaminant"], strict=True)):
        if contaminant != CLEAN and detector in clean:
            weights[k, [k, clean[detector]]] = 1, -1
            known.append(k)
    change = rows.areas.combined(weights)
    low, high, _ = metrics.difference(change.auc, change.variance)
    unknown = ~np.isin(np.arange(len(names)), known)
    return {
        name: np.where(unknown, np.nan, values)
        for name, values in (("change", change.auc), ("change_low", low), ("change_high", high))
    }


def comparison_table(summary: pd.DataFrame) -> pd.DataFrame:
    """`comparison.csv`: a line per detector, a column per data set, training set and anomaly; mean AUC over seeds.

    The best detectors against all anomalies, after clean or labelled training, come first.
    """
    keys = ["dataset", "training", "anomaly"]
    wide = summary.pivot(index="detector", columns=keys, values="auc")
    columns = summary[keys].drop_duplicates(ignore_index=True)
    order = columns.apply(lambda column: pd.factorize(column)[0]).sort_values(keys).index
    wide = wide.reindex(index=ranking(summary), columns=pd.MultiIndex.from_frame(columns.loc[order]))
    wide.columns = [" | ".join(column) for column in wide.columns]
    return wide.reset_index()


def ranking(summary: pd.DataFrame) -> list[str]:
    """The detectors, best first: by mean AUC over data sets against all anomalies, after clean or labelled training."""
    home = summary[summary["contaminant"].isin(HOME) & (summary["anomaly"] == ALL)]
    return list(home.groupby("detector", sort=False)["auc"].mean().sort_values(ascending=False, kind="stable").index)
