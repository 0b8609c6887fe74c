"""Paired differences of AUCs: which row is better than which on the same images."""

from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from oddlens.data.training_sets import CLEAN, LABELLED
from oddlens.results.tables.columns import CLEAN_LABEL, training_labels
from oddlens.results.tables.correlated_aucs import CorrelatedAUCs
from oddlens.statistics import metrics

COMPARED = ("detector", "external", "reference", "control", "upper_bound")
"""The roles in `pairs.csv`. Ablations have a table of their own."""
KEYS = ["dataset", "training", "anomaly", "a", "b"]
VALUES = ["a_auc", "b_auc", "difference", "low", "high", "p", "p_holm", "seeds", "seed_low", "seed_high", "seed_p"]

PAIRS_COLUMNS = [*KEYS, *VALUES]
ABLATION_NAMES = {"a": "base", "b": "ablation", "a_auc": "base_auc", "b_auc": "ablation_auc", "difference": "gain"}
ABLATIONS_COLUMNS = [ABLATION_NAMES.get(name, name) for name in ["dataset", "anomaly", "a", "b", *VALUES]]


def differences(aucs: CorrelatedAUCs, pairs: Iterable[tuple[int, int]]) -> pd.DataFrame:
    """The seed-mean AUC of a minus that of b, for pairs of positions in `aucs.seed_means`.

    The interval and p are over test images, from the placements of both rows on the same lenses (DeLong et al. 1988;
    see `metrics.areas`). `p_holm` is corrected for all given pairs, which are one family. `seed_low`, `seed_high` and
    `seed_p` are over the seeds that both rows have, by Student's t of the differences of each seed.
    """
    a, b = np.array(list(pairs), dtype=int).reshape(-1, 2).T
    means = aucs.seed_means
    auc, covariance = means.areas.auc, means.areas.covariance
    value = auc[a] - auc[b]
    low, high, p = metrics.difference(value, covariance[a, a] + covariance[b, b] - 2 * covariance[a, b])
    by_seed = aucs.by_seed.to_numpy()[a] - aucs.by_seed.to_numpy()[b]
    seed_low, seed_high, seed_p = metrics.over_seeds(by_seed)
    detector = means.names["detector"].to_numpy()
    columns = (detector[a], detector[b], auc[a], auc[b], value, low, high, p)
    corrected = multipletests(p, method="holm")[1] if len(p) else p
    over_seeds = (np.isfinite(by_seed).sum(axis=-1), seed_low, seed_high, seed_p)
    return pd.DataFrame(dict(zip(["a", "b", *VALUES], (*columns, corrected, *over_seeds), strict=True)))


def pairs_table(aucs: CorrelatedAUCs, rows: Mapping[str, Mapping], clean: str = CLEAN_LABEL) -> pd.DataFrame:
    """`pairs.csv`: all pairs of rows after the same training, the better row first.

    An upper bound that was trained with labels is listed with the rows after clean training. A family of tests is a
    data set, a training set and an anomaly.

    Args:
        aucs: of all models against one anomaly.
        rows: the `role` of each row.
        clean: the word for training without contamination.
    """
    names, auc = aucs.seed_means.names, aucs.seed_means.areas.auc
    label = training_labels(names, clean).replace(LABELLED, clean)
    compared = names["detector"].map(lambda row: rows[row]["role"] in COMPARED)
    parts = []
    for training, members in names[compared].groupby(label[compared], sort=False):
        order = sorted(members.index, key=lambda k: -auc[k])
        parts.append(differences(aucs, combinations(order, 2)).assign(training=training))
    return _named(parts, aucs, PAIRS_COLUMNS)


def ablation_table(aucs: CorrelatedAUCs, rows: Mapping[str, Mapping]) -> pd.DataFrame:
    """`ablations.csv`: the AUC of a row minus that of the row without one of its components, after clean training.

    A family of tests is a data set and an anomaly.

    Args:
        aucs: of all models against one anomaly.
        rows: the row that each row `ablates`, if any.
    """
    names = aucs.seed_means.names
    clean = names[names["contaminant"] == CLEAN]
    position = dict(zip(clean["detector"], clean.index, strict=True))
    ablated = [(row, base) for row, entry in rows.items() if (base := entry.get("ablates")) is not None]
    pairs = [(position[base], position[row]) for row, base in ablated if base in position and row in position]
    return _named([differences(aucs, pairs).rename(columns=ABLATION_NAMES)], aucs, ABLATIONS_COLUMNS)


def _named(parts: list[pd.DataFrame], aucs: CorrelatedAUCs, columns: list[str]) -> pd.DataFrame:
    table = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
    return table.assign(dataset=aucs.dataset, anomaly=aucs.anomaly)[columns]
