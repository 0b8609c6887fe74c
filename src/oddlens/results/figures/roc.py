"""ROC curves."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from oddlens.results.figures.style import REFERENCE_LINE, Rows, line_styles, no_auc_figure, plt
from oddlens.results.tables.columns import UNCONTAMINATED, VARIANTS
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.statistics import metrics

FALSE_POSITIVE_RATES = np.concatenate([np.linspace(0, 0.05, 101), np.linspace(0.05, 1, 191)[1:]])
"""The rates at which ROC curves of several seeds are averaged."""
LEGEND: Any = {"title": "AUC", "loc": "upper center", "bbox_to_anchor": (0.5, -0.16), "ncols": 2, "fontsize": 6.5}
LEGEND |= {"handlelength": 1.6, "columnspacing": 0.8}


def roc_curves(scores: DatasetScores, summary: pd.DataFrame, rows: Rows, title: str) -> Figure:
    """ROC curves after clean (or labelled) training, a panel per anomaly.

    The true positive rate is averaged over seeds. The area under the average curve is the mean AUC in the legend.
    """
    anomalies = scores.judged
    if not anomalies:
        return no_auc_figure()
    figure, axes = plt.subplots(1, len(anomalies), figsize=(3.7 * len(anomalies), 3.7), squeeze=False, sharey=True)
    styles = line_styles(rows)
    summary = summary[summary["contaminant"].isin(UNCONTAMINATED) & ~summary["role"].isin(VARIANTS)]
    for axis, anomaly in zip(axes[0], anomalies, strict=True):
        means = summary[summary["anomaly"] == anomaly].dropna(subset="auc")
        means = means.sort_values("auc", ascending=False, kind="stable")
        for row, auc in zip(means["detector"], means["auc"], strict=True):
            rates = _mean_true_positive_rates(scores, row, anomaly)
            axis.plot(np.r_[0, FALSE_POSITIVE_RATES], np.r_[0, rates], label=f"{auc:.3f}  {row}", **styles[row])
        axis.plot([0, 1], [0, 1], **REFERENCE_LINE)
        axis.set(xlabel="false positive rate", aspect="equal", xlim=(0, 1), ylim=(0, 1.005))
        axis.set_title(f"{scores.smooth} vs. {anomaly}")
        if len(means):
            axis.legend(**LEGEND)
    axes[0][0].set_ylabel("true positive rate")
    figure.suptitle(title, fontsize=11)
    return figure


def _mean_true_positive_rates(scores: DatasetScores, row: str, anomaly: str) -> np.ndarray:
    """The mean over seeds of the true positive rate at each of `FALSE_POSITIVE_RATES`."""
    normal, anomalous = scores.positions(scores.smooth), scores.positions(anomaly)
    seeds = scores.uncontaminated & scores.converged & (scores.models["detector"] == row).to_numpy()
    curves = [metrics.roc(values[normal], values[anomalous]) for values in scores.values[seeds]]
    return np.mean([np.interp(FALSE_POSITIVE_RATES, *curve) for curve in curves], axis=0)
