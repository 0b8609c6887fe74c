"""The effect of anomalous images in the training set: slope of the AUC, loss and break point."""

import numpy as np
import pandas as pd

from oddlens.data.training_sets import CLEAN, LABELLED
from oddlens.results.tables.correlated_aucs import CorrelatedAUCs
from oddlens.results.tables.thresholds import CHANCE_MARGIN
from oddlens.statistics import metrics

BREAK_FRACTION = 0.9
"""A detector breaks where less than this fraction of its clean AUC above 0.5 is left."""
COLUMNS = ["dataset", "detector", "contaminant", "anomaly", "clean_auc", "max_contamination", "auc_at_max"]
COLUMNS += ["slope_per_10", "slope_low", "slope_high", "seed_slope_low", "seed_slope_high", "break_point", "verdict"]
AT_CHANCE = "blind even when clean"
"""The verdict on a row that is no better than chance after clean training (`CHANCE_MARGIN`)."""


def contamination_table(aucs: CorrelatedAUCs) -> pd.DataFrame:
    """`contamination.csv`: a line for each row and contaminant.

    The slope is that of a straight line through the AUCs, equally weighted, per 10 % contamination. Its intervals are
    over test images, which all points share, and over seeds (of the slopes of each seed). A row that is no better than
    chance after clean training has no break point.
    """
    names = aucs.seed_means.names
    lines = []
    for detector, own in names.groupby("detector", sort=False):
        for contaminant in own["contaminant"].unique():
            if contaminant not in (CLEAN, LABELLED) and (own["contaminant"] == CLEAN).any():
                curve = own[own["contaminant"].isin([CLEAN, contaminant])].sort_values("contamination")
                lines.append({"detector": detector, "contaminant": contaminant, **_curve(aucs, curve)})
    return pd.DataFrame(lines).assign(dataset=aucs.dataset, anomaly=aucs.anomaly).reindex(columns=COLUMNS)


def _curve(aucs: CorrelatedAUCs, curve: pd.DataFrame) -> dict:
    """The values of one curve, which is given by its lines of `aucs.seed_means.names`, clean training first."""
    place, fractions = curve.index.to_numpy(), curve["contamination"].to_numpy()
    means = aucs.seed_means.areas
    auc = means.auc[place]
    leverage = fractions - fractions.mean()
    weights = 0.1 * leverage / (leverage**2).sum()
    all_weights = np.zeros((1, len(means.auc)))
    all_weights[0, place] = weights
    slope = means.combined(all_weights)
    low, high, _ = metrics.difference(slope.auc, slope.variance)
    seed_low, seed_high, _ = metrics.over_seeds(weights @ aucs.by_seed.to_numpy()[place])
    point, verdict = break_point(fractions, auc) if auc[0] > 0.5 + CHANCE_MARGIN else (np.nan, AT_CHANCE)
    values = (auc[0], fractions[-1], auc[-1], slope.auc[0], low[0], high[0], seed_low, seed_high, point, verdict)
    return dict(zip(COLUMNS[4:], values, strict=True))


def break_point(fractions: np.ndarray, auc: np.ndarray) -> tuple[float, str]:
    """The contamination at which the AUC first falls below 0.5 + 0.9 (clean - 0.5), as a number and as text.

    AUCs are interpolated linearly between fractions. Both arrays are sorted by fraction, clean training first.
    """
    floor = 0.5 + BREAK_FRACTION * (auc[0] - 0.5)
    below = np.flatnonzero(auc < floor)
    if not below.size:
        return np.nan, f"none up to {100 * fractions[-1]:g} %"
    k = below[0]
    point = fractions[k - 1] + (auc[k - 1] - floor) / (auc[k - 1] - auc[k]) * (fractions[k] - fractions[k - 1])
    return float(point), f"{100 * point:.1f} %"
