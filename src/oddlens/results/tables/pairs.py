"""Which row is better than which on the same images: paired differences of AUCs."""

from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from oddlens.data.training_sets import CLEAN, LABELLED
from oddlens.results.tables.conventions import training_labels
from oddlens.results.tables.scored import Block
from oddlens.statistics import metrics

COMPARED = ("detector", "reference", "control", "upper_bound")
"""The roles that stand in `pairs.csv`; ablations have a table of their own."""
KEYS = ["dataset", "training", "anomaly", "a", "b"]
FIGURES = ["a_auc", "b_auc", "difference", "low", "high", "p", "p_holm", "seeds", "seed_low", "seed_high", "seed_p"]


def differences(block: Block, pairs: Iterable[tuple[int, int]]) -> pd.DataFrame:
    """Seed-mean AUC of a less that of b, for pairs of places in `block.rows`.

    The interval and p are over test images, by the placements of both on the same lenses (DeLong et al. 1988; see
    `metrics.areas`); `p_holm` is corrected for all pairs given, which are one family. `seed_low`, `seed_high`, `seed_p`
    are over the seeds that both have, by Student's t of the differences seed by seed.
    """
    a, b = np.array(list(pairs), dtype=int).reshape(-1, 2).T
    auc, covariance = block.rows.areas.auc, block.rows.areas.covariance
    value = auc[a] - auc[b]
    low, high, p = metrics.difference(value, covariance[a, a] + covariance[b, b] - 2 * covariance[a, b])
    by_seed = block.by_seed.to_numpy()[a] - block.by_seed.to_numpy()[b]
    seed_low, seed_high, seed_p = metrics.over_seeds(by_seed)
    detector = block.rows.names["detector"].to_numpy()
    columns = (detector[a], detector[b], auc[a], auc[b], value, low, high, p)
    corrected = multipletests(p, method="holm")[1] if len(p) else p
    over_seeds = (np.isfinite(by_seed).sum(axis=-1), seed_low, seed_high, seed_p)
    return pd.DataFrame(dict(zip(["a", "b", *FIGURES], (*columns, corrected, *over_seeds), strict=True)))


def pairs_table(block: Block, rows: Mapping[str, Mapping]) -> pd.DataFrame:
    """`pairs.csv`: all pairs of rows after the same training, the better one first.

    A ceiling that was trained with labels stands among those after clean training. A family of tests is a data set,
    a training set and an anomaly.
    """
    names, auc = block.rows.names, block.rows.areas.auc
    label = training_labels(names).replace(LABELLED, "clean")
    compared = names["detector"].map(lambda row: rows[row]["role"] in COMPARED)
    found = []
    for training, members in names[compared].groupby(label[compared], sort=False):
        order = sorted(members.index, key=lambda k: -auc[k])
        found.append(differences(block, combinations(order, 2)).assign(training=training))
    return _named(found, block, [*KEYS, *FIGURES])


def ablation_table(block: Block, rows: Mapping[str, Mapping]) -> pd.DataFrame:
    """`ablations.csv`: what each idea is worth, the AUC of a row less that of the row without the idea, clean training.

    A family of tests is a data set and an anomaly.
    """
    clean = block.rows.names[block.rows.names["contaminant"] == CLEAN]
    place = dict(zip(clean["detector"], clean.index, strict=True))
    ablated = [(row, base) for row, entry in rows.items() if (base := entry.get("ablates")) is not None]
    pairs = [(place[base], place[row]) for row, base in ablated if base in place and row in place]
    new = {"a": "base", "b": "ablation", "a_auc": "base_auc", "b_auc": "ablation_auc", "difference": "gain"}
    columns = [new.get(name, name) for name in ["dataset", "anomaly", "a", "b", *FIGURES]]
    return _named([differences(block, pairs).rename(columns=new)], block, columns)


def _named(found: list[pd.DataFrame], block: Block, columns: list[str]) -> pd.DataFrame:
    table = pd.concat(found) if found else pd.DataFrame(columns=columns)
    return table.assign(dataset=block.dataset, anomaly=block.anomaly)[columns]
