"""What odd images in the training set do to a detector: slope, loss and break point."""

import numpy as np
import pandas as pd

from oddlens.data.training_sets import CLEAN, LABELLED
from oddlens.results.tables.conventions import BLIND
from oddlens.results.tables.scored import Block
from oddlens.statistics import metrics

KEPT = 0.9
"""A detector breaks where it has lost more than a tenth of what it was better than chance after clean training."""
COLUMNS = ["dataset", "detector", "contaminant", "anomaly", "clean_auc", "largest", "auc_at_largest", "slope_per_10"]
COLUMNS += ["slope_low", "slope_high", "seed_slope_low", "seed_slope_high", "break_point", "verdict"]


def contamination_table(block: Block) -> pd.DataFrame:
    """`contamination.csv`: a line for each row and contaminant.

    The slope is of a straight line through the AUCs, equally weighted, per 10 % contamination; its intervals are over
    test images, which all points share, and over seeds (of the slopes of each seed). What is blind after clean training
    (see `BLIND`; mere significance is cheap among twins) has nothing to lose and no break point.
    """
    names = block.rows.names
    lines = []
    for detector, own in names.groupby("detector", sort=False):
        for contaminant in own["contaminant"].unique():
            if contaminant not in (CLEAN, LABELLED) and (own["contaminant"] == CLEAN).any():
                curve = own[own["contaminant"].isin([CLEAN, contaminant])].sort_values("contamination")
                lines.append({"detector": detector, "contaminant": contaminant, **_curve(block, curve)})
    return pd.DataFrame(lines).assign(dataset=block.dataset, anomaly=block.anomaly).reindex(columns=COLUMNS)


def _curve(block: Block, curve: pd.DataFrame) -> dict:
    """The figures of one curve: `curve` has its lines of `block.rows.names`, clean training first."""
    where, fractions = curve.index.to_numpy(), curve["contamination"].to_numpy()
    auc = block.rows.areas.auc[where]
    leverage = fractions - fractions.mean()
    weights = 0.1 * leverage / (leverage**2).sum()
    of_all = np.zeros((1, len(block.rows.names)))
    of_all[0, where] = weights
    slope = block.rows.areas.combined(of_all)
    low, high, _ = metrics.difference(slope.auc, slope.variance)
    seed_low, seed_high, _ = metrics.over_seeds(weights @ block.by_seed.to_numpy()[where])
    point, verdict = break_point(fractions, auc) if auc[0] > 0.5 + BLIND else (np.nan, "blind even when clean")
    figures = (auc[0], fractions[-1], auc[-1], slope.auc[0], low[0], high[0], seed_low, seed_high, point, verdict)
    return dict(zip(COLUMNS[4:], figures, strict=True))


def break_point(fractions: np.ndarray, auc: np.ndarray) -> tuple[float, str]:
    """Where the AUC first falls under 0.5 + 0.9 (clean - 0.5), between two fractions by a straight line; and in words.

    Both are in order of the fraction, the clean one first.
    """
    floor = 0.5 + KEPT * (auc[0] - 0.5)
    below = np.flatnonzero(auc < floor)
    if not below.size:
        return np.nan, f"none up to {100 * fractions[-1]:g} %"
    k = below[0]
    point = fractions[k - 1] + (auc[k - 1] - floor) / (auc[k - 1] - auc[k]) * (fractions[k] - fractions[k - 1])
    return float(point), f"{100 * point:.1f} %"
