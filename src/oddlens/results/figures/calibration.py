"""Calibration of the credible intervals of estimated parameters."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from oddlens.regression.estimates import Estimates
from oddlens.results.figures.estimates import class_shown, target_label
from oddlens.results.figures.style import DASHES, FAINT, palette, plt
from oddlens.statistics import metrics

PROBABILITIES = np.linspace(0, 1, 41)
"""Probabilities of central intervals."""


def calibration_curves(estimates: Sequence[Estimates], title: str) -> Figure:
    """The fraction of truths within central intervals minus the probability of the interval, for each parameter.

    The band contains 95 % of the curves of calibrated estimates, at each probability.
    """
    figure, axes = plt.subplots(1, len(estimates), figsize=(4.2 * len(estimates), 3.4), squeeze=False, sharey=True)
    shades = palette("tab20")
    for axis, of_row in zip(axes[0], estimates, strict=True):
        smallest = 0
        for k, target in enumerate(of_row.numbers):
            densities, truth = of_row.of(target, class_shown(of_row, target))
            level = densities.pit(truth)
            inside = np.array([np.mean(np.abs(level - 0.5) <= p / 2) for p in PROBABILITIES])
            style = {"color": shades[k % 20], "ls": DASHES[k // 8 % 4], "lw": 1.2}
            axis.plot(PROBABILITIES, inside - PROBABILITIES, **style, label=target_label(target))
            smallest = min(smallest or len(truth), len(truth))
        band = metrics.HALF_WIDTH_SIGMA * np.sqrt(PROBABILITIES * (1 - PROBABILITIES) / smallest)
        axis.fill_between(PROBABILITIES, -band, band, color="0.9", zorder=0)
        axis.axhline(0, **FAINT)
        axis.set(xlabel="interval probability", title=of_row.row)
        axis.legend(fontsize=5.5, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    axes[0][0].set_ylabel("coverage − probability")
    figure.suptitle(title, fontsize=11)
    return figure
